# shellcheck shell=bash disable=SC2154 # what scripts/lib sets
# The kernel of the virtual board, Debian's for arm64, with the modules that make it one, and the root directory that it
# starts with. Sourced by scripts/virtual-orin.

kernel=$cache/kernel
modules=$(dirname "${BASH_SOURCE[0]}")/modules

# prepare_kernel: the kernel is $kernel/Image, the root directory $kernel/root.cpio. Both stay until what they are made of
# changes.
prepare_kernel() {
  local made
  [[ -e $kernel/.unpacked ]] || unpack_kernel
  made=$(cat "$modules"/* "${BASH_SOURCE[0]}" | sha256sum)
  [[ $(cat "$kernel/.made" 2>/dev/null) != "$made" ]] || return 0
  say "building the board's kernel modules"
  build_modules
  make_root
  echo "$made" >"$kernel/.made"
}

unpack_kernel() {
  local image release version series unpacked=$cache/unpacked debs=$cache/debs package
  rm -rf "$kernel" "$unpacked"
  mkdir -p "$kernel"/{source,modules} "$unpacked"
  configure_apt
  image=$(apt-cache depends linux-image-arm64:arm64 | sed -n 's/.*Depends: \(linux-image-[^:]*\).*/\1/p' | sed -n 1p)
  version=$(apt-cache policy linux-image-arm64:arm64 | sed -n 's/ *Candidate: //p')
  [[ -n $image ]] || fail "Debian has no kernel for arm64"
  release=${image#linux-image-}
  series=$(cut -d. -f1,2 <<<"$release")
  say "downloading Linux $release (Debian's $version): image, headers and source, 230 MB"
  fetch_debian_packages "$debs" "$image:arm64" "linux-headers-$release:arm64" "linux-headers-${release%-arm64}-common:all" \
    "linux-kbuild-$series:$(dpkg --print-architecture)" "linux-source-$series=$version" busybox-static:arm64
  dpkg-deb --fsys-tarfile "$debs"/linux-image*.deb | tar x -C "$unpacked" --wildcards './boot/vmlinuz*' '*/i2c-dev.ko' \
    '*/virtio_mmio.ko' '*/virtio_blk.ko' '*/governor_userspace.ko'
  for package in "$debs"/{linux-headers,linux-kbuild,busybox}*.deb; do dpkg-deb -x "$package" "$unpacked"; done
  dpkg-deb --fsys-tarfile "$debs"/linux-source-*.deb | tar xO --wildcards "*/linux-source-$series.tar.xz" | xz -dc -T0 |
    tar x -C "$kernel/source" --strip-components=1 "linux-source-$series"/drivers/{hwmon/ina3221.c,i2c/i2c-stub.c}
  mkdir -p "$kernel/usr/lib"
  mv "$unpacked"/boot/vmlinuz-* "$kernel/Image"
  mv "$unpacked/usr/src" "$kernel/usr/"
  mv "$unpacked/usr/lib/linux-kbuild-$series" "$kernel/usr/lib/"
  mv "$unpacked/bin/busybox" "$kernel/"
  find "$unpacked/lib/modules" -name '*.ko' -exec mv -t "$kernel/modules" {} +
  # It names the headers that all architectures have by where Debian installs them.
  sed -i "s#include /usr/src/#include $kernel/usr/src/#" "$kernel/usr/src/linux-headers-$release/Makefile"
  rm -rf "$unpacked" "$debs"
  echo "$release" >"$kernel/.unpacked"
}

# The real driver of the INA3221, on the kernel's stub of an I2C adapter, which gets a place in the device tree and
# transfers that take time.
build_modules() {
  local build=$kernel/build release
  release=$(cat "$kernel/.unpacked")
  rm -rf "$build"
  mkdir -p "$build"
  cp "$modules"/* "$kernel/source/drivers/hwmon/ina3221.c" "$build/"
  sed -e 's|^#include <linux/slab.h>|&\n#include "orin_bus.h"|' \
    -e '0,/^\tswitch (size) {/s//\tstub_wait(size);\n&/' \
    -e 's|^\tret = i2c_add_adapter(&stub_adapter);|\tstub_take_place(\&stub_adapter);\n&|' \
    "$kernel/source/drivers/i2c/i2c-stub.c" >"$build/i2c-stub-orin.c"
  [[ $(grep -cE 'orin_bus.h|stub_wait\(size\)|stub_take_place\(' "$build/i2c-stub-orin.c") == 3 ]] ||
    fail "the i2c-stub.c of this kernel is not as expected"
  quietly "the build of the modules" make -C "$kernel/usr/src/linux-headers-$release" M="$build" ARCH=arm64 \
    CROSS_COMPILE=aarch64-linux-gnu- modules
}

make_root() {
  local root=$kernel/root library module
  rm -rf "$root"
  mkdir -p "$root"/{bin,proc,sys,dev,modules,lib,root,etc}
  cp "$kernel/busybox" "$root/bin/"
  cp "$kernel"/modules/*.ko "$root/modules/"
  for module in "$kernel"/build/*.ko; do aarch64-linux-gnu-strip -g "$module" -o "$root/modules/${module##*/}"; done
  for library in ld-linux-aarch64.so.1 libc.so.6 libm.so.6; do cp -L "$cross_libc/lib/$library" "$root/lib/"; done
  printf '%s\n' root:x:0:0::/root:/bin/sh jetson:x:1000:1000::/tmp:/bin/sh other:x:1001:1001::/tmp:/bin/sh >"$root/etc/passwd"
  printf '%s\n' root:x:0: jetson:x:1000: profilers:x:990:jetson >"$root/etc/group"
  archive "$root" >"$kernel/root.cpio"
}

# archive DIRECTORY: as the kernel unpacks it.
archive() { (cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet); }

# prepare_bash: $cache/bash-static, for a script that is written for bash; the board has busybox.
prepare_bash() {
  [[ ! -x $cache/bash-static ]] || return 0
  configure_apt
  fetch_debian_packages "$cache/debs" bash-static:arm64
  dpkg-deb --fsys-tarfile "$cache"/debs/bash-static_*.deb | tar xO ./bin/bash-static >"$cache/bash-static.new"
  chmod +x "$cache/bash-static.new"
  mv "$cache/bash-static.new" "$cache/bash-static"
  rm -rf "$cache/debs"
}
