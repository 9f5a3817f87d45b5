#!/bin/sh
# Follows the load of the GPU: under load the largest mode at once, after a while without load one mode down.
# Made by akidb-edge from its plan; changes in here are undone by the next provision.
modes={{ modes }}
busy={{ busy }}
idle_seconds={{ idle_seconds }}
table=/etc/nvpmodel.conf

# Those of the modes that this device has; AGX boards call 15W MODE_15W.
have=
for mode in $modes; do
  for name in "$mode" "MODE_$mode"; do
    if grep -q "^< *POWER_MODEL .*NAME=$name[ >]" "$table"; then have="$have $name"; break; fi
  done
done
# Started again, it would find the same: the unit knows this status.
if [ -z "$have" ]; then echo "none of $modes is in $table" >&2; exit 78; fi
for mode in $have; do largest=$mode; done

current() { nvpmodel -q 2>/dev/null | sed -n 's/^NV Power Mode: *//p'; }

# The mode below the current one; nothing when there is none.
lower() {
  before=
  for mode in $have; do
    if [ "$mode" = "$1" ]; then echo "$before"; return; fi
    before=$mode
  done
  echo "$largest"
}

set_mode() {
  id=$(sed -n "s/^< *POWER_MODEL  *ID=\([0-9]*\)  *NAME=$1[ >].*/\1/p" "$table" | head -n 1)
  # A mode that asks for a restart is left alone: the answer is no.
  if echo no | nvpmodel -m "$id" >/dev/null 2>&1 && [ "$(current)" = "$1" ]; then
    echo "load $load %: mode $1"
  else
    echo "mode $1 cannot be set without a restart of the device" >&2
  fi
}

# Load of the GPU in percent: the kernel's own word, in thousandths, else one line of tegrastats.
load() {
  for file in /sys/devices/platform/gpu.0/load /sys/devices/gpu.0/load /sys/class/devfreq/*.gpu/device/load; do
    if [ -r "$file" ]; then echo $(($(cat "$file") / 10)); return; fi
  done
  timeout 5 tegrastats --interval 500 2>/dev/null | head -n 1 | sed -n 's/.*GR3D_FREQ \([0-9]*\)%.*/\1/p'
}

idle=0
while :; do
  load=$(load)
  now=$(current)
  if [ -z "$load" ]; then
    : # Not every board says it: nothing is changed by guess.
  elif [ "$load" -ge "$busy" ]; then
    idle=0
    if [ "$now" != "$largest" ]; then set_mode "$largest"; fi
  else
    idle=$((idle + 2))
    if [ "$idle" -ge "$idle_seconds" ]; then
      idle=0
      down=$(lower "$now")
      if [ -n "$down" ] && [ "$down" != "$now" ]; then set_mode "$down"; fi
    fi
  fi
  sleep 2
done
