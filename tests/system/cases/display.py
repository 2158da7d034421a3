"""The console on the display: a person types on the PS/2 keyboard and reads the screen, as VGA text and as a picture."""
import os
import re
import subprocess
import tempfile

from harness.display import Display, shell
from harness.guest import test_root
from harness.system import case, expect
from launch import build
from launch import run as launcher

PROMPT = r"^ready> "


def command(screen, line, pattern):
    screen.type(line + "\n")
    match = screen.expect(pattern)
    screen.expect(r"^ready>\Z")
    return match


def typed(screen, size):
    """What every display shows alike."""
    screen.expect(r"keel: \d+ CPUs, \d+ MB free.*[#$] ?\Z", 120)  # the boot's messages stand above
    shell(screen)
    command(screen, "tty; stty size; echo $TERM; cat /proc/cmdline", f"^/dev/tty1\n{size}\nlinux\nconsole=tty0\n")
    command(screen, "echo ABC abc 0123456789 '!@#$%^&*()_+-=[]{}\\|;:\"' ,./'<>?`~'",
            r"^ABC abc 0123456789 !@#\$%\^&\*\(\)_\+-=\[\]\{\}\\\|;:\" ,\./<>\?`~$")
    command(screen, r"printf '\xc3\xbc\xc3\x9f \xe2\x94\x8c\xe2\x94\x80\xe2\x94\x90 \033(0lqk\033(B\n'", "^üß ┌─┐ ┌─┐$")
    screen.type("exit 7\n")
    result = screen.end()
    expect((result.status, result.stdout) == (7, b""), "nothing on the serial line", result)


@case(peer=False)
def display_vga(context):
    with Display([], test_root(), smp=context.cpus) as screen:
        typed(screen, "25 80")


@case(cpus=(1,), peer=False)
def display_vga_pc(context):
    with Display([], test_root(), machine="pc", mem="64M") as screen:
        typed(screen, "25 80")


@case(cpus=(1,), peer=False)
def display_bios(context):
    """GRUB's framebuffer."""
    with Display([], test_root(), boot="bios") as screen:
        typed(screen, r"\d+ \d+")


@case(cpus=(4,), peer=False)
def display_uefi(context):
    """The firmware's framebuffer, by Keel's own EFI program."""
    with Display([], test_root(), boot="uefi", smp=context.cpus) as screen:
        typed(screen, "50 160")


@case(cpus=(1,), peer=False)
def display_uefi_grub(context):
    with Display([], test_root(), boot="uefi-grub") as screen:
        typed(screen, r"\d+ \d+")


@case(cpus=(1,), peer=False)
def display_uefi_adapters(context):
    """Framebuffers of other adapters: one without VGA registers, and one in memory that the firmware set aside."""
    for adapter in ("bochs-display", "ramfb"):
        with Display([], test_root(), boot="uefi", devices=(adapter,)) as screen:
            typed(screen, r"\d+ \d+")


@case(cpus=(1,), peer=False)
def display_keys(context):
    """Cursor and function keys, modifiers, locks, and job control from the keyboard."""
    with Display(["/bin/bash", "--norc", "-i"], test_root()) as screen:
        shell(screen)
        command(screen, "echo first line", "^first line$")
        screen.press("up")
        screen.type("s\n")
        screen.expect("^first lines\n")
        screen.type("echo ac")
        screen.press("left")
        screen.type("b\n")
        screen.expect("^abc\n")
        screen.type("cho e")
        screen.type("\x01e\x05nd\n")
        screen.expect("^ready> echo end\nend$")
        screen.press("caps_lock")
        screen.type("x=up; ")
        screen.press("caps_lock")
        screen.type("clear; echo $X$x\n")
        screen.expect(r"\AUP\n|\AUP$|\Aup")
        screen.type("sleep 1000\n")
        screen.type("\x03")
        screen.expect(r"\^C\nready>\Z")
        screen.type("clear; cat -v\n")
        for keys in ("f1", "f12", "delete", "pgup"):
            screen.press(keys)
        screen.press("alt", "x")
        screen.press("ctrl", "v")
        screen.press("shift", "f5")
        screen.press("ret")
        screen.expect(r"\^\[\[\[A\^\[\[24~\^\[\[3~\^\[\[5~\^\[x")
        screen.type("\x04")
        screen.expect(r"ready>\Z")
        screen.type("exit\n")
        expect(screen.end().status == 0, "exit")


@case(cpus=(1,), peer=False)
def display_programs(context):
    """Full-screen programs draw what they mean to."""
    with Display([], test_root()) as screen:
        shell(screen)
        screen.type("vi /tmp/new\n")
        screen.expect(r"\A\n?~.*- /tmp/new")
        screen.type("ihello from vi\x1b")
        screen.step(1)  # an ESC alone, not the begin of a sequence
        screen.type("yyp:s/hello/second/\n")
        screen.expect(r"\Ahello from vi\nsecond from vi\n~\n")
        screen.type(":wq\n")
        screen.expect(r"ready>\Z")
        command(screen, "clear; cat /tmp/new", r"\Ahello from vi\nsecond from vi\nready>")
        screen.type("seq 1 500 | less\n")
        screen.expect(r"\A1\n2\n.*\n24\n")
        screen.press("pgdn")
        screen.expect(r"\A25\n26\n.*\n48\n")
        screen.press("up")
        screen.expect(r"\A24\n25\n")
        screen.type("q")
        screen.type("clear; top -d 1\n")
        screen.expect(r"\AMem: .*used.*free.*PID +PPID.*top")
        screen.type("q")
        screen.expect(r"ready>\Z")
        screen.type("clear; seq 1 20000; echo over\n")
        screen.expect(r"\n19999\n20000\nover\nready>\Z", 60)
        command(screen, r"clear; printf '\033[1;33;44mA\033[0;7mB\033[m\033[3;5HC\033[2;24r\033[24;1H\n\033[r\033[24;1H'", r"\AAB\n    C\n")
        colours = screen.attributes()[0]
        expect((colours[0], colours[1]) == (0x1E, 0x70), f"colours: {colours[:2].hex()}")
        command(screen, r"stty -echo; printf '\033[6n'; read -n 7 x; stty echo; clear; echo $x | tail -c 6", "R$|1R")
        screen.type("exit\n")
        expect(screen.end().status == 0, "exit")


@case(cpus=(1,), peer=False)
def display_beside_streams(context):
    """A program with its streams on the serial lines finds the display as /dev/tty1, and as /dev/console."""
    script = "echo streams; echo shown > /dev/tty1; echo console > /dev/console; read line < /dev/tty1; echo \"$line\"; exit 4"
    with Display(["/bin/sh", "-c", script], test_root(), terminal=False) as screen:
        screen.pump.input.end()
        screen.expect("^shown\nconsole$")
        screen.type("from the keyboard\n")
        result = screen.end()
        expect((result.status, result.stdout) == (4, b"streams\nfrom the keyboard\n"), f"{result.stdout}", result)


def without(context, message, **options):
    """Runs a program that writes to a display that is not there."""
    result = context.run(["/bin/sh", "-c", "echo lost > /dev/tty1; stty -F /dev/tty1 size; exit 5"], append="console=tty0", **options)
    expect((result.status, result.stdout) == (5, b"25 80\n"), "the program does not notice", result)
    expect(message in result.log, f"{message} is said", result)


@case(peer=False)
def display_absent(context):
    without(context, b"display: there is no VGA; nothing is shown")


@case(cpus=(1,), peer=False)
def display_absent_microvm(context):
    without(context, b"display: there is no VGA; nothing is shown", machine="microvm")


@case(cpus=(1,), peer=False)
def display_not_asked_for(context):
    """Without console=tty0 the display and keyboard are left alone, and there is no /dev/tty1."""
    result = context.run(["/bin/sh", "-c", "ls /dev/tty1 /dev/tty0 2>/dev/null || echo none"], devices=("VGA",))
    expect(result.stdout == b"none\n", "no /dev/tty1", result)
    expect(b"framebuffer" not in result.log and b"display" not in result.log, "nobody looked for a display", result)


@case(cpus=(1,), peer=False)
def display_run_option(context):
    """`./keel run --display`: the program is on the screen that QEMU shows, and its status is the command's."""
    with tempfile.TemporaryDirectory() as folder:
        line = [os.path.join(build.TOP, "keel"), "run", "--display", f"vnc=unix:{folder}/vnc", "--timeout", "60", "--", "/bin/sh", "-c",
                "test $(tty) = /dev/tty1 && exit 6"]
        result = subprocess.run(line, capture_output=True, stdin=subprocess.DEVNULL)
    expect((result.returncode, result.stdout, result.stderr) == (6, b"", b""), f"{result}")


@case(cpus=(1,), peer=False)
def display_not_in_archive(context):
    """console=tty0 with an archive that was made without the drivers: the log says so, and the serial line is the console."""
    drivers = launcher.OPTIONAL.pop("console=tty0")
    try:
        result = context.run(["/bin/sh", "-c", "ls /dev/tty1 2>/dev/null || echo none"], append="console=tty0")
    finally:
        launcher.OPTIONAL["console=tty0"] = drivers
    expect((result.status, result.stdout) == (0, b"none\n"), "no display", result)
    expect(b"init: console=tty0: the archive has no bin/display" in result.log, "it is said", result)


@case(cpus=(1,), peer=False)
def display_framebuffer(context):
    """/dev/fb0 is what the screen shows: written, mapped, and drawn on by a child."""
    script = "/test/glibc/fb_check; cd /sys/class/graphics/fb0 && cat virtual_size bits_per_pixel"
    with Display(["/bin/sh", "-c", script], test_root((("fb_check", "glibc"),)), boot="bios", terminal=False, append="") as screen:
        for _ in range(600):
            if b"look" in screen.output or not screen.pump.open_lines:
                break
            screen.step(0.1)
        expect(b"look" in screen.output and b"not ok" not in screen.output, screen.output.decode())
        width, height = map(int, screen.output.split(b"look ")[1].split()[:2])
        data = screen._dump("screendump")
        at = len(data) - width * height * 3
        rows = [data[at + y * width * 3:at + (y + 1) * width * 3] for y in range(height - 1)]
        wanted = b"\xff\x80\x00" * (width // 2) + b"\x00\x40\xc0" * (width // 2)
        expect(all(row == wanted for row in rows), "the picture")
        screen.press("a")
        screen.end()
    expect(re.search(rb"^%d,%d\n(24|32)\n" % (width, height), screen.output, re.MULTILINE), screen.output.decode())
