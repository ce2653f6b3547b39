#!/bin/sh
# The `run` of an app directory for virtual-orin: holds the engine against a board whose every value is known.
# Beside it: scenario (scenario.c), libfastnvmetrics.so.0, setup_fastnvmetrics.sh and bash-static. run-scenario makes it.
#
#   run [SCENARIO...]   detection gpu gpu_railgated gpu_gone_and_back gpu_late emc rail zone chips churn rates
#                       sensors crash cores burners doctor   (all of them)
. /lib/orin.sh
. /etc/vorin.conf # BOARD HWMON_FIRST RAW_EAGAIN DELAYS
. /etc/board.conf # ZONES TEMPS RAILS

results=/tmp/results trace=/out/trace.bin debug=/sys/kernel/debug
devices=/sys/devices/platform/bus@0 parameters=/sys/module/vorin_tegra/parameters

case $BOARD in
agx_orin)
	first=VDD_GPU_SOC second=VDD_CPU_CV third=VIN_SYS_5V0
	labels="$first:1 $second:1 $third:1 VDDQ_VDD2_1V8AO:0" chips="1-0040 1-0041" ;;
*)
	first=VDD_IN second=VDD_CPU_GPU_CV third=VDD_SOC
	labels="$first:1 $second:0 $third:0" chips=1-0040 ;;
esac

first_mv=$(echo "$RAILS" | sed -n 's/^0x40 0 [0-9]* //p')

say() { echo "$@" | tee -a $results; }
is() { # NAME FOUND EXPECTED
	if [ "$2" = "$3" ]; then say "ok   $1: $2"; else say "FAIL $1: found '$2', expected '$3'"; fi
}

# ---- Recording: phases go to the recorder as they happen, and are held against the trace at its end ----

start_recording() { # [OPTION=N...] as in scenario.c
	rm -f /tmp/phases && mkfifo /tmp/phases
	./scenario record $trace "$@" < /tmp/phases >> $results.record 2>&1 &
	recorder=$!
	exec 3> /tmp/phases
	sleep 1
}
# NAME SECONDS EXPECTATION...: as in scenario.c. What comes between two phases belongs to neither.
phase() { echo "$@" >&3; sleep "$2"; echo "- 0" >&3; sleep 0.02; }
stop_recording() {
	exec 3>&-
	wait $recorder || [ $? = 1 ] || say "FAIL the recorder ended with $?"
	cat $results.record | tee -a $results; rm -f $results.record
}
alone() { start_recording; "$@"; stop_recording; }
kill_recording() { # it says nothing more
	kill -9 $recorder
	exec 3>&-
	wait $recorder 2> /dev/null
	rm -f $results.record
}

# ---- What the driver makes of a current and a voltage: whole steps of 40 uV over the shunt, and of 8 mV ----

milliamperes() { local shunt; shunt=$(_shunt $1 $2); echo $(($3 * shunt / 40000 * 40000 / shunt)); } # ADDR CH mA
millivolts() { echo $(($1 / 8 * 8)); }
label_of() { cat /sys/bus/i2c/drivers/ina3221/1-00${1#0x}/hwmon/hwmon*/in$(($2 + 1))_label; } # ADDR CH
is_rail() { # ADDR CH mA mV: what to expect of that rail
	local label ma mv; label=$(label_of $1 $2) ma=$(milliamperes $1 $2 $3) mv=$(millivolts $4)
	echo "$label.ma=$ma $label.mv=$mv $label.mw=$((ma * mv / 1000))~1"
}
are_rails() { echo "$RAILS" | while read -r rail; do is_rail $rail; done | tr '\n' ' '; }
are_zones() { # all zones as the board starts with them
	local i=0 zone temp
	for zone in $(echo $ZONES | tr , ' '); do
		i=$((i + 1)) temp=$(echo $TEMPS | cut -d, -f$i)
		[ $temp -lt 0 ] && printf '%s=nan ' $zone || printf '%s=%s~0.001 ' $zone $(echo "$temp" | sed 's/...$/.&/')
	done
}

# ---- Scenarios ----

detection() {
	local found; found=$(./scenario board); echo "$found"
	is "board" "$(echo "$found" | sed -n 's/^name //p')" $BOARD
	is "cores" "$(echo "$found" | sed -n 's/^cores //p')" "$(nproc)"
	is "gpu" "$(echo "$found" | sed -n 's/^gpu //p')" $devices/17000000.gpu/load
	is "mc_all" "$(echo "$found" | sed -n 's/^mc_all //p')" $debug/cactmon/mc_all
	is "emc rate" "$(echo "$found" | sed -n 's/^rate //p')" $debug/bpmp/debug/clk/emc/rate
	is "rails, and whether in the total" "$(echo "$found" | sed -n 's/^rail \([^ ]*\) \([01]\) .*/\1:\2/p' | tr '\n' ' ')" "$labels "
	is "zones" "$(echo "$found" | sed -n 's/^zone \([^ ]*\) .*/\1/p' | tr '\n' ,)" "$ZONES,"
	is "first chip" "$(echo "$found" | sed -n 's/^rail.*\(hwmon[0-9]*\)\/curr1_input/\1/p' | head -n 1)" hwmon$HWMON_FIRST
}

gpu_values() {
	gpu 0; phase gpu_0 1 gpu=0 source=counters errors=0
	gpu 300; phase gpu_300 1 gpu=300~3 source=counters
	gpu 1000; phase gpu_1000 1 gpu=1000 source=counters
	echo 1300000000 > $parameters/counter_hz; gpu 430
	phase gpu_counters_wrap_every_1.7_s 6 settle=0.3 gpu=430~3 source=counters
	echo 204000000 > $parameters/counter_hz; phase gpu_slower_clock 1 settle=0.3 gpu=430~3 source=counters
	echo 0 > $parameters/counter_hz; gpu 250; phase gpu_counters_stand_still 2 settle=0.5 gpu=250~3 source=load
	echo 204000000 > $parameters/counter_hz; gpu 0; phase gpu_at_the_end 1 settle=0.5 gpu=0 errors=0
}
gpu_railgated() {
	gpu 600; phase gpu_before 1 gpu=600~3 source=counters
	railgate yes; phase gpu_railgated 1 settle=0.02 gpu=0 settle=0.2 gpu=0 errors=0
	gpu 700; railgate no; phase gpu_powered_again 2 settle=0.2 gpu=700~3 source=counters
	gpu 0
}
gpu_driver() { echo 17000000.gpu > /sys/bus/platform/drivers/vorin_tegra/$1; } # unbind|bind
gpu_gone_and_back() {
	gpu 600; phase gpu_there 1 gpu=600~3 source=counters
	gpu_driver unbind; phase gpu_gone 1.5 gpu=600~3 errors=some
	gpu 200; gpu_driver bind; phase gpu_found_again 3 settle=1 gpu=200~3
	phase gpu_found_for_good 1 gpu=200~3 errors=0 source=counters
	gpu 0
}
gpu_late() { # the driver's node appears after the start
	gpu_driver unbind
	start_recording
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

rail_values() {
	phase rails_as_started 1 $(are_rails) errors=0 negatives=0
	rail 0x40 0 5171 4999; phase rail_rounded 1 $(is_rail 0x40 0 5171 4999) errors=0
	rail 0x40 1 -200 4992; phase rail_negative 1 $second.ma=0 $second.mv=4992 $second.mw=0 negatives=some errors=0
	echo "$RAILS" | while read -r rail; do rail $rail; done
	phase rails_again 1 $(are_rails) errors=0
}

zone_values() {
	phase zones_as_started 1 settle=0.2 $(are_zones) errors=0
	temp cv0-thermal 39000; phase zone_powers_up 1.5 settle=0.3 cv0-thermal=39 cv1-thermal=nan back:cv0-thermal=0.3
	temp cv0-thermal -256000; phase zone_at_-256 1 settle=0.3 cv0-thermal=nan errors=0
	temp cv0-thermal -11; temp tj-thermal -5; phase zone_eio 1 settle=0.3 tj-thermal=nan cpu-thermal=$(cpu_degrees) errors=some
	temps $TEMPS; phase zones_again 1 settle=0.3 $(are_zones) errors=0
}
cpu_degrees() { echo "${TEMPS%%,*}" | sed 's/...$/.&/'; }

hwmon_numbers() { for chip in $chips; do echo "$chip:$(ls /sys/bus/i2c/drivers/ina3221/$chip/hwmon)"; done | tr '\n' ' '; }
chips_gone_and_back() {
	local gone= back chip; back=$(are_rails)
	for label in $labels; do gone="$gone ${label%:*}.mw=nan"; done
	echo "     $(hwmon_numbers)"
	for chip in $chips; do unbind_ina 0x${chip#1-00}; done
	phase chips_unbound 2 $gone errors=some $first.mv=$first_mv
	# Bound in the other order, two chips change numbers.
	for chip in $(echo $chips | tr ' ' '\n' | tac); do bind_ina 0x${chip#1-00}; done
	phase chips_bound_again 3 back:$first.mw=1 back:$third.mw=1 settle=1 $back
	echo "     $(hwmon_numbers)"
	phase chips_settled 1 $back errors=0
}

chips_churn() {
	local i chip back; back=$(are_rails)
	start_recording
	phase chips_before 1 $back errors=0
	for i in 1 2 3 4 5 6; do
		for chip in $chips; do unbind_ina 0x${chip#1-00}; done
		sleep 0.1
		for chip in $chips; do bind_ina 0x${chip#1-00}; done
		sleep 0.1
	done
	phase chips_churned 3 back:$first.mw=1.2 back:$third.mw=1.2 settle=1.2 $back
	for chip in $chips; do unbind_ina 0x${chip#1-00}; done
	# It is stopped while they are gone.
	stop_recording
	for chip in $chips; do bind_ina 0x${chip#1-00}; done
}

# ---- How often the kernel was asked: a second witness, which knows nothing of the engine ----

tracing=/sys/kernel/tracing
watch_kernel() {
	[ -d $tracing/events ] || mount -t tracefs none $tracing 2> /dev/null
	echo 'p:vorin/load vorin_tegra:load_show' > $tracing/kprobe_events &&
		echo 'hist:keys=common_cpu' > $tracing/events/vorin/load/trigger &&
		echo 'hist:keys=addr,command' > $tracing/events/smbus/smbus_read/trigger
}
unwatch_kernel() {
	echo '!hist:keys=common_cpu' > $tracing/events/vorin/load/trigger
	echo '!hist:keys=addr,command' > $tracing/events/smbus/smbus_read/trigger
	echo > $tracing/kprobe_events
}
asked_load() { sed -n 's/^ *Hits: *//p' $tracing/events/vorin/load/hist; }
asked_register() { # REGISTER of the first chip
	sed -n "s/^{ addr: *64, command: *$1 } hitcount: *//p" $tracing/events/smbus/smbus_read/hist | grep . || echo 0
}
now() { cut -d' ' -f1 /proc/uptime; }
# As phase. Then a line: how often a second the kernel was asked for the first rail's current (register 1),
# its voltage (2) and GPU load.
watched_phase() {
	local before after; before="$(now) $(asked_register 1) $(asked_register 2) $(asked_load)"
	phase "$@"
	after="$(now) $(asked_register 1) $(asked_register 2) $(asked_load)"
	asked=$(echo "$before $after" | awk '{ t = $5 - $1; printf "%.1f %.1f %.2f", ($6 - $2) / t, ($7 - $3) / t, ($8 - $4) / t }')
	echo "     $1: the kernel was asked for $first: current, voltage $(echo $asked | cut -d' ' -f1,2), GPU load ${asked##* } times a second"
}
is_asked() { # NAME FIELD LOW HIGH, of `asked`
	local found; found=$(echo $asked | cut -d' ' -f$2)
	if echo "$found $3 $4" | awk '{ exit !($1 >= $2 && $1 <= $3) }'; then say "ok   $1: $found"; else say "FAIL $1: found $found, expected $3..$4"; fi
}

rates() {
	watch_kernel || say "FAIL the kernel's trace events are not as expected"
	gpu 430
	start_recording stats=1
	watched_phase every_tick 4 own:gpu=1 own:emc=1 own:rails=1 own:zones=1 own:cpu=0 own:ram=0 source=counters \
		$(is_rail 0x40 0 $(first_of_rails)) figures errors=0
	stop_recording
	start_recording native=1 stats=1
	watched_phase native_counters 5 source=counters reads:emc=25..51 reads:rails=50..110 reads:zones=5..11 gpu=430~3 \
		$(are_rails) figures errors=0
	is_asked "native: current" 1 50 110
	is_asked "native: voltage" 2 5 11
	is_asked "native: load beside counters" 3 0 3
	gpu 0; phase gpu_falls_asleep 2; watched_phase gpu_idles_with_counters 5 gpu=0 source=counters figures errors=0
	is_asked "an idle GPU with counters: load" 3 0 0.7
	# Until then the GPU has idled: it is asked again after 2 s.
	gpu 250; echo 0 > $parameters/counter_hz; phase gpu_loses_counters 2.5
	watched_phase native_load 4 source=load reads:gpu=30..61 gpu=250~3 figures errors=0
	is_asked "native: load" 3 30 61
	gpu 0; phase gpu_falls_asleep_again 2
	watched_phase gpu_idles 6 source=load reads:gpu=0..0.7 gpu=0 figures errors=0
	is_asked "an idle GPU: load" 3 0 0.7
	gpu 300; phase gpu_is_busy_again 5 settle=2.5 gpu=300~3 source=load errors=0
	echo 204000000 > $parameters/counter_hz; gpu 0
	stop_recording
	start_recording
	echo 0 > $parameters/counter_hz; gpu 250; phase every_tick_loses_counters 1.5
	watched_phase every_tick_load 3 source=load gpu=250~3 figures errors=0
	echo 204000000 > $parameters/counter_hz; gpu 0
	stop_recording
	unwatch_kernel
}
first_of_rails() { echo "$RAILS" | sed -n 's/^0x40 0 //p'; }

# ---- Settings of the power sensors ----

setting() { cat /sys/bus/i2c/drivers/ina3221/$1/hwmon/hwmon*/$2; } # CHIP NODE
set_samples() { for chip in $chips; do echo $1 > $(echo /sys/bus/i2c/drivers/ina3221/$chip/hwmon/hwmon*/samples); done; }
register() { i2cget -f -y 1 0x${1#1-00} 0 w; } # all that can be set of a chip, bytes swapped
# The register says more than the nodes, which are rounded.
settings() { for chip in $chips; do printf '%s ' "$chip: $(setting $chip update_interval) ms, $(setting $chip samples) samples, $(register $chip);"; done; }
# With 4 samples 1 ms is less than the shortest conversion, 140 us, takes: two a channel and cycle.
are_set() { # NAME
	local chip channels
	for chip in $chips; do
		channels=$(cat /sys/bus/i2c/drivers/ina3221/$chip/hwmon/hwmon*/in[123]_enable | grep -c 1)
		is "$1: $chip, interval and samples" "$(setting $chip update_interval) $(setting $chip samples)" "$(((channels * 280 + 500) / 1000)) 4"
	done
}
states() { ls /run/fastnvmetrics 2> /dev/null | grep -c sensors-; }

sensors() {
	local before; before=$(settings)
	echo "     before: $before"
	start_recording interval=1 samples=4
	echo "     while recording: $(settings)"
	are_set "while recording"
	phase sensors_set 1.5 $(are_rails) errors=0
	# A recorder that is running is left alone.
	./scenario restore
	are_set "after a restore beside it"
	stop_recording
	is "after the stop" "$(settings)" "$before"
	is "state files after the stop" $(states) 0

	start_recording interval=1 samples=4; kill_recording
	are_set "after SIGKILL"
	start_recording; stop_recording
	is "after the next start" "$(settings)" "$before"
	is "state files after the next start" $(states) 0

	start_recording interval=1 samples=4; kill_recording
	are_set "after another SIGKILL"
	./scenario restore
	is "after fnvm_sensors_restore" "$(settings)" "$before"
	is "nothing is left to restore" "$(./scenario restore)" ""

	# To the driver an interval is that of all samples where it is written, and of one where it is read.
	set_samples 16; before16=$(settings)
	start_recording interval=1 samples=4
	are_set "where it was 16 samples"
	stop_recording
	is "16 samples after the stop" "$(settings)" "$before16"
	set_samples 1
	is "1 sample again" "$(settings)" "$before"

	start_recording interval=1 samples=4
	for chip in $chips; do unbind_ina 0x${chip#1-00}; done
	for chip in $chips; do bind_ina 0x${chip#1-00}; done
	phase sensors_bound_again 2.5 back:$first.mw=1.2 settle=1.2 $(are_rails)
	stop_recording
	is "bound again, after the stop" "$(settings)" "$before"
	is "state files at the end" $(states) 0
	rm -f $trace*
}

crash() {
	rm -f $trace*
	gpu 430
	start_recording
	sleep 3
	./scenario crash $trace $recorder | tee -a $results
	exec 3>&-
	wait $recorder 2> /dev/null
	rm -f $results.record
	is "what lies there now" "$(ls ${trace%/*})" ${trace##*/}
	gpu 0
	alone phase recorded_again 1 gpu=0 errors=0
}

cores_off_and_on() {
	./scenario burn 3 50 20 14 &
	sleep 0.3
	phase cores_all 3 mean:cpu1=stat~2 mean:cpu2=stat~2 mean:cpu3=stat~2
	cpu_offline 2; phase core_2_offline 4 settle=0.3 cpu2=nan cpu1=50~50 mean:cpu1=stat~2 cpu3=50~50 mean:cpu3=stat~2 errors=0
	cpu_online 2; phase core_2_online 4 back:cpu2=1 settle=1 cpu2=50~50 cpu3=50~50 mean:cpu3=stat~2 errors=0
	phase core_2_settled 2.5 mean:cpu2=stat~2
	wait %2 2> /dev/null; true
}

burn_one() { # PERCENT PERIOD_MS
	./scenario burn 2 $1 $2 6 > /tmp/burner & local burner=$!
	sleep 0.4
	phase duty_$1_of_$2_ms 5 mean:cpu2=stat~1 mean:cpu3=stat~1 gpu=430~5
	wait $burner; cat /tmp/burner
	echo "duty_$1_of_$2_ms $(sed 's/.*time was \([0-9.]*\) .*/\1/' /tmp/burner)" >> /tmp/burners
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

# The burner's own CPU time is a second witness. It also ran before and after the phase, and not alone.
burners_agree() {
	local name own mean
	while read -r name own; do
		mean=$(sed -n "s/.* $name: mean:cpu2=stat~1: mean \([0-9.]*\),.*/\1/p" $results)
		is "$name: $mean % is near the burner's own $own %" \
			$(echo "$mean $own" | awk '{ print ($1 - $2 < 5 && $2 - $1 < 3) ? "yes" : "no" }') yes
	done < /tmp/burners
}

reported() { echo "$2" | sed -n "s/^$1 \([^ ]*\) .*/\1/p"; } # NODE REPORT: its state
emc_states() { echo "$(reported mc_all "$1") $(reported rate "$1")"; }
doctor() {
	local found; found=$(./scenario doctor); echo "$found"
	is "doctor as root: EMC" "$(emc_states "$found")" "good good"
	is "doctor as root: load, counters" "$(reported load "$found") $(reported counters "$found")" "good good"
	is "doctor as root: $first" "$(reported $first "$found")" good
	is "doctor as root: gated zone" "$(reported cv0-thermal "$found")" powered-down
	is "doctor as root: cpuidle" "$(reported cpuidle "$found")" absent
	is "doctor as root: all rails" "$(echo "$found" | grep -c ' mW,')" $(echo $labels | wc -w)
	found=$(as_jetson); echo "$found" | grep -v -e ' good '
	is "doctor as jetson: EMC" "$(emc_states "$found")" "forbidden forbidden"
	is "doctor as jetson: load, $first" "$(reported load "$found") $(reported $first "$found")" "good good"
	setup
}
as_jetson() { su jetson -c 'LD_LIBRARY_PATH=/app /app/scenario doctor'; }

# busybox has neither bash, getent nor groupadd: bash is brought along, getent is three lines.
setup() {
	local found tool missing=
	for tool in bash getent groupadd usermod stat chgrp readlink systemctl; do command -v $tool > /dev/null || missing="$missing $tool"; done
	echo "     not here:$missing"
	cp bash-static /bin/bash
	printf '#!/bin/sh\n[ -z "$2" ] && exec cat /etc/$1\nexec grep "^$2:" /etc/$1\n' > /bin/getent; chmod 755 /bin/getent
	echo 'profilers:x:990:jetson' >> /etc/group
	echo 'other:x:1001:1001::/tmp:/bin/sh' >> /etc/passwd
	bash ./setup_fastnvmetrics.sh --group profilers > /tmp/setup 2>&1; is "setup: exit status" $? 0
	sed 's/^/     /' /tmp/setup
	found=$(as_jetson); is "doctor as jetson after setup: EMC" "$(emc_states "$found")" "good good"
	is "setup again" "$(bash ./setup_fastnvmetrics.sh --group profilers | tail -n 1)" "nothing to do"
	is "nobody else" "$(su other -c "cat $debug/cactmon/mc_all" 2>&1 | sed 's/.*: //')" "Permission denied"
	jetson_records
	bash ./setup_fastnvmetrics.sh --revert > /tmp/setup 2>&1; is "setup --revert: exit status" $? 0
	found=$(as_jetson); is "doctor as jetson after revert: EMC" "$(emc_states "$found")" "forbidden forbidden"
	is "debugfs modes after revert" "$(stat -c %a:%g $debug $debug/cactmon $debug/cactmon/mc_all | tr '\n' ' ')" "700:0 755:0 444:0 "
}
jetson_records() {
	emc 812000 3199000000
	(sleep 1; echo "jetson_emc 1 emc=25.3829~0.001 $first.mv=$first_mv errors=0"; sleep 1) |
		su jetson -c 'LD_LIBRARY_PATH=/app /app/scenario record /tmp/jetson.bin' | tee -a $results
	emc 20400 204000000
}

# ---- All of them ----

run_scenario() {
	echo "==== $1"
	case $1 in
	detection | doctor | gpu_late | rates | sensors | crash) $1 ;;
	gpu | emc | rail | zone) alone $1_values ;;
	gpu_railgated | gpu_gone_and_back) alone $1 ;;
	chips) alone chips_gone_and_back ;;
	churn) chips_churn ;;
	cores) alone cores_off_and_on ;;
	burners) alone burners; burners_agree ;;
	*) say "FAIL there is no scenario $1" ;;
	esac
}

: > $results
echo "$BOARD, $(nproc) CPUs, hwmon$HWMON_FIRST, delays $DELAYS, EAGAIN $RAW_EAGAIN"
[ $# -gt 0 ] || set -- detection gpu gpu_railgated gpu_gone_and_back gpu_late emc rail zone chips churn rates sensors crash cores burners doctor
for scenario; do run_scenario $scenario; done
rm -f $trace*
failures=$(grep -c '^FAIL' $results)
echo "$BOARD: $(grep -c '^ok' $results) passed, $failures failed"
[ $failures = 0 ]
