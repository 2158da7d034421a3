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


MICE = r"""
[ -d /dev/input ] || mkdir /dev/input; [ -e /dev/input/mice ] || mknod /dev/input/mice c 13 63
for n in $(seq 500); do grep -q Mouse /proc/bus/input/devices && break; usleep 10000; done
say() { printf "$1" >&3; dd bs=8 count=1 <&3 2>/dev/null | od -An -tx1; }
hear() { dd bs=8 count=1 <&3 2>/dev/null | od -An -tx1; }
exec 3<>/dev/input/mice
say '\364'; say '\362'; say '\351'; say '\353'
echo go plain; hear; hear; hear
say '\363\310\363\144\363\120'; say '\362'
echo go wheel; hear; hear; hear; hear
say '\363\310\363\310\363\120'; say '\362'
echo go explorer; hear; hear; hear; hear
echo go long; hear; hear
say '\377'
echo end
"""
PRESSES = {
    "plain": [move("x", 10), move("y", -7), button("left", True)],
    "wheel": [button("left", False), move("x", -3), button("wheel-up", True), button("wheel-down", True)],
    "explorer": [button("side", True), button("extra", True), button("side", False), button("extra", False)],
    "long": [move("x", 200)],
}


def _mice(**options):
    with Input(MICE, **options) as machine:
        for name, events in PRESSES.items():
            machine.until(f"go {name}\n")
            for event in events:
                before = machine.output.count(b"\n")
                machine.send(event)
                for _ in range(400):
                    if machine.output.count(b"\n") > before:
                        break
                    machine.step(0.05)
        machine.until("end\n")
        return machine.finish()


# As Debian's Linux answers: ./keel test --on linux system/input-mice
MICE_SAYS = """fa|fa 00|fa 60 03 c8|fa 08 00 00|go plain|08 0a 00|08 00 07|09 00 00|fa|fa 03|go wheel|08 00 00 00|18 fd 00 00|08 00 00 ff|08 00 00 01
|fa|fa 04|go explorer|08 00 00 10|08 00 00 30|08 00 00 20|08 00 00 00|go long|08 7f 00 00|08 49 00 00|fa aa 00|end""".replace("\n", "").split("|")


@case(cpus=(1,))
def input_mice(context):
    """/dev/input/mice: three bytes a packet, then with a wheel, then with five buttons."""
    peer = {"peer": True, "modules": ("psmouse",)} if context.on == "linux" else {}
    lines = [line.strip() for line in _mice(**peer)]
    expect(lines == MICE_SAYS, f"{lines}")
