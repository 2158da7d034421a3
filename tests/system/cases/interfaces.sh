#: about interfaces as busybox's ip lists and switches them; the queue's length it asks of an internet socket
#: compare
#: cpus 1
list() {
    ip "$@" | sed 's/ qlen 1000//; s/ *$//'
}
list link
ip link set lo up && echo up
list link
list address | grep -v inet | grep -v valid_lft
ip link set lo down && echo down
ip link show none
ip link set none up
cat /sys/class/net/lo/flags
tail -n +3 /proc/net/dev
