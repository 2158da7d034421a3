"""Virtio consoles: a terminal on one, streams of bytes to the host, drivers that die and consoles that are pulled."""
import hashlib
import os
import random

from harness.guest import test_root
from harness.ports import Ports
from harness.system import case, expect

BUS = "virtio-serial-pci,id=serial0,addr=8"
TERMINAL = "virtconsole,bus=serial0.0,chardev=terminal"
STREAM = "virtserialport,bus=serial0.0,chardev=stream,name=org.keel.test"
SIMPLE = ("virtio-serial-pci,id=serial1,addr=9,max_ports=1", "virtconsole,bus=serial1.0,chardev=simple")  # without control queues
STREAM_SIZE = 1 << 20


def _command(machine, line, pattern):
    machine.say("terminal", line + "\n")
    match = machine.hear("terminal", pattern)
    machine.hear("terminal", "READY> ")
    return match


@case(cpus=(1,), peer=False)
def ports_shell(context):
    """console=hvc0: the first program runs there, with job control; a port's stream holds its writer up; one program has it open."""
    data = random.Random(5).randbytes(STREAM_SIZE)
    with Ports((), test_root((), files=(("test/data", 0o644, data),)), ("terminal", "stream", "simple"),
               devices=(BUS, TERMINAL, STREAM, *SIMPLE), append="console=hvc0",
               terminal=True) as machine:
        machine.hear("terminal", "# ")
        machine.say("terminal", "PS1='READY''> '\n")
        machine.hear("terminal", "READY> ")
        _command(machine, "tty; cut -d' ' -f7 /proc/self/stat", "\r\n/dev/hvc0\r\n58624\r\n")
        _command(machine, "stat -c '%n %F %a %t:%T' /dev/hvc0 /dev/vport0p0 /dev/vport0p1",
                 "\r\n/dev/hvc0 character special file 600 e5:0\r\n/dev/vport0p0 character special file 600 f6:0\r\n"
                 "/dev/vport0p1 character special file 600 f6:1\r\n")
        _command(machine, "cd /sys/class/virtio-ports; ls vport0p0; cat vport0p1/name vport0p1/dev",
                 "\r\ndev +uevent\r\norg.keel.test\r\n246:1\r\n")
        _command(machine, "cat /dev/vport0p0; echo by the console > /dev/console", "No such device or address\r\nby the console\r\n")
        _command(machine, "until [ -e /dev/hvc1 ]; do usleep 1000; done; echo simple > /dev/hvc1", "\r\n")
        machine.hear("simple", "simple\r\n")
        machine.say("terminal", "sh -c \"echo ru''n; exec sleep 1000\"\n")  # in the foreground once it speaks
        machine.hear("terminal", "\r\nrun\r\n")
        machine.say("terminal", "\3")
        machine.hear("terminal", r"\^C\r\nREADY> ")
        machine.say("terminal", "stty -icanon min 3 -echo; echo ra''w; head -c 3; stty icanon echo\n")
        machine.hear("terminal", "raw\r\n")
        machine.say("terminal", "abc")
        machine.hear("terminal", "abcREADY> ")
        _command(machine, "exec 3<>/dev/vport0p1; cat /dev/vport0p1", "\r\ncat: .*busy\r\n")
        machine.say("terminal", "cat /test/data >&3; echo took; cat <&3; echo end\n")
        machine.hear("terminal", "\r\ntook\r\n")
        machine.say("stream", "hello")
        machine.hear("terminal", "hello")
        stream = machine.channels["stream"]
        machine.hear("stream", b"(?=.{%d})" % STREAM_SIZE)
        stream.hang_up()
        machine.hear("terminal", "end\r\nREADY> ")
        machine.say("terminal", "exit 7\n")
        result = machine.end()
    expect(stream.heard == data, f"{len(stream.heard)} bytes arrived as they were", result)
    expect(result.status == 7, "its status", result)


KILLS = int(os.environ.get("KEEL_PORT_KILLS", "3"))  # for each of two ports
BLOCK = 100_000
KILL = r"""
until [ -e /dev/hvc0 -a -e /dev/vport0p1 -a -e /sys/bus/pci/devices/0000:00:08.0/reset ]; do usleep 1000; done
exec 4<>/dev/hvc0
stty raw -echo <&4
exec 5<>/dev/vport0p1
head -c BLOCK /test/data > /tmp/out
for number in 4 5; do
    echo ready $number
    i=0
    while [ $i -lt KILLS ]; do
        cat /tmp/out >&$number &
        dd bs=1000 count=HALF iflag=fullblock <&$number 2>/dev/null
        echo 1 > /sys/bus/pci/devices/0000:00:08.0/reset
        dd bs=1000 count=HALF iflag=fullblock <&$number 2>/dev/null
        wait
        i=$((i + 1))
    done | sha256sum
done
"""


@case(cpus=(1, 4), peer=False)
def ports_killed(context):
    """The driver is killed in the middle of streams both ways, of a terminal and of a port: every byte comes once."""
    source = random.Random(6)
    data = source.randbytes(BLOCK)
    script = KILL.replace("KILLS", str(KILLS)).replace("BLOCK", str(BLOCK)).replace("HALF", str(BLOCK // 2000))
    sent = {}
    with Ports(("/bin/sh", "-c", script), test_root((), files=(("test/data", 0o644, data),)), files=("terminal", "stream"),
               devices=(BUS, TERMINAL, STREAM), smp=context.cpus, timeout=60 + 6 * KILLS) as machine:
        for number, name in ((4, "terminal"), (5, "stream")):
            machine.expect(b"ready %d\n" % number)
            sent[name] = source.randbytes(BLOCK * KILLS)
            machine.say(name, sent[name])
            machine.expect(hashlib.sha256(sent[name]).hexdigest().encode(), 10 + 3 * KILLS)
        result = machine.end()
        heard = {name: machine.channels[name].heard for name in sent}
    ended = result.log.count(b"driver virtio-console (generation")
    expect(result.status == 0 and ended == 2 * KILLS, f"{ended} drivers ended", result)
    for name in sent:
        expect(heard[name] == data * KILLS, f"{name}: {len(heard[name])} bytes of {BLOCK * KILLS} went out as they were", result)
    context.detail(f"{2 * KILLS} kills, {4 * BLOCK * KILLS:,} bytes")


PULL = r"""
trap '' HUP
until [ -e /dev/hvc0 -a -e /dev/vport0p1 ]; do usleep 1000; done
(cat /dev/hvc0; echo terminal ends with $?) &
exec 3<>/dev/vport0p1
(cat <&3; echo stream ends with $?) &
echo begin
until [ ! -e /dev/vport0p1 ]; do usleep 1000; done
echo x 2>/tmp/error >&3; grep -o 'No such device' /tmp/error; exec 3<&-
[ -e /dev/hvc0 -a -e /dev/vport0p0 ] && echo port gone
until [ -e /dev/vport0p1 ]; do usleep 1000; done
exec 3<>/dev/vport0p1
echo port again
head -c 6 <&3
(cat <&3; echo stream ends with $?) &
exec 4<>/dev/hvc0
echo both
wait
[ -e /dev/hvc0 -o -e /dev/vport0p0 -o -e /dev/vport0p1 ] || echo nodes gone
echo x 2>/tmp/error >&4; grep -o 'Input/output error' /tmp/error
[ $(head -c 1 <&4 | wc -c) = 0 ] && echo end of file
exec 3<&- 4<&-
until [ -e /dev/hvc0 ]; do usleep 1000; done
echo again > /dev/hvc0
"""


@case(cpus=(1,), peer=False)
def ports_pulled(context):
    """One port goes and comes; then the whole console: its users hear of it, and the next one works."""
    slot = ("pcie-root-port,id=slot1,slot=1,chassis=1",)
    with Ports(("/bin/sh", "-c", PULL), test_root(), files=("terminal", "stream"), devices=slot, in_turns=True) as machine:
        def plug():
            machine.add("virtio-serial-pci", "serial0", "slot1")
            machine.add("virtconsole", "port0", "serial0.0", chardev="terminal")
        plug()
        machine.add("virtserialport", "port1", "serial0.0", chardev="stream")
        machine.expect(b"begin\n")
        machine.remove("port1")
        machine.expect(b"port gone\n")
        machine.add("virtserialport", "port1", "serial0.0", chardev="stream", nr=1)
        machine.expect(b"port again\n")
        machine.say("stream", "hello\n")
        machine.expect(b"both\n")
        machine.take_soon("serial0")
        machine.expect(b"end of file\n")
        plug()
        machine.hear("terminal", "again\r\n")
        result = machine.end()
    expect(result.status == 0 and result.stdout.count(b"stream ends with 1") == 2 and result.stdout.count(b"terminal ends with 0") == 1,
           "readers' ends", result)
    expect(b"hello\n" in result.stdout and b"No such device" in result.stdout and b"Input/output error" in result.stdout, "errors", result)
