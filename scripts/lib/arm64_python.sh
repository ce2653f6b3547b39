# shellcheck shell=bash disable=SC2154 # what scripts/lib sets
# Debian's Python for arm64 with numpy, and its headers, in a directory of the cache: what the extension is cross-built
# for and tried with. Sourced, after setup.sh, debian.sh and aarch64.sh.

arm64_root=$cache/arm64

# prepare_arm64_python: makes $arm64_root.
prepare_arm64_python() {
  [[ ! -e $arm64_root/.ready ]] || return 0
  local debs=$cache/debs package library packages=()
  command -v dpkg-deb >/dev/null || cannot "it takes packages of Debian apart with dpkg-deb, which is not here"
  say "downloading Debian's Python and numpy for arm64, 30 MB"
  configure_apt
  for package in libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libffi8 libbz2-1.0 liblzma5 libssl3 libcrypt1 libuuid1 \
    {,lib}python3.11-minimal libpython3.11-stdlib libpython3.11-dev python3-numpy libblas3 liblapack3 libgfortran5; do
    packages+=("$package:arm64")
  done
  fetch_debian_packages "$debs" "${packages[@]}"
  rm -rf "$arm64_root"
  mkdir -p "$arm64_root/usr/lib"
  ln -s usr/lib "$arm64_root/lib" # as every Debian has it now; these packages still have both
  for package in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar x -C "$arm64_root" --keep-directory-symlink --exclude='./usr/share/*' --exclude='*.a'
  done
  # Made by Debian's alternatives where a package is installed.
  for library in blas lapack; do
    ln -s "$library/lib$library.so.3" "$arm64_root/usr/lib/aarch64-linux-gnu/lib$library.so.3"
  done
  rm -rf "$debs"
  touch "$arm64_root/.ready"
}

# arm64_python ARGUMENT...: that Python, emulated where this is another machine.
arm64_python() {
  local emulate=()
  [[ $(uname -m) == aarch64 ]] || emulate=(qemu-aarch64-static -L "$arm64_root")
  PYTHONPATH=$arm64_root/usr/lib/python3/dist-packages${PYTHONPATH:+:$PYTHONPATH} \
    "${emulate[@]}" "$arm64_root/usr/bin/python3.11" "$@"
}
