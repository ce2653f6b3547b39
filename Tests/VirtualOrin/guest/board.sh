# shellcheck shell=dash disable=SC2034,SC2046,SC2086,SC3043 # busybox; words are split
# What sets the values of the virtual board's nodes. Sourced by scenario.sh, and by a shell on the board.
nodes=/sys/module/orin_nodes/parameters zones=/sys/module/orin_zones/parameters
bus=/proc/device-tree/bus@0/i2c@c240000

gpu() { echo "$1" > $nodes/gpu_load; }                          # LOAD: 0 to 1000
railgate() { echo "$1" > $nodes/gpu_railgated; }                # 1: the GPU is powered off
gpu_driver() { echo 17000000.gpu > /sys/bus/platform/drivers/orin_nodes/$1; } # unbind|bind: its nodes go and come
emc() {                                                         # ACTIVE_KHZ RATE_HZ [RATE_HZ of the BPMP's file]
  echo "$1" > $nodes/mc_all
  echo "$2" > $nodes/emc_rate_hz
  echo "${3:-0}" > $nodes/bpmp_rate_hz
}
emc_period() { echo "$1" > $nodes/sample_period_usec; }
temps() { echo "$1" > $zones/temps; }                           # MILLIDEGREES,... of all zones in order; -N: errno N
temp() {                                                        # ZONE MILLIDEGREES
  local number=0 zone all=
  for zone in $(tr , ' ' < $zones/zones); do
    number=$((number + 1))
    if [ $zone = $1 ]; then all=$all,$2; else all=$all,$(cut -d, -f$number $zones/temps); fi
  done
  temps "${all#,}"
}
delays() {                                                      # microseconds that a read takes: GPU I2C ZONE
  echo "$1" > $nodes/gpu_delay_us
  echo "$2" > /sys/module/i2c_stub_orin/parameters/delay_us
  echo "$3" > $zones/delay_us
}
core() { echo "$2" > /sys/devices/system/cpu/cpu$1/online; }    # CORE 0|1
chip() { echo "$2" > /sys/bus/i2c/drivers/ina3221/$1; }         # unbind|bind 1-0040

# The chip's registers have their bytes in another order than SMBus words; their three low bits are not used. A step of
# the current is 40 uV over the shunt, one of the voltage 8 mV.
write_register() {                                              # ADDRESS REGISTER VALUE
  local value=$(($3 & 0xffff))
  i2cset -f -y 1 $1 $2 $(printf '0x%02x%02x' $((value & 255)) $((value >> 8))) w
}
shunt() {                                                       # ADDRESS CHANNEL: micro-ohms
  echo $((0x$(hexdump -ve '1/1 "%02x"' $bus/power-sensor@$(printf %x $1)/channel@$2/shunt-resistor-micro-ohms)))
}
rail() {                                                        # ADDRESS CHANNEL MILLIAMPERES MILLIVOLTS
  write_register $1 $((1 + 2 * $2)) $((($3 * $(shunt $1 $2) / 40000) << 3))
  write_register $1 $((2 + 2 * $2)) $((($4 / 8) << 3))
}
are_rails() { local line; echo "$RAILS" | while read -r line; do rail $line; done; } # all as the board starts with them
