# shellcheck shell=bash disable=SC2034 # what is set here is used where this is sourced
# Building for aarch64 on another machine, and running what was built, under qemu's user emulation. Sourced, after
# setup.sh.

cross_cc=aarch64-linux-gnu-gcc
cross_cxx=aarch64-linux-gnu-g++
cross_libc=/usr/aarch64-linux-gnu
# What every ARMv8 core runs: no calls of atomics that ask the core what it can, either.
cross_baseline=(-march=armv8-a -mno-outline-atomics)

need_cross_compilers() { need_commands "$cross_cc:gcc-aarch64-linux-gnu" "$cross_cxx:g++-aarch64-linux-gnu"; }

# need_emulation: sets $emulate, the command that runs a program for aarch64.
need_emulation() {
  if [[ $(uname -m) == aarch64 ]]; then
    emulate=()
  else
    need_commands qemu-aarch64-static:qemu-user-static
    emulate=(qemu-aarch64-static -L "$cross_libc")
  fi
}

# beyond_baseline FILE: the instructions in it that an ARMv8.0 core does not have, a line each: what it disassembles to
# is given to an assembler that knows no others. Targets of branches are addresses there, and replaced.
beyond_baseline() {
  local prefix='' code
  [[ $(uname -m) == aarch64 ]] || prefix=aarch64-linux-gnu-
  code=$(LC_ALL=C "${prefix}objdump" -d --no-show-raw-insn "$1" 2>/dev/null |
    sed -nE 's/^ *[0-9a-f]+:\t//; T; s/ *\/\/.*//; s/ <[^>]*>//; s/^\.inst\t.*undefined$/udf #0/
      s/^((b|bl|b\.[a-z]+|cbn?z|tbn?z|adrp?|ldr|ldrsw|prfm)\t(.*, )?)[0-9a-f]+$/\1./; p') || true
  if [[ -z $code ]] || ! command -v "${prefix}as" >/dev/null; then
    echo "not known: ${prefix}objdump and ${prefix}as (binutils) cannot tell"
    return 0
  fi
  LC_ALL=C "${prefix}as" -march=armv8-a -o /dev/null - <<<"$code" 2>&1 | sed -n 's/.*Error: //p' || true
}
