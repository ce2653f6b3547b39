# shellcheck shell=bash disable=SC2034 # what is set here is used where this is sourced
# Packages of Debian 12 of any architecture, downloaded and not installed, and where downloads are kept. apt checks
# them against Debian's signature, with lists of its own; of the system's apt it takes the mirror. Sourced, after setup.sh.

cache=$(realpath -m -- "${FASTNVMETRICS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fastnvmetrics}")
debian_suite=bookworm
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# cannot REASON: what needs the world around it cannot be had here, which is no failure of the project.
cannot() {
  printf '%s: cannot run here: %s\n' "${0##*/}" "$*" >&2
  exit 77
}

# locked COMMAND...: while nobody else prepares something in the cache. Its failure ends the script.
locked() {
  local status=0
  mkdir -p "$cache"
  (
    exec {lock}>"$cache/.lock"
    flock "$lock"
    set -e
    "$@"
  ) || status=$?
  ((status == 0)) || exit "$status"
}

debian_mirror() {
  local found=${FASTNVMETRICS_DEBIAN_MIRROR:-}
  [[ -n $found ]] || found=$(grep -rhE '^(deb |URIs:)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    grep -oE '[a-z+]+:/+[^ ]*/debian(\.list)?/?( |$)' | head -n 1 | tr -d ' ' || true)
  [[ -n $found ]] || cannot "there is no Debian mirror in /etc/apt: name one with FASTNVMETRICS_DEBIAN_MIRROR"
  echo "$found"
}

# configure_apt: what apt-get and apt-cache do from now on is about Debian 12, not about this system.
configure_apt() {
  local apt=$cache/apt mirror
  mirror=$(debian_mirror)
  [[ -e $debian_keyring ]] || install_debian_packages debian-archive-keyring
  mkdir -p "$apt"/{lists,archives}/partial "$apt/empty"
  touch "$apt/status"
  echo "deb [signed-by=$debian_keyring] $mirror $debian_suite main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<APT
Dir::State "$apt"; Dir::State::status "$apt/status"; Dir::State::Lists "$apt/lists";
Dir::Cache "$apt"; Dir::Cache::archives "$apt/archives";
Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "$apt/empty"; Dir::Etc::preferencesparts "$apt/empty";
APT::Architecture "$(dpkg --print-architecture)"; APT::Architectures { "$(dpkg --print-architecture)"; "arm64"; };
APT::Install-Recommends "false"; APT::Sandbox::User "root";
APT
  export APT_CONFIG=$apt/apt.conf
  [[ -n $(find "$apt/lists" -name '*Packages*' -mmin -1440 -print -quit) ]] || quietly "apt-get update" apt-get update -qq
}

# fetch_debian_packages DIRECTORY PACKAGE:ARCHITECTURE...: the packages' files into that directory, new.
fetch_debian_packages() {
  local directory=$1
  shift
  rm -rf "$directory"
  mkdir -p "$directory"
  (cd "$directory" && quietly "downloading $*" apt-get download -qq "$@")
}
