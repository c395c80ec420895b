#!/bin/sh
# Process 1 of the guest: brings up what tests need, runs the job, reports how it ended, turns the machine off.
#
# The root is the host's, read-only, so every program and the sources are where they are on the host. What the
# job may write to: /run and /var/tmp (memory), /run/shared (a folder of the host), /run/disk (the ubd image,
# when there is one).
#
# Serial line 0 is the job's output. It is apart from the console, where the kernel talks, and it reaches the
# host as it is written: what a job said before its machine was killed has been said.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/var/tmp LANG=C.UTF-8
set -e

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mount -t tmpfs tmp /var/tmp
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /dev/shm
ip link set lo up

# Held open: the line forgets its settings when nobody has it open.
exec 3<>/dev/ttyS0
stty raw -echo <&3

argument() { sed -n "s/.* $1=\([^ ]*\).*/\1/p" /proc/cmdline; }

# Nobody sends anything on the line. It hangs up when the process that booted this machine is gone, killed
# before it could end what it started.
(cat <&3 >/dev/null; /bin/busybox poweroff -f) &

shared=$(argument shared)
mkdir -p /run/shared
mount -t hostfs -o "$shared" none /run/shared

modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in net/can/can net/can/can-raw drivers/net/can/dev/can-dev drivers/net/can/vcan \
  drivers/net/can/vxcan drivers/net/can/slcan/slcan; do
  insmod "$modules/$module.ko"
done

if [ -b /dev/ubda ]; then
  mkdir -p /run/disk
  mount -t ext4 /dev/ubda /run/disk
fi

set +e
/bin/sh "$(argument job)" </dev/null >&3 2>&3
echo "exit $?" >&3
sync
/bin/busybox poweroff -f
