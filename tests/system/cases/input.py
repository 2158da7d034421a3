"""Input devices as programs see them: somebody at QEMU's monitor types and moves the mouse."""
import re

from harness.guest import peer_execute, test_root
from harness.input import Input, key
from harness.system import case, expect

KEYBOARD = "AT Translated Set 2 keyboard 0011:0001:0001:ab41 isa0060/serio0/input0 No such file or directory"


@case(cpus=(1, 4), peer=False)
def input_keyboard(context):
    """The PS/2 keyboard: what it is, its events to several readers, and that it survives its driver."""
    script = "cd /test/glibc; e=/dev/input/event0; ./evdump $e check; ./evdump $e & ./evdump $e; wait"
    with Input(script, smp=context.cpus) as machine:
        machine.until("ready.*ready")
        for code in ("shift", "a"):
            machine.send(key(code, True))
        for code in ("a", "shift"):
            machine.send(key(code, False))
        machine.send(key("up", True))
        machine.send(key("up", False))
        machine.send(key("esc", True))
        machine.send(key("esc", False))
        lines = machine.finish()
    events = [line for line in lines if re.match(r"\d+ \d+ -?\d+$", line)]
    wanted = []
    for scan, code, value in ((42, 42, 1), (30, 30, 1), (30, 30, 0), (42, 42, 0), (0xc8, 103, 1), (0xc8, 103, 0), (1, 1, 1), (1, 1, 0)):
        wanted += [f"4 4 {scan}", f"1 {code} {value}", "0 0 0"]
    expect(sorted(events) == sorted(wanted * 2), f"events {events}")
    expect(KEYBOARD in lines and "repeat 250 33" in lines, f"{lines}")


@case(cpus=(1,), peer=False)
def input_proc_linux(context):
    """/proc/bus/input/devices and sysfs tell of the keyboard what Debian's Linux tells."""
    script = ("[ -d /proc/bus ] || mount -t proc proc /proc; [ -d /sys/class ] || mount -t sysfs sysfs /sys; "
              "for n in $(seq 500); do [ -e /sys/class/input/input0 ] && break; usleep 10000; done; "
              "sed -e '/^S:/d' -e 's/event0 //' -e '/^$/q' /proc/bus/input/devices; cd /sys/class/input/input0; "
              "grep -v MODALIAS uevent; for f in name phys uniq properties id/* capabilities/*; do echo $f $(cat $f); done")
    line, root = ["/bin/sh", "-c", script], test_root()
    ours, theirs = context.run(line, root).stdout, peer_execute(line, root, timeout=60).stdout
    expect(ours == theirs and b"AT Translated" in ours, f"{ours.decode()}\non Linux:\n{theirs.decode()}")


def move(axis, value):
    return {"type": "rel", "data": {"axis": axis, "value": value}}


def point(axis, value):
    return {"type": "abs", "data": {"axis": axis, "value": value}}


def button(name, down):
    return {"type": "btn", "data": {"button": name, "down": down}}


def finish_by_escape(machine):
    machine.send(key("esc", True))
    machine.send(key("esc", False))
    return machine.finish()


WAIT = "for n in $(seq 500); do [ -e /dev/input/event%d ] && break; usleep 10000; done; cd /test/glibc; "
MOVE = [move("x", 10), move("y", -7), button("left", True), button("left", False), button("wheel-up", True), button("side", True)]


@case(cpus=(1,), peer=False)
def input_mouse(context):
    """The PS/2 mouse has a wheel and five buttons, beside the keyboard that types meanwhile."""
    script = WAIT % 1 + "./evdump /dev/input/event1 & ./evdump /dev/input/event0; kill $!; sed -n '/Mouse/,$p' /proc/bus/input/devices"
    with Input(script) as machine:
        machine.until("ready.*ready")
        for event in MOVE:
            machine.send(event)
        lines = finish_by_escape(machine)
    text = "\n".join(lines)
    for packet in ("2 0 10\n0 0 0", "2 1 -7\n0 0 0", "1 272 1\n0 0 0\n1 272 0\n0 0 0", "2 8 1\n0 0 0", "1 275 1\n0 0 0", "1 1 0\n0 0 0"):
        expect(packet in text, f"{packet!r} is missing:\n{text}")
    expect("Name=\"ImExPS/2 Generic Explorer Mouse\"" in text and "B: KEY=1f0000 0 0 0 0" in text and "B: REL=103" in text, text)


@case(cpus=(1,), peer=False)
def input_virtio(context):
    """Virtio's keyboard and tablet; what the keyboard types comes to the terminal, and its lights go on."""
    script = (WAIT % 4 + "./evdump /dev/input/event4 & ./evdump /dev/input/event3; kill $!; read line < /dev/tty1; echo \"$line\"; "
              "sed -n '/QEMU/,$p' /proc/bus/input/devices")
    with Input(script, devices=("VGA", "virtio-keyboard-pci", "virtio-tablet-pci"), append="console=tty0") as machine:
        machine.until("ready.*ready")
        for event in (key("caps_lock", True), key("caps_lock", False), key("a", True), key("a", False), point("x", 16384), point("y", 32767),
                      button("right", True), button("right", False), key("ret", True), key("ret", False)):
            machine.send(event)
        lines = finish_by_escape(machine)
    text = "\n".join(lines)
    for packet in ("1 58 1\n0 0 0", "17 1 1\n0 0 0", "1 30 1\n0 0 0\n1 30 0\n0 0 0", "3 0 16384\n0 0 0", "3 1 32767\n0 0 0", "1 273 1\n0 0 0\n1 273 0\n0 0 0"):
        expect(packet in text, f"{packet!r} is missing:\n{text}")
    expect("A" in lines and "Name=\"QEMU Virtio Tablet\"" in text and "B: ABS=3" in text and "B: EV=120003" in text, text)
