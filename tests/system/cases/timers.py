"""The event timer and the speaker, whose drivers are processes, as Linux programs use them."""
import os
import re
import struct
import tempfile

from harness.guest import peer_execute, test_root
from harness.input import Input, key
from harness.system import case, expect


def _checked(result, count):
    lines = result.stdout.decode().splitlines()
    bad = [line for line in lines if not line.startswith("ok ")]
    expect(not bad and len(lines) == count, f"{len(lines)} lines, {bad}", result)
    return lines


@case(cpus=(1,), peer=False)
def timers_hpet(context):
    """Rates, interrupts, polling, registers: as on Debian's Linux. Then by message, and where there is no interrupt to be had."""
    root = test_root((("hpet_check", "glibc"),))
    ours = _checked(context.run(["/test/glibc/hpet_check"], root), 35)
    line = ["/bin/sh", "-c", "mknod -m 600 /dev/hpet c 10 228; exec /test/glibc/hpet_check"]
    theirs = _checked(peer_execute(line, root, timeout=90), 35)
    expect(ours == theirs, f"{ours}\non Linux:\n{theirs}")
    _checked(context.run(["/test/glibc/hpet_check"], root, machine="pc", more=("-global", "hpet.msi=on")), 35)
    _checked(context.run(["/test/glibc/hpet_check", "lines=0"], root, machine="pc"), 27)


@case(cpus=(1,), peer=False)
def timers_damaged(context):
    """A table of ACPI that tells of an event timer nowhere is refused, and everything else goes on."""
    with tempfile.NamedTemporaryFile() as table:
        table.write(bytes(20))
        table.flush()
        result = context.run(["/bin/sh", "-c", "until [ -e /dev/rtc0 ]; do usleep 10000; done; ls /dev/hpet; poweroff -f"], test_root(),
                             more=("-machine", "hpet=off", "-acpitable", f"sig=HPET,data={table.name}"))
    expect(b"ACPI: HPET's address at 0x0 is damaged and not used" in result.log, "a message", result)
    expect(b"No such file" in result.stderr and b"power off" in result.log, "no such device", result)


KILLS = int(os.environ.get("KEEL_TIMER_KILLS", "5"))
# The last end of the driver meets the end of the program.
KILLED = """
/test/glibc/hpet_check killed %d &
until [ -e /tmp/ready ]; do usleep 5000; done
echo hpet > /proc/keel_reset; kill -9 $!; wait 2> /dev/null
/test/glibc/hpet_check
""" % KILLS


@case(cpus=(1, 4), peer=False)
def timers_killed(context):
    """A program's interrupts go on when the driver is ended; a close that the driver does not hear switches them off, too."""
    result = context.run(["/bin/sh", "-c", KILLED], test_root((("hpet_check", "glibc"),)))
    ends = result.log.count(b"driver hpet (generation")
    expect(ends == KILLS + 1, f"{ends} ends of the driver", result)
    _checked(result, 35 + 3)


TONES = (2000, 1000, 0, 440, 600, 0, 0, 3000, 0, 1500, 0, 750)
WAV_HEADER, WAV_FRAME, WAV_RATE, PERIODS = 44, 4, 44100, 20


def _periods(path, start, hz):
    """How many periods of a frequency were recorded behind a place in a file."""
    with open(path, "rb") as file:
        file.seek(start)
        data = file.read()
    frames = [left for left, _ in struct.iter_unpack("<hh", data[:len(data) // WAV_FRAME * WAV_FRAME])]
    rises = [i for i in range(1, len(frames)) if frames[i - 1] < 0 <= frames[i]]
    return sum(abs(after - before - WAV_RATE / hz) < 1.1 for before, after in zip(rises, rises[1:]))


def _place(path):
    return max(WAV_HEADER, os.path.getsize(path) // WAV_FRAME * WAV_FRAME) if os.path.exists(path) else WAV_HEADER


def _hear(machine, path, hz):
    """Waits until the tone is heard, or the gate is shut."""
    start = _place(path)
    for _ in range(int(400 * machine.patience)):
        if hz and _place(path) > start and _periods(path, start, hz) >= PERIODS:
            return
        if not hz:
            gate = machine.monitor.call("human-monitor-command", **{"command-line": "i /b 0x61"})
            if not int(re.search(r"= (0x[0-9a-f]+)", gate)[1], 16) & 3:
                return
        machine.step(0.05)
    expect(False, f"{hz} Hz is not heard:\n{machine.output.decode()}\n{machine.machine.log()[-1000:].decode()}")


@case(cpus=(1,), peer=False)
def timers_speaker(context):
    """The speaker by events and by the console's calls and bell; what comes out has the frequency. It falls silent with its driver."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "speaker.wav")
        sound = ("-audiodev", f"wav,id=sound,path={path}", "-machine", "pcspk-audiodev=sound")
        with Input("/test/glibc/speaker_check", "speaker_check", devices=("VGA",), append="console=tty0", more=sound, smp=context.cpus) as machine:
            for number, hz in enumerate(TONES):
                machine.until(r"\A([^p]|p(?!laying))*" + r"(playing \d+\n([^p]|p(?!laying))*)" * number + r"playing %d\n\Z" % hz)
                _hear(machine, path, hz)
                machine.send(key("a", True))
                machine.send(key("a", False))
            lines = machine.finish()
        expect(sum(line.startswith("ok ") for line in lines) == 13, f"{lines}")


@case(cpus=(1,), peer=False)
def timers_speaker_linux(context):
    """/proc/bus/input/devices tells of the speaker what Debian's Linux tells; a machine without one has none."""
    script = ("[ -d /proc/bus ] || mount -t proc proc /proc; for n in $(seq 500); do grep -q Speaker /proc/bus/input/devices && break; usleep 10000; done; "
              "sed -e '/^S:/d' -e 's/event[0-9] //' /proc/bus/input/devices | grep -B 1 -A 6 Speaker")
    line, root = ["/bin/sh", "-c", script], test_root()
    ours, theirs = context.run(line, root).stdout, peer_execute(line, root, timeout=60, modules=("pcspkr",)).stdout
    expect(ours == theirs and b"Speaker" in ours, f"{ours.decode()}\non Linux:\n{theirs.decode()}")
    result = context.run(["/bin/sh", "-c", "until dmesg | grep 'speaker: there is no speaker'; do usleep 10000; done; ls /dev/input"], root, machine="microvm")
    expect(b"no speaker" in result.stdout and b"event2" not in result.stdout, "no speaker", result)
