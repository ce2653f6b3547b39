#!/bin/sh
# The `run` of an app directory for virtual-orin: holds the engine against a board whose every value is known.
# Beside it: scenario (scenario.c), libfastnvmetrics.so.0, setup_fastnvmetrics.sh and bash-static. run-scenario makes it.
#
#   run [SCENARIO...]   detection gpu gpu_railgated gpu_gone_and_back gpu_late emc rail zone chips cores
#                       burners doctor   (all of them)
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

start_recording() {
	rm -f /tmp/phases && mkfifo /tmp/phases
	./scenario record $trace < /tmp/phases >> $results.record 2>&1 &
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
	detection | doctor | gpu_late) $1 ;;
	gpu | emc | rail | zone) alone $1_values ;;
	gpu_railgated | gpu_gone_and_back) alone $1 ;;
	chips) alone chips_gone_and_back ;;
	cores) alone cores_off_and_on ;;
	burners) alone burners; burners_agree ;;
	*) say "FAIL there is no scenario $1" ;;
	esac
}

: > $results
echo "$BOARD, $(nproc) CPUs, hwmon$HWMON_FIRST, delays $DELAYS, EAGAIN $RAW_EAGAIN"
[ $# -gt 0 ] || set -- detection gpu gpu_railgated gpu_gone_and_back gpu_late emc rail zone chips cores burners doctor
for scenario; do run_scenario $scenario; done
rm -f $trace
failures=$(grep -c '^FAIL' $results)
echo "$BOARD: $(grep -c '^ok' $results) passed, $failures failed"
[ $failures = 0 ]
