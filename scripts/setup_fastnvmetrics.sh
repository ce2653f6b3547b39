#!/bin/bash
# Opens to one group the nodes of a Jetson that fastnvmetrics needs and that only root can read: the memory
# controller (EMC) in debugfs, and under L4T 35 the inputs of the INA3221 power monitors. `--help` says how.
#
# What is changed, and why no less would do:
#
# - A file that is closed to others gets the group, and `r` for it: never `w`, and nothing for the world.
# - /sys/kernel/debug is 0700 root, and a path cannot be opened without search permission on every directory
#   of it. So each directory on the way that is closed to others gets the group, and `x` for it: not `r`, so
#   it cannot be listed. Directories and files that others can pass or read by their own mode stay as they are.
# - A node whose group is somebody else's and means something is left alone: that group would lose its access.
#
# What comes with it: files elsewhere in debugfs keep their own modes, and many are 0444 or 0644, with only
# the 0700 above keeping people out. Members of the group can open those too, if they know the names. Only let
# people in who may see what the kernel says about itself.
#
# The kernel forgets modes at a reboot, and a driver's when it is bound again: hence --install, and a state
# file in /run, which is as short-lived.
set -euo pipefail

PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
unset CDPATH
umask 022
shopt -s nullglob

readonly program=setup_fastnvmetrics.sh
readonly unit=fastnvmetrics-setup.service
readonly unit_path=/etc/systemd/system/$unit
readonly wants_path=/etc/systemd/system/multi-user.target.wants/$unit
readonly state_path=/run/fastnvmetrics/setup.state
readonly emc_nodes=(
  /sys/kernel/debug/cactmon/mc_all
  /sys/kernel/debug/bpmp/debug/clk/emc/rate
  /sys/kernel/debug/clk/emc/clk_rate
)

root='' # put before every path; empty: the machine itself
group=fastnvmetrics
gid='' # empty in a dry run whose group would be created
users=()
prefix=/usr/local
action=open
dry_run=false
changed=0
failures=0
debugfs_opened=false
declare -A seen=()

usage() {
  cat <<'HELP'
Usage: setup_fastnvmetrics.sh [OPTION]...

Lets a group read the nodes that fastnvmetrics needs and only root can read:
  the memory controller's activity and clock in debugfs
  the voltage and current inputs of INA3221 power monitors (root's under L4T 35)
Everything else that fastnvmetrics reads is open to everybody already.

  --group NAME     the group (default: fastnvmetrics), created if missing
  --user NAME      put a user into the group; repeatable; needs a new login
  --install        also do so at every boot, by fastnvmetrics-setup.service
  --prefix DIR     with --install: copy this script to DIR/sbin (default: /usr/local)
  --revert         put back the groups and modes that were there, for this boot
  --uninstall      undo --install, and --revert; the group stays
  --dry-run        print the commands that would run, change nothing; needs no root
  --help           this text

WARNING: /sys/kernel/debug is closed to everybody but root. It and the directories that lead
to the nodes become passable (x, not r) for the group. Other files in debugfs keep their own
modes, and many of those are 0444 or 0644: members of the group can open these as well. Put
nobody into the group who must not see them.

FASTNVMETRICS_ROOT is put before /sys, /etc, /run and DIR, for a fixture or a mounted tree. Links
are followed as if it were /; one that leads out of it, or a node out of its /sys, is refused.

Exit status: 0 done or nothing to do, also where nodes are absent (each is reported);
1 not root, or something was refused or failed (said on stderr); 2 wrong usage.
HELP
}

complain() { printf '%s: %s\n' "$program" "$*" >&2; }
fail() {
  complain "$@"
  exit 1
}
wrong_usage() {
  complain "$* (--help says how)"
  exit 2
}
# refuse WHAT: goes on with the rest, and ends with 1.
refuse() {
  complain "$@"
  failures=$((failures + 1))
}

# note TEXT: in a dry run a comment, so that the output is a script.
note() { if $dry_run; then printf '# %s\n' "$*"; else printf '%s\n' "$*"; fi; }
did() { if ! $dry_run; then printf '%s\n' "$*"; fi; }
shown() { if [[ $1 =~ ^[[:alnum:]/@:._+,=-]+$ ]]; then printf '%s' "$1"; else printf '%q' "$1"; fi; }

# run COMMAND...: or prints it.
run() {
  if ! $dry_run; then
    "$@"
    return
  fi
  local word separator=''
  for word in "$@"; do
    printf '%s%s' "$separator" "$(shown "$word")"
    separator=' '
  done
  printf '\n'
}

# ---- Paths inside the root

# resolve PATH [missing]: sets $resolved to the path in the root, every link followed in there. Returns 1
# where there is nothing, 2 where it must not be followed ($reason), 3 where that cannot be seen. With
# `missing`, what is not there yet is taken as it is written.
resolve() {
  local pending=$1 missing=${2:-} inside='' name target links=0
  reason=''
  while [[ $pending == *[!/]* ]]; do
    pending=${pending#"${pending%%[!/]*}"}
    name=${pending%%/*}
    pending=${pending#"$name"}
    case $name in
      .) continue ;;
      ..)
        if [[ -z $inside && -n $root ]]; then
          reason='a link leads out of FASTNVMETRICS_ROOT'
          return 2
        fi
        inside=${inside%/*}
        continue
        ;;
    esac
    if [[ -L $root$inside/$name ]]; then
      links=$((links + 1))
      if ((links > 40)); then
        reason='too many links'
        return 2
      fi
      target=$(readlink -n -- "$root$inside/$name" && printf x) || return 1
      target=${target%x}
      if [[ $target == /* ]]; then inside=''; fi
      pending=$target/$pending
    elif [[ -e $root$inside/$name || -n $missing ]]; then
      inside+=/$name
    elif [[ ! -x $root$inside/ && -d $root$inside/ ]]; then
      return 3
    else
      return 1
    fi
  done
  resolved=${inside:-/}
}

# place PATH: where a file of ours goes, in the root; its directory may not exist yet.
place() {
  resolve "${1%/*}" missing || fail "$(shown "$root$1"): $reason"
  placed=$root${resolved%/}/${1##*/}
}

# ---- Group and users

# entry DATABASE NAME: the line of a group or user, from the root's own /etc where it has one.
entry() {
  local line
  if [[ -n $root ]] && resolve "/etc/$1" && [[ -f $root$resolved ]]; then
    while IFS= read -r line || [[ -n $line ]]; do
      if [[ $line == "$2:"* ]]; then
        printf '%s\n' "$line"
        return 0
      fi
    done <"$root$resolved"
    return 1
  fi
  getent "$1" "$2"
}

# accounts COMMAND ARGUMENT...: groupadd or usermod, on the root's own files.
accounts() {
  local command=$1 file
  shift
  if [[ -n $root ]]; then
    for file in group gshadow passwd shadow; do
      if ! resolve "/etc/$file" missing || [[ $resolved != "/etc/$file" ]]; then
        fail "$(shown "$root/etc/$file") is reached by a link: $command was not run"
      fi
    done
    run mkdir -p "$root/etc"
    set -- --prefix "$root" "$@"
  fi
  run "$command" "$@" || fail "$command failed"
}

find_gid() {
  local line
  line=$(entry group "$group") || return 1
  IFS=: read -r _ _ gid _ <<<"$line"
  [[ $gid =~ ^[0-9]+$ ]]
}

need_group() {
  if find_gid; then return; fi
  note "the group $group does not exist yet"
  accounts groupadd --system "$group"
  changed=$((changed + 1))
  if ! $dry_run; then find_gid || fail "the group $group was not created"; fi
}

check_users() {
  local user
  for user in "${users[@]}"; do
    entry passwd "$user" >/dev/null || fail "there is no user $user"
  done
}

add_users() {
  local user primary members
  for user in "${users[@]}"; do
    IFS=: read -r _ _ _ primary _ <<<"$(entry passwd "$user")"
    IFS=: read -r _ _ _ members <<<"$(entry group "$group" || true)"
    if [[ ,$members, == *",$user,"* || (-n $gid && $primary == "$gid") ]]; then
      note "ready    user $user is in the group $group"
      continue
    fi
    accounts usermod --append --groups "$group" "$user"
    changed=$((changed + 1))
    did "added    user $user to the group $group: log in again for it to count"
  done
}

# ---- What was there before: "old mode, old gid, new mode, new gid, path in the root", one change a line

readonly state_line='^([0-7]{1,4}) ([0-9]+) ([0-7]{1,4}) ([0-9]+) (/sys(/.*)?)$'

read_state() {
  state=()
  place "$state_path"
  if [[ ! -r $placed ]]; then return; fi
  mapfile -t state <"$placed"
}

# record LINE: before the change, so that a change that was cut short can be put back too.
record() {
  if $dry_run; then return; fi
  place "$state_path"
  mkdir -p -- "${placed%/*}" && printf '%s\n' "$1" >>"$placed" && state+=("$1")
}

# is_ours GID PATH: whether an earlier run gave that node that group.
is_ours() {
  local line
  for line in "${state[@]}"; do
    if [[ $line =~ $state_line && ${BASH_REMATCH[4]} == "$1" && ${BASH_REMATCH[5]} == "$2" ]]; then return 0; fi
  done
  return 1
}

# ---- Opening

# open_one PATH PERMISSION: gives the group r of a file or x of a directory. The path is in the root and
# holds no link.
open_one() {
  local path=$1 permission=$2 full=$root$1 bit mode old_gid new owner=$group
  if [[ -n ${seen[$path]:-} ]]; then return 0; fi
  seen[$path]=1
  mode=$(stat -c '%a %g' -- "$full") || return 1
  old_gid=${mode#* } mode=${mode% *}
  # Names are those of the root's own /etc, which chgrp does not read.
  if [[ -n $root && -n $gid ]]; then owner=$gid; fi
  bit=$([[ $permission == r ]] && echo 4 || echo 1)
  if [[ $old_gid == "$gid" ]]; then
    if ((8#$mode & bit << 3)); then return 0; fi
    new=$((8#$mode | bit << 3))
  else
    if ((8#$mode & bit)); then return 0; fi
    if ((8#$mode & 8#070 && old_gid != 0)) && ! is_ours "$old_gid" "$path"; then
      refuse "$(shown "$full") is open to the group $old_gid already, which would lose it: left alone"
      return 1
    fi
    new=$((8#$mode & ~8#070 | bit << 3))
  fi
  new=$(printf %o "$new")
  if ! record "$mode $old_gid $new ${gid:-0} $path"; then
    refuse "$(shown "$full") stays closed: what it was could not be recorded"
    return 1
  fi
  if [[ $old_gid == "$gid" ]]; then
    run chmod "g+$permission" -- "$full" || { refuse "$(shown "$full") stays closed" && return 1; }
  else
    # The group gets its permission last: it never has more than that.
    if ! { ((!(8#$mode & 8#070))) || run chmod g= -- "$full"; } ||
      ! run chgrp -h "$owner" -- "$full" || ! run chmod "g=$permission" -- "$full"; then
      refuse "$(shown "$full") stays closed"
      return 1
    fi
  fi
  changed=$((changed + 1))
  did "opened   $(shown "$full") ($permission for the group $group; it was $mode, group $old_gid)"
}

# open_node PATH: the file and the directories of /sys that lead to it. A node that is absent changes nothing.
open_node() {
  local node=$1 status=0 before=$changed path directory rest
  resolve "$node" || status=$?
  case $status in
    0) ;;
    1)
      note "absent   $(shown "$root$node")"
      return 0
      ;;
    3)
      note "unseen   $(shown "$root$node") (this needs root)"
      return 0
      ;;
    *)
      refuse "$(shown "$root$node"): $reason: left alone"
      return 0
      ;;
  esac
  path=$resolved
  if [[ $path != /sys/* || $path == *$'\n'* || ! -f $root$path ]]; then
    refuse "$(shown "$root$node") leads to $(shown "$root$path"), which is no file of /sys that can be opened: left alone"
    return 0
  fi
  directory=/sys
  rest=${path#/sys/}
  while true; do
    open_one "$directory" x || return 0
    [[ $rest == */* ]] || break
    directory+=/${rest%%/*}
    rest=${rest#*/}
  done
  open_one "$path" r || return 0
  if [[ $path == /sys/kernel/debug/* ]] && ((changed > before)); then debugfs_opened=true; fi
  if ((changed == before)); then note "ready    $(shown "$root$node")"; fi
}

# is_rail CHIP CHANNEL: whether the channel is wired to a rail. One that is not has no label, or NC; one that is
# switched off says so in in<N>_enable.
is_rail() {
  local label='' enabled=1
  resolve "$1/in$2_label" && [[ -f $root$resolved ]] || return 1
  { IFS= read -r label <"$root$resolved"; } 2>/dev/null || true
  if [[ -z ${label//[[:space:]]/} || ${label//[[:space:]]/} == NC ]]; then return 1; fi
  if resolve "$1/in$2_enable" && [[ -f $root$resolved ]]; then
    { IFS= read -r enabled <"$root$resolved"; } 2>/dev/null || true
  fi
  [[ ${enabled//[[:space:]]/} != 0 ]]
}

# open_chip DIRECTORY: the inputs of a hwmon device that is an INA3221. The path is in the root.
open_chip() {
  local chip name='' status=0 channel input
  resolve "$1" || status=$?
  if ((status == 2)); then refuse "$(shown "$root$1"): $reason: left alone"; fi
  if ((status)); then return; fi
  chip=$resolved
  if [[ -n ${seen[chip:$chip]:-} ]]; then return; fi
  seen[chip:$chip]=1
  resolve "$chip/name" && [[ -f $root$resolved ]] || return 0
  { IFS= read -r name <"$root$resolved"; } 2>/dev/null || true
  if [[ ${name//[[:space:]]/} != ina3221 ]]; then return; fi
  chips=$((chips + 1))
  for channel in 1 2 3; do
    if ! is_rail "$chip" "$channel"; then continue; fi
    for input in "in${channel}_input" "curr${channel}_input"; do open_node "$chip/$input"; done
  done
}

open_nodes() {
  local node entry device
  chips=0
  read_state
  for node in "${emc_nodes[@]}"; do open_node "$node"; done
  if resolve /sys/kernel/actmon_avg_activity/mc_all; then
    note "ready    $(shown "$root/sys/kernel/actmon_avg_activity/mc_all") (L4T 35: open to everybody, takes the place of cactmon/mc_all)"
  fi
  # The class can be missing in a mounted tree; the driver's own directory leads to the chips as well.
  if resolve /sys/class/hwmon; then
    for entry in "$root$resolved"/*; do open_chip "${entry#"$root"}"; done
  fi
  if resolve /sys/bus/i2c/drivers/ina3221; then
    for device in "$root$resolved"/*-*; do
      if resolve "${device#"$root"}/hwmon"; then
        for entry in "$root$resolved"/*; do open_chip "${entry#"$root"}"; done
      fi
    done
  fi
  if ((chips == 0)); then note "absent   INA3221 power monitors: no hwmon device is called ina3221"; fi
  if $debugfs_opened; then
    note "warning  members of $group can now also open other files of debugfs whose own mode lets everybody do so"
  fi
}

# ---- Putting back

revert() {
  local i line old old_gid new new_gid path full mode now kept=()
  read_state
  if ((${#state[@]} == 0)); then return; fi
  for ((i = ${#state[@]} - 1; i >= 0; i--)); do
    line=${state[i]}
    if [[ ! $line =~ $state_line ]]; then
      refuse "a line of $state_path is not this script's: $(shown "$line")"
      continue
    fi
    old=${BASH_REMATCH[1]} old_gid=${BASH_REMATCH[2]} new=${BASH_REMATCH[3]} new_gid=${BASH_REMATCH[4]}
    path=${BASH_REMATCH[5]} full=$root$path
    if ! resolve "$path" || [[ $resolved != "$path" ]]; then
      note "absent   $(shown "$full")"
      continue
    fi
    mode=$(stat -c '%a %g' -- "$full")
    now=${mode#* } mode=${mode% *}
    if [[ $mode == "$old" && $now == "$old_gid" ]]; then continue; fi
    if [[ $now != "$new_gid" ]] || ((8#$mode != 8#$new && 8#$mode != (8#$old & ~8#070))); then
      note "kept     $(shown "$full"): somebody changed it since"
      continue
    fi
    if ! run chmod "$(printf %04o $((8#$old & ~8#070)))" -- "$full" || ! run chgrp -h "$old_gid" -- "$full" ||
      ! { ((!(8#$old & 8#070))) || run chmod "$(printf %04o $((8#$old)))" -- "$full"; }; then
      refuse "$(shown "$full") could not be put back"
      kept=("$line" "${kept[@]}")
      continue
    fi
    changed=$((changed + 1))
    did "restored $(shown "$full") ($old, group $old_gid)"
  done
  place "$state_path"
  if ((${#kept[@]})); then
    printf '%s\n' "${kept[@]}" >"$placed"
  else
    run rm -f -- "$placed"
    if ! $dry_run; then rmdir -- "${placed%/*}" 2>/dev/null || true; fi
  fi
}

# ---- At every boot

need_systemd() {
  if [[ -z $root ]] && ! $dry_run && ! command -v systemctl >/dev/null; then
    fail "systemd is not here: run this script at boot by what starts services on this machine"
  fi
}

# write_file PATH MODE SOURCE CONTENT: the file gets that content at once or not at all. Sets $written.
write_file() {
  place "$1"
  written=false
  if [[ -f $placed && ! -L $placed && $(stat -c %a -- "$placed") == "$2" ]] &&
    cmp -s -- "$placed" <(printf %s "$4"); then
    note "ready    $(shown "$placed")"
    return
  fi
  changed=$((changed + 1))
  written=true
  if $dry_run; then
    run install -D -m "0$2" "$3" "$placed"
    return
  fi
  mkdir -p -- "${placed%/*}"
  rm -f -- "$placed.new"
  (set -o noclobber && printf %s "$4" >"$placed.new")
  chmod "$2" -- "$placed.new"
  mv -fT -- "$placed.new" "$placed"
  did "wrote    $(shown "$placed")"
}

install_unit() {
  local own_directory script=$prefix/sbin/$program template line text='' own
  need_systemd
  own_directory=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
  [[ -f $own_directory/$program ]] || fail "--install needs this script in a file called $program"
  # The installed copy has no template beside it; the unit that it belongs to is one.
  template=$own_directory/$unit
  if [[ ! -f $template ]]; then
    place "$unit_path"
    template=$placed
  fi
  [[ -f $template ]] ||
    fail "$unit is not beside this script: where a package or scripts/install put it, run systemctl enable --now $unit"
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line == ExecStart=* ]]; then line="ExecStart=$script --group $group"; fi
    text+=$line$'\n'
  done <"$template"

  own=$(cat -- "$own_directory/$program")
  write_file "$script" 755 "$own_directory/$program" "$own"$'\n'
  write_file "$unit_path" 644 "$template" "$text"
  if $dry_run && $written; then note "with     ExecStart=$script --group $group"; fi
  if [[ -z $root ]]; then
    if $written; then run systemctl daemon-reload; fi
    if ! systemctl --quiet is-enabled "$unit" 2>/dev/null; then
      run systemctl --quiet enable "$unit" || fail "systemctl could not enable $unit"
      changed=$((changed + 1))
    fi
  else
    place "$wants_path"
    if [[ ! -L $placed ]]; then
      run mkdir -p -- "${placed%/*}"
      run ln -s -- "../$unit" "$placed"
      changed=$((changed + 1))
    fi
  fi
  note "$unit opens the nodes at every boot; after a driver was bound again: systemctl restart $unit"
}

# remove_file PATH: where it is there.
remove_file() {
  place "$1"
  if [[ ! -L $placed && ! -f $placed ]]; then return; fi
  run rm -f -- "$placed"
  changed=$((changed + 1))
  did "removed  $(shown "$placed")"
}

uninstall_unit() {
  local script=$prefix/sbin/$program line before=$changed
  need_systemd
  place "$unit_path"
  if [[ -f $placed ]]; then
    # It knows where --install put the script.
    while IFS= read -r line; do
      if [[ $line =~ ^ExecStart=(/[^ ]*/sbin/$program)( |$) ]]; then script=${BASH_REMATCH[1]}; fi
    done <"$placed"
    if [[ -z $root ]]; then run systemctl --quiet disable "$unit" || refuse "systemctl could not disable $unit"; fi
  fi
  remove_file "$wants_path"
  remove_file "$unit_path"
  if [[ -z $root ]] && ((changed > before)); then run systemctl daemon-reload || true; fi
  remove_file "$script"
}

# ---- The command

choose() {
  if [[ $action != open && $action != "$1" ]]; then wrong_usage "--$action and --$1 exclude each other"; fi
  action=$1
}

parse() {
  local option value given_prefix=false
  while (($#)); do
    option=$1
    shift
    case $option in
      --group=* | --user=* | --prefix=*)
        value=${option#*=}
        option=${option%%=*}
        ;;
      --group | --user | --prefix)
        (($#)) || wrong_usage "$option needs a value"
        value=$1
        shift
        ;;
    esac
    case $option in
      --group | --user)
        [[ $value =~ ^[A-Za-z_][A-Za-z0-9_.-]{0,31}$ ]] || wrong_usage "$option: $(shown "$value") is no name"
        if [[ $option == --group ]]; then group=$value; else users+=("$value"); fi
        ;;
      --prefix)
        # It goes into the unit, where other characters would need quoting.
        [[ $value =~ ^/[A-Za-z0-9/._+-]*$ && $value/ != */../* ]] ||
          wrong_usage "--prefix: $(shown "$value") is no plain absolute path"
        prefix=${value%/}
        given_prefix=true
        ;;
      --install | --uninstall | --revert) choose "${option#--}" ;;
      --dry-run) dry_run=true ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) wrong_usage "there is no option $(shown "$option")" ;;
    esac
  done
  if ((${#users[@]})) && [[ $action == revert || $action == uninstall ]]; then
    wrong_usage "--user and --$action exclude each other"
  fi
  if $given_prefix && [[ $action != install && $action != uninstall ]]; then
    wrong_usage "--prefix belongs to --install and --uninstall"
  fi
}

find_root() {
  local given=${FASTNVMETRICS_ROOT:-}
  if [[ -z $given ]]; then return; fi
  root=$(cd -P -- "$given" 2>/dev/null && pwd -P && printf x) || fail "FASTNVMETRICS_ROOT: $(shown "$given") is no directory"
  root=${root%$'\nx'}
  root=${root%/}
}

main() {
  parse "$@"
  if ! $dry_run && ((EUID != 0)); then
    fail "this changes files that belong to root: run it with sudo, or see what it would do with --dry-run"
  fi
  find_root
  case $action in
    open | install)
      if [[ $action == install ]]; then need_systemd; fi
      check_users
      need_group
      add_users
      open_nodes
      if [[ $action == install ]]; then install_unit; fi
      ;;
    revert) revert ;;
    uninstall)
      uninstall_unit
      revert
      ;;
  esac
  if ((changed == 0 && failures == 0)); then note "nothing to do"; fi
  if ((failures)); then exit 1; fi
}

main "$@"
exit
