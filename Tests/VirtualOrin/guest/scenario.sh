#!/bin/sh
# shellcheck shell=dash disable=SC1091,SC2010,SC2016,SC2046,SC2086,SC2153,SC2154,SC2231,SC3043 # busybox; words are split
# Sets the values of the virtual board's nodes while the recorder records, and writes down what it set; report.py holds
# the traces against that. What no trace shows is checked here.
#
#   scenario.sh SCENARIO...
#
#   board      what a user of the board relies on, in one recording: nodes and detection, a GPU node that comes late,
#              every rail, zone and core and the EMC, failing zones, chips and a core that go and come back; and the same
#              board out of a container
#   and, one by one and further: detection gpu gpu_railgated gpu_gone_and_back gpu_late emc rail zone chips churn rates
#   sensors crash cores burners doctor programs
#
# For each recording there come back /out/NAME.bin, NAME.bin.said (recorder.c) and NAME.bin.set: "PHASE EXPECTATION..."
# a line (report.py); and /out/checks, a line that begins with `ok` or `FAIL` for each.
. /lib/board.sh
. /etc/board # BOARD ZONES TEMPS RAILS HWMON_FIRST RAW_EAGAIN DELAYS

checks=/out/checks debug=/sys/kernel/debug devices=/sys/devices/platform/bus@0 sensors=/sys/bus/i2c/drivers/ina3221

case $BOARD in
  agx_orin)
    first=VDD_GPU_SOC second=VDD_CPU_CV third=VIN_SYS_5V0
    labels="$first:1 $second:1 $third:1 VDDQ_VDD2_1V8AO:0" chips="1-0040 1-0041" disabled="1-0041:1 1-0041:3" ;;
  *)
    first=VDD_IN second=VDD_CPU_GPU_CV third=VDD_SOC
    labels="$first:1 $second:0 $third:0" chips=1-0040 disabled= ;;
esac

first_mv=$(echo "$RAILS" | sed -n 's/^0x40 0 [0-9-]* //p')

say() { echo "$@" | tee -a $checks; }
is() { # NAME FOUND EXPECTED
  if [ "$2" = "$3" ]; then say "ok   $1: $2"; else say "FAIL $1: found '$2', expected '$3'"; fi
}

# ---- Recording: phases go to the recorder as they happen, and what is expected of each beside the trace ----

within= # what comes before the recorder's command
start_recording() { # NAME [OPTION=N...] as in recorder.c
  recording=/out/$1.bin
  shift
  rm -f /tmp/phases && mkfifo /tmp/phases
  $within /app/recorder record $recording "$@" < /tmp/phases > /tmp/recorder 2>&1 &
  recorder=$!
  exec 3> /tmp/phases
  while [ ! -e $recording ] && [ -d /proc/$recorder ]; do sleep 0.05; done
}
# NAME SECONDS EXPECTATION...: as in report.py. It lasts until the recorder has seen enough of it.
phase() {
  local name=$1 seconds=$2
  shift 2
  echo $name >&3
  sleep $seconds
  echo . >&3
  expect $name "$@"
  until grep -q "^$name ended" $recording.said || [ ! -d /proc/$recorder ]; do sleep 0.02; done
}
# gone|back NAME: waits until rails and a core are gone, or everything is there; the phase NAME comes next. The keeper
# looks every 250 ms.
until_is() {
  echo "until $1 $2" >&3
  until grep -q "^$2 $1 " $recording.said || [ ! -d /proc/$recorder ]; do sleep 0.02; done
  expect $2 took:$1=5
}
expect() { echo "$@" >> $recording.set; } # PHASE EXPECTATION...
stop_recording() {
  exec 3>&-
  wait $recorder || say "FAIL the recorder ended with $?"
  cat /tmp/recorder
}
alone() { start_recording $1; "$@"; stop_recording; }
kill_recording() { # and it leaves nothing
  kill -9 $recorder
  exec 3>&-
  wait $recorder 2> /dev/null
}
forget_recording() { rm -f $recording*; }

# ---- What the driver makes of a current and a voltage: whole steps of 40 uV over the shunt, and of 8 mV ----

milliamperes() { local shunt; shunt=$(shunt $1 $2); echo $(($3 * shunt / 40000 * 40000 / shunt)); } # ADDRESS CHANNEL MILLIAMPERES
millivolts() { echo $(($1 / 8 * 8)); }
label_of() { cat $sensors/1-00${1#0x}/hwmon/hwmon*/in$(($2 + 1))_label; } # ADDRESS CHANNEL
is_rail() { # ADDRESS CHANNEL MILLIAMPERES MILLIVOLTS: what to expect of that rail. A negative current is stored as 0.
  local label ma mv note=
  label=$(label_of $1 $2) ma=$(milliamperes $1 $2 $3) mv=$(millivolts $4)
  [ $ma -ge 0 ] || { note="~0~$ma" ma=0; }
  echo "$label.ma=$ma$note $label.mv=$mv $label.mw=$((ma * mv / 1000))~1"
}
are_as_started() { local line; echo "$RAILS" | while read -r line; do is_rail $line; done | tr '\n' ' '; }
are_zones() { # MILLIDEGREES,...: what to expect of all zones, in order
  echo "$ZONES $1" | awk -v raw=$RAW_EAGAIN '{
    names[-11] = raw ? "EAGAIN" : "ENODATA"; names[-61] = "ENODATA"
    count = split($1, zones, ","); split($2, temps, ",")
    for (i = 1; i <= count; i++)
      if (temps[i] < 0) printf "%s=nan~~%s ", zones[i], names[temps[i]]; else printf "%s=%.3f~0.001 ", zones[i], temps[i] / 1000
  }'
}
cores_by_stat() { for core; do printf 'mean:cpu%s=stat~8 ' $core; done; } # CORE...

# ---- board ----

board() {
  nodes
  detection
  # What to expect is worked out before: a command takes a while here.
  local started zones_started zones_changed changed='' gone='' rails='' chip line number=0 burner
  started=$(are_as_started) zones_started=$(are_zones $TEMPS)
  changed=51250,52500,39000,-61,-11,44125,45500,46750,57875,38000,40625
  zones_changed=$(are_zones $changed)
  for line in $labels; do gone="$gone ${line%:*}.mw=nan~~unbound"; done
  while read -r line; do # other values for every rail, among them a negative current
    set -- $line
    number=$((number + 1))
    set -- $1 $2 $(($3 + 200 * number)) $(($4 + 16 * number))
    [ "$1 $2" != "0x40 1" ] || set -- $1 $2 -200 $4
    echo "$@" >> /tmp/rails
    rails="$rails $(is_rail "$@")"
  done <<RAILS
$RAILS
RAILS

  gpu_driver unbind
  start_recording board
  phase gpu_not_yet 0.5 gpu=0 source=none
  ./recorder burn 3 100 20 100 > /dev/null &
  burner=$!
  gpu 300
  emc 812000 3199000000
  gpu_driver bind
  until_is back as_started
  phase as_started 1 $started $zones_started emc=25.3829~0.001 settle=0.3 errors=0 negatives=0 \
    mean:cpu3=100~10 $(cores_by_stat 0 1 2) gpu=300~3 source=counters
  kill $burner

  gpu 725
  emc 1024000 2048000000
  while read -r line; do rail $line; done < /tmp/rails
  temps $changed
  phase changed 1 settle=0.3 gpu=725~3 emc=50 $rails $zones_changed errors=0 negatives=some

  are_rails
  temps $TEMPS
  for chip in $chips; do chip unbind $chip; done
  core 2 0
  until_is gone chips_and_core_gone
  phase chips_and_core_gone 0.5 $gone cpu2=nan~~offline gpu=725~3 $zones_started errors=some

  for chip in $chips; do chip bind $chip; done
  core 2 1
  until_is back chips_and_core_back
  phase chips_and_core_back 1 $started $zones_started gpu=725~3 emc=50 $(cores_by_stat 2) errors=0
  stop_recording
  container "$started $zones_started gpu=725~3 emc=50 errors=0"
}

# A container: another root, with the host's /sys and /proc read-only below /host, and neither /sys nor a device tree of
# its own.
container() { # EXPECTATIONS
  local jail=/tmp/jail place
  for place in app lib out; do
    mkdir -p $jail/$place
    mount -o bind /$place $jail/$place
  done
  mkdir -p $jail/proc
  mount -t proc none $jail/proc
  for place in sys proc; do
    mkdir -p $jail/host/$place
    mount -o rbind /$place $jail/host/$place
    mount -o remount,bind,ro $jail/host/$place
  done
  is "in a container, without a root" "$(chroot $jail /app/recorder board 2>&1 | sed -n 's/.*FNVM_E_[A-Z_]* *//p' | wc -l)" 1
  export FASTNVMETRICS_ROOT=/host
  is "in a container: as outside" "$(chroot $jail /app/recorder board | sed 's| /host/| /|')" "$(FASTNVMETRICS_ROOT='' ./recorder board)"
  within="chroot $jail"
  start_recording container
  within=
  unset FASTNVMETRICS_ROOT
  until_is back in_a_container
  phase in_a_container 0.6 $1
  stop_recording
}

# The nodes behave as a board's do, whatever the engine makes of them.
nodes() {
  local hwmon channel
  is "mc_all: lseek, pread, read, read" "$(./recorder ask $debug/cactmon/mc_all)" "ESPIPE ESPIPE 20400 end "
  is "clk_rate: lseek, pread, read, read" "$(./recorder ask $debug/clk/emc/clk_rate)" "ESPIPE ESPIPE 204000000 end "
  is "bpmp's rate: lseek, pread, read, read" "$(./recorder ask $debug/bpmp/debug/clk/emc/rate)" "0 204000000 204000000 end "
  is "a gated zone" "$(./recorder ask /sys/class/thermal/thermal_zone2/temp | cut -d' ' -f2)" $([ $RAW_EAGAIN = 1 ] && echo EAGAIN || echo ENODATA)
  for channel in $disabled; do
    hwmon=$(echo $sensors/${channel%:*}/hwmon/hwmon*)
    is "disabled channel $channel" "$(./recorder ask $hwmon/in${channel#*:}_input | cut -d' ' -f2) $(ls $hwmon | grep -c in${channel#*:}_label)" "ENODATA 0"
  done
  rail 0x40 1 -200 4992
  is "a negative current" "$(cat $sensors/1-0040/hwmon/hwmon*/curr2_input)" -200
  are_rails
  is "debugfs, its modes" "$(stat -c %a $debug $debug/cactmon $debug/cactmon/mc_all $debug/clk/emc/clk_rate | tr '\n' ' ')" "700 755 444 444 "
}

detection() {
  local found
  found=$(./recorder board)
  echo "$found"
  is "board" "$(echo "$found" | sed -n 's/^name //p')" $BOARD
  is "cores" "$(echo "$found" | sed -n 's/^cores //p')" "$(grep -c ^processor /proc/cpuinfo)"
  is "gpu" "$(echo "$found" | sed -n 's/^gpu //p')" $devices/17000000.gpu/load
  is "mc_all" "$(echo "$found" | sed -n 's/^mc_all //p')" $debug/cactmon/mc_all
  is "emc rate" "$(echo "$found" | sed -n 's/^rate //p')" $debug/bpmp/debug/clk/emc/rate
  is "rails, and whether in the total" "$(echo "$found" | sed -n 's/^rail \([^ ]*\) \([01]\) .*/\1:\2/p' | tr '\n' ' ')" "$labels "
  is "zones" "$(echo "$found" | sed -n 's/^zone \([^ ]*\) .*/\1/p' | tr '\n' ,)" "$ZONES,"
  is "first chip" "$(echo "$found" | sed -n 's/^rail.*\(hwmon[0-9]*\)\/curr1_input/\1/p' | head -n 1)" hwmon$HWMON_FIRST
}

# ---- GPU and EMC ----

counter_hz() { echo "$1" > $nodes/counter_hz; } # 0: the counters stand still

gpu_values() {
  gpu 0; phase gpu_0 1 gpu=0 source=counters errors=0
  gpu 300; phase gpu_300 1 gpu=300~3 source=counters
  gpu 1000; phase gpu_1000 1 gpu=1000 source=counters
  counter_hz 1300000000; gpu 430
  phase gpu_counters_wrap_every_1.7_s 6 settle=0.3 gpu=430~3 source=counters
  counter_hz 204000000; phase gpu_slower_clock 1 settle=0.3 gpu=430~3 source=counters
  counter_hz 0; gpu 250; phase gpu_counters_stand_still 2 settle=0.5 gpu=250~3 source=load
  counter_hz 204000000; gpu 0; phase gpu_at_the_end 1 settle=0.5 gpu=0 errors=0
}
gpu_railgated() {
  gpu 600; phase gpu_before 1 gpu=600~3 source=counters
  railgate 1; phase gpu_railgated 1 settle=0.02 gpu=0 settle=0.2 gpu=0 errors=0
  gpu 700; railgate 0; phase gpu_powered_again 2 settle=0.2 gpu=700~3 source=counters
  gpu 0
}
gpu_gone_and_back() {
  gpu 600; phase gpu_there 1 gpu=600~3 source=counters
  gpu_driver unbind; phase gpu_gone 1.5 gpu=600~3 errors=some
  gpu 200; gpu_driver bind; phase gpu_found_again 3 settle=1 gpu=200~3
  phase gpu_found_for_good 1 gpu=200~3 errors=0 source=counters
  gpu 0
}
gpu_late() { # the driver's node appears after the start
  gpu_driver unbind
  start_recording gpu_late
  phase gpu_not_yet 1 gpu=0 errors=0 source=none
  gpu 300; gpu_driver bind; phase gpu_appeared 3 settle=1.3 gpu=300~3 errors=0 source=counters
  gpu 0
  stop_recording
}

emc_values() {
  emc 812000 3199000000; phase emc_quarter 1 emc=25.3829~0.001 errors=0
  emc_period 500; phase emc_other_period 1 emc=25.3829~0.001; emc_period 1000
  emc 812000 3199000000 1600000000; phase emc_bpmp_wins 1 emc=50.75~0.001
  emc 0 204000000; phase emc_0 1 emc=0
  emc 300000 204000000; phase emc_above_100 1 emc=100 errors=0
  emc 20400 204000000
}

# ---- Rails and zones ----

rail_values() {
  phase rails_as_started 1 $(are_as_started) errors=0 negatives=0
  rail 0x40 0 5171 4999; phase rail_rounded 1 $(is_rail 0x40 0 5171 4999) errors=0
  rail 0x40 1 -200 4992; phase rail_negative 1 $(is_rail 0x40 1 -200 4992) negatives=some errors=0
  are_rails
  phase rails_again 1 $(are_as_started) errors=0
}

zone_values() {
  phase zones_as_started 1 settle=0.2 $(are_zones $TEMPS) errors=0
  temp cv0-thermal 39000; phase zone_powers_up 1.5 settle=0.3 cv0-thermal=39 cv1-thermal=nan back:cv0-thermal=0.3
  temp cv0-thermal -256000; phase zone_at_-256 1 settle=0.3 cv0-thermal=nan errors=0
  temp cv0-thermal -11; temp tj-thermal -5; phase zone_eio 1 settle=0.3 tj-thermal=nan cpu-thermal=$(cpu_degrees) errors=some
  temps $TEMPS; phase zones_again 1 settle=0.3 $(are_zones $TEMPS) errors=0
}
cpu_degrees() { echo "${TEMPS%%,*}" | sed 's/...$/.&/'; }

hwmon_numbers() { for chip in $chips; do echo "$chip:$(ls $sensors/$chip/hwmon)"; done | tr '\n' ' '; }
chips_gone_and_back() {
  local gone='' back chip
  back=$(are_as_started)
  for label in $labels; do gone="$gone ${label%:*}.mw=nan~~unbound"; done
  echo "     $(hwmon_numbers)"
  for chip in $chips; do chip unbind $chip; done
  phase chips_unbound 2 $gone errors=some $first.mv=$first_mv
  # Bound in the other order, two chips change numbers.
  for chip in $(echo $chips | tr ' ' '\n' | tac); do chip bind $chip; done
  phase chips_bound_again 3 back:$first.mw=1 back:$third.mw=1 settle=1 $back
  echo "     $(hwmon_numbers)"
  phase chips_settled 1 $back errors=0
}

chips_churn() {
  local chip back
  back=$(are_as_started)
  start_recording churn
  phase chips_before 1 $back errors=0
  for _ in 1 2 3 4 5 6; do
    for chip in $chips; do chip unbind $chip; done
    sleep 0.1
    for chip in $chips; do chip bind $chip; done
    sleep 0.1
  done
  phase chips_churned 3 back:$first.mw=1.2 back:$third.mw=1.2 settle=1.2 $back
  for chip in $chips; do chip unbind $chip; done
  # It is stopped while they are gone.
  stop_recording
  for chip in $chips; do chip bind $chip; done
}

# ---- How often the kernel was asked: a second witness, which knows nothing of the engine ----

tracing=/sys/kernel/tracing
watch_kernel() {
  [ -d $tracing/events ] || mount -t tracefs none $tracing 2> /dev/null
  echo 'p:orin/load orin_nodes:load_show' > $tracing/kprobe_events &&
    echo 'hist:keys=common_cpu' > $tracing/events/orin/load/trigger &&
    echo 'hist:keys=addr,command' > $tracing/events/smbus/smbus_read/trigger
}
unwatch_kernel() {
  echo '!hist:keys=common_cpu' > $tracing/events/orin/load/trigger
  echo '!hist:keys=addr,command' > $tracing/events/smbus/smbus_read/trigger
  echo > $tracing/kprobe_events
}
asked_load() { sed -n 's/^ *Hits: *//p' $tracing/events/orin/load/hist; }
asked_register() { # REGISTER of the first chip
  sed -n "s/^{ addr: *64, command: *$1 } hitcount: *//p" $tracing/events/smbus/smbus_read/hist | grep . || echo 0
}
asked_so_far() { echo "$(cut -d' ' -f1 /proc/uptime) $(asked_register 1) $(asked_register 2) $(asked_load)"; }
# As phase. Then a line: how often a second the kernel was asked for the first rail's current (register 1),
# its voltage (2) and GPU load.
watched_phase() {
  local before
  before=$(asked_so_far)
  phase "$@"
  asked=$(echo "$before $(asked_so_far)" | awk '{ t = $5 - $1; printf "%.1f %.1f %.2f", ($6 - $2) / t, ($7 - $3) / t, ($8 - $4) / t }')
  echo "     $1: the kernel was asked for $first: current, voltage $(echo $asked | cut -d' ' -f1,2), GPU load ${asked##* } times a second"
}
is_asked() { # NAME FIELD LOW HIGH, of `asked`
  local found
  found=$(echo $asked | cut -d' ' -f$2)
  if echo "$found $3 $4" | awk '{ exit !($1 >= $2 && $1 <= $3) }'; then say "ok   $1: $found"; else say "FAIL $1: found $found, expected $3..$4"; fi
}

rates() {
  watch_kernel || say "FAIL the kernel's trace events are not as expected"
  gpu 430
  start_recording every_tick stats=1
  expect trace has:metadata has:stats
  watched_phase every_tick 4 own:gpu=1 own:emc=1 own:rails=1 own:zones=1 own:cpu=0 own:ram=0 source=counters \
    $(is_rail $(echo "$RAILS" | head -n 1)) figures errors=0
  stop_recording
  start_recording native_rates native=1
  watched_phase native_counters 5 source=counters reads:emc=25..51 reads:rails=50..110 reads:zones=5..11 gpu=430~3 \
    $(are_as_started) figures errors=0
  is_asked "native: current" 1 50 110
  is_asked "native: voltage" 2 5 11
  is_asked "native: load beside counters" 3 0 3
  gpu 0; phase gpu_falls_asleep 2; watched_phase gpu_idles_with_counters 5 gpu=0 source=counters figures errors=0
  is_asked "an idle GPU with counters: load" 3 0 0.7
  # Until then the GPU has idled: it is asked again after 2 s.
  gpu 250; counter_hz 0; phase gpu_loses_counters 2.5
  watched_phase native_load 4 source=load reads:gpu=30..61 gpu=250~3 figures errors=0
  is_asked "native: load" 3 30 61
  gpu 0; phase gpu_falls_asleep_again 2
  watched_phase gpu_idles 6 source=load reads:gpu=0..0.7 gpu=0 figures errors=0
  is_asked "an idle GPU: load" 3 0 0.7
  gpu 300; phase gpu_is_busy_again 5 settle=2.5 gpu=300~3 source=load errors=0
  counter_hz 204000000; gpu 0
  stop_recording
  start_recording every_tick_by_load
  counter_hz 0; gpu 250; phase every_tick_loses_counters 1.5
  watched_phase every_tick_load 3 source=load gpu=250~3 figures errors=0
  counter_hz 204000000; gpu 0
  stop_recording
  unwatch_kernel
}

# ---- Settings of the power sensors ----

setting() { cat $sensors/$1/hwmon/hwmon*/$2; } # CHIP NODE
set_samples() { for chip in $chips; do echo $1 > $(echo $sensors/$chip/hwmon/hwmon*/samples); done; }
register() { i2cget -f -y 1 0x${1#1-00} 0 w; } # all that can be set of a chip, bytes swapped
# The register says more than the nodes, which are rounded.
settings() { for chip in $chips; do printf '%s ' "$chip: $(setting $chip update_interval) ms, $(setting $chip samples) samples, $(register $chip);"; done; }
# With 4 samples 1 ms is less than the shortest conversion, 140 us, takes: two a channel and cycle.
are_set() { # NAME
  local chip channels
  for chip in $chips; do
    channels=$(cat $sensors/$chip/hwmon/hwmon*/in[123]_enable | grep -c 1)
    is "$1: $chip, interval and samples" "$(setting $chip update_interval) $(setting $chip samples)" "$(((channels * 280 + 500) / 1000)) 4"
  done
}
states() { ls /run/fastnvmetrics 2> /dev/null | grep -c sensors-; }

sensors() {
  local before before16
  before=$(settings)
  echo "     before: $before"
  start_recording sensors interval=1 samples=4
  is_soon "while recording"
  phase sensors_set 1.5 $(are_as_started) errors=0
  # A recorder that is running is left alone.
  ./recorder restore
  are_set "after a restore beside it"
  stop_recording
  is "after the stop" "$(settings)" "$before"
  is "state files after the stop" $(states) 0

  start_recording killed interval=1 samples=4; is_soon "before SIGKILL"; kill_recording; forget_recording
  are_set "after SIGKILL"
  start_recording after_killed; phase next 0.3 errors=0; stop_recording
  is "after the next start" "$(settings)" "$before"
  is "state files after the next start" $(states) 0

  start_recording killed interval=1 samples=4; is_soon "before another SIGKILL"; kill_recording; forget_recording
  are_set "after another SIGKILL"
  ./recorder restore
  is "after fnvm_sensors_restore" "$(settings)" "$before"
  is "nothing is left to restore" "$(./recorder restore)" ""

  # To the driver an interval is that of all samples where it is written, and of one where it is read.
  set_samples 16; before16=$(settings)
  start_recording samples_16 interval=1 samples=4
  is_soon "where it was 16 samples"
  phase sensors_set 0.3 errors=0
  stop_recording
  is "16 samples after the stop" "$(settings)" "$before16"
  set_samples 1
  is "1 sample again" "$(settings)" "$before"

  start_recording sensors_bound_again interval=1 samples=4
  is_soon "before they are bound again"
  for chip in $chips; do chip unbind $chip; done
  for chip in $chips; do chip bind $chip; done
  phase sensors_bound_again 2.5 back:$first.mw=1.2 settle=1.2 $(are_as_started)
  stop_recording
  is "bound again, after the stop" "$(settings)" "$before"
  is "state files at the end" $(states) 0
}
is_soon() { sleep 0.7; are_set "$1"; } # a trace has its name before the chips are set

crash() {
  gpu 430
  start_recording recovered
  sleep 3
  ./recorder crash $recording $recorder | tee -a $checks
  exec 3>&-
  wait $recorder 2> /dev/null
  rm -f $recording.said
  is "what lies there now" "$(echo ${recording%.bin}.*)" $recording
  gpu 0
  start_recording recorded_again; phase recorded_again 1 gpu=0 errors=0; stop_recording
}

# ---- Cores ----

cores_off_and_on() {
  ./recorder burn 3 50 20 14 > /dev/null &
  sleep 0.3
  phase cores_all 3 $(cores_by_stat 1 2 3)
  core 2 0; phase core_2_offline 4 settle=0.3 cpu2=nan~~offline cpu1=50~50 cpu3=50~50 $(cores_by_stat 1 3) errors=0
  core 2 1; phase core_2_online 4 back:cpu2=1 settle=1 cpu2=50~50 cpu3=50~50 $(cores_by_stat 3) errors=0
  phase core_2_settled 2.5 $(cores_by_stat 2)
}

burn_one() { # PERCENT PERIOD_MS
  local burner
  ./recorder burn 2 $1 $2 6 > /tmp/burner & burner=$!
  sleep 0.4
  phase duty_$1_of_$2_ms 5 mean:cpu2=stat~2 mean:cpu3=stat~2 gpu=430~5
  wait $burner
  # A second witness: the burner's own CPU time. It also ran before and after the phase, and not alone.
  expect duty_$1_of_$2_ms mean:cpu2=$(cat /tmp/burner)~8
}
burners() {
  # Everything but the burner on the first two cores.
  taskset -p 3 $$ > /dev/null
  for task in /proc/$recorder/task/*; do taskset -p 3 ${task##*/} > /dev/null; done
  gpu 430
  burn_one 0 20; burn_one 50 10; burn_one 50 20; burn_one 50 100; burn_one 100 20; burn_one 10 10; burn_one 90 100
  gpu 0
  taskset -p f $$ > /dev/null
}

# ---- The doctor, and the script that opens nodes to a group ----

reported() { echo "$2" | sed -n "s/^$1 \([^ ]*\) .*/\1/p"; } # NODE REPORT: its state
emc_states() { echo "$(reported mc_all "$1") $(reported rate "$1")"; }
as_jetson() { su jetson -c "LD_LIBRARY_PATH=/app /app/recorder $*"; }
doctor() {
  local found
  found=$(./recorder doctor)
  echo "$found"
  is "doctor as root: EMC" "$(emc_states "$found")" "good good"
  is "doctor as root: load, counters" "$(reported load "$found") $(reported counters "$found")" "good good"
  is "doctor as root: $first" "$(reported $first "$found")" good
  is "doctor as root: gated zone" "$(reported cv0-thermal "$found")" powered-down
  is "doctor as root: cpuidle" "$(reported cpuidle "$found")" absent
  is "doctor as root: all rails" "$(echo "$found" | grep -c ' mW,')" $(echo $labels | wc -w)
  found=$(as_jetson doctor)
  echo "$found" | grep -v -e ' good '
  is "doctor as jetson: EMC" "$(emc_states "$found")" "forbidden forbidden"
  is "doctor as jetson: load, $first" "$(reported load "$found") $(reported $first "$found")" "good good"
  setup
}

# busybox has no getent: it is three lines. bash is brought along.
setup() {
  local found
  printf '#!/bin/sh\n[ -z "$2" ] && exec cat /etc/$1\nexec grep "^$2:" /etc/$1\n' > /bin/getent
  chmod 755 /bin/getent
  bash ./setup_fastnvmetrics.sh --group profilers > /tmp/setup 2>&1
  is "setup: exit status" $? 0
  sed 's/^/     /' /tmp/setup
  found=$(as_jetson doctor)
  is "doctor as jetson after setup: EMC" "$(emc_states "$found")" "good good"
  is "setup again" "$(bash ./setup_fastnvmetrics.sh --group profilers | tail -n 1)" "nothing to do"
  is "nobody else" "$(su other -c "cat $debug/cactmon/mc_all" 2>&1 | sed 's/.*: //')" "Permission denied"
  jetson_records
  bash ./setup_fastnvmetrics.sh --revert > /tmp/setup 2>&1
  is "setup --revert: exit status" $? 0
  found=$(as_jetson doctor)
  is "doctor as jetson after revert: EMC" "$(emc_states "$found")" "forbidden forbidden"
  is "debugfs modes after revert" "$(stat -c %a:%g $debug $debug/cactmon $debug/cactmon/mc_all | tr '\n' ' ')" "700:0 755:0 444:0 "
}
jetson_records() {
  emc 812000 3199000000
  recording=/out/jetson.bin
  (sleep 1; echo jetson_emc; sleep 1; echo .) | as_jetson record $recording
  expect jetson_emc emc=25.3829~0.001 $first.mv=$first_mv errors=0
  emc 20400 204000000
}

# ---- The C and C++ tests, which look at no node, on this kernel ----

programs() {
  local program status
  for program in programs/*_test programs/*_program; do
    CHECK_PATIENCE=600 timeout 600 $program > /tmp/program 2>&1
    status=$?
    [ $status = 0 ] || sed 's/^/     /' /tmp/program
    is "${program##*/}: $(tail -n 1 /tmp/program): status" $status 0
  done
}

# ---- All of them ----

run_scenario() {
  echo "==== $1"
  case $1 in
    board | detection | doctor | programs | gpu_late | rates | sensors | crash) $1 ;;
    gpu | emc | rail | zone) start_recording $1; $1_values; stop_recording ;;
    gpu_railgated | gpu_gone_and_back | burners) alone $1 ;;
    chips) start_recording $1; chips_gone_and_back; stop_recording ;;
    churn) chips_churn ;;
    cores) start_recording $1; cores_off_and_on; stop_recording ;;
    *) say "FAIL there is no scenario $1" ;;
  esac
}

: > $checks
for scenario; do run_scenario $scenario; done
! grep -q '^FAIL' $checks
