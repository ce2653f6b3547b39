# What scripts/demo and scripts/test share: saying what happens, and getting what they need onto a fresh
# machine (Debian 12, Ubuntu 22.04 or newer). Sourced, with the repository as the working directory.

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# quietly WHAT COMMAND...: shows the command's output only when it fails.
quietly() {
  local what=$1 log
  shift
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "$what failed, see above"
  fi
  rm -f "$log"
}

# The system's Python and numpy are what most people on a board have. PYTHON names another.
python=${PYTHON:-/usr/bin/python3}
[[ -x $python ]] || python=$(command -v python3 || true)

# need_debian_packages [COMMAND[:PACKAGE]...]: installs the Debian packages that are missing: those that
# everything needs, and those of these commands, which are packages of the same name unless one is given.
need_debian_packages() {
  local absent=()
  find_missing "$@"
  has_c_compiler || absent+=(gcc g++)
  [[ -n $python ]] || absent+=(python3)
  if [[ -z $python || $python == /usr/bin/python3 ]]; then
    has_python_headers || absent+=(libpython3-dev)
    has_python_module numpy || absent+=(python3-numpy)
    has_python_module click || absent+=(python3-click)
    has_python_module ensurepip || absent+=(python3-venv)
  fi
  install_debian_packages "${absent[@]}"
  [[ -n $python ]] || python=/usr/bin/python3
}

# need_commands COMMAND[:PACKAGE]...: these alone.
need_commands() {
  local absent=()
  find_missing "$@"
  install_debian_packages "${absent[@]}"
}

find_missing() { # COMMAND[:PACKAGE]...: adds to $absent
  local command
  for command; do command -v "${command%:*}" >/dev/null || absent+=("${command#*:}"); done
}

install_debian_packages() {
  (($#)) || return 0
  local as_root=()
  if (($(id -u) != 0)); then
    command -v sudo >/dev/null || fail "missing: $*; install them as root: apt-get install $*"
    as_root=(sudo)
  fi
  command -v apt-get >/dev/null || fail "missing: $* (or what this distribution calls them)"
  say "installing Debian packages: $*"
  quietly "apt-get update" "${as_root[@]}" apt-get update -qq
  quietly "apt-get install" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@"
}

# want_debian_package COMMAND: installs it where it is missing; where that does not work, says so and goes on.
want_debian_package() {
  (need_debian_packages "$1") || say "going on without $1: what needs it is skipped"
}

has_c_compiler() { command -v gcc >/dev/null && command -v g++ >/dev/null; }
has_python_module() { "$python" -c "import $1" 2>/dev/null; }
has_python_headers() {
  "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null
}

need_python() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "Python 3.10 or newer is needed, $python is $("$python" -V 2>&1); name another with PYTHON=…"
}

# The library in build/lib, built again when a source is newer. Sets $library; needs $abi (versions.sh).
need_current_library() {
  library=build/lib/libfastnvmetrics.so.$abi
  local stamp=build/lib/.libfastnvmetrics.so.$abi.built
  if [[ ! -e $library || ! -e $stamp || -n $(find Package.swift Sources include scripts/build-library -newer "$stamp" \
    -type f -print -quit) ]]; then
    scripts/build-library --output build/lib
  fi
}

library_soname() { LC_ALL=C readelf -dW "$1" 2>/dev/null | sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p'; }

# The wheel with the extension and the library in it, built again when a source is newer. Sets $wheel.
build_wheel() {
  scripts/build-wheel
  wheel=$(compgen -G 'build/wheel/fastnvmetrics-*.whl' | head -n 1)
}

# make_environment DIR REQUIREMENT... [-- OPTION...]: a virtual environment with these packages.
make_environment() {
  local directory=$1 requirements=() options=()
  shift
  while (($#)) && [[ $1 != -- ]]; do
    requirements+=("$1")
    shift
  done
  [[ ${1:-} == -- ]] && shift
  options=("$@")
  local wanted="$("$python" -V) ${options[*]} ${requirements[*]}"
  if [[ $(cat "$directory/.made" 2>/dev/null) != "$wanted" ]]; then
    say "making the virtual environment $directory"
    rm -rf "$directory"
    quietly "making a virtual environment" "$python" -m venv "${options[@]}" "$directory"
    quietly "installing ${requirements[*]}" "$directory/bin/python" -m pip install --quiet --disable-pip-version-check \
      "${requirements[@]}"
    printf '%s' "$wanted" >"$directory/.made"
  fi
}

# Installs the wheel into an environment, where it is not the one that is there already.
install_wheel() {
  local sum
  sum=$(sha256sum "$wheel")
  [[ $(cat "$1/.wheel" 2>/dev/null) == "$sum" ]] && return 0
  quietly "installing the Python package" "$1/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --force-reinstall "$wheel"
  printf '%s' "$sum" >"$1/.wheel"
}
