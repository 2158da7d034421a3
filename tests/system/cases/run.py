"""What `./keel run` promises: streams, statuses, options, and errors in plain words."""
import gzip
import os
import pty
import re
import select
import subprocess
import tempfile
import termios
import time

from harness.case import Failure
from harness.guest import test_root
from harness.system import case, expect
from launch import cpio
from launch.build import TOP
from launch.root import standard

KEEL = os.path.join(TOP, "keel")


def keel(*arguments, stdin=b"", timeout=60):
    """The command itself, as a user types it."""
    from harness.guest import patience
    try:
        return subprocess.run([KEEL, *arguments], input=stdin, capture_output=True, timeout=timeout * patience())
    except subprocess.TimeoutExpired:
        raise Failure(f"./keel {' '.join(arguments)} did not end") from None


def statuses(context):
    cases = [("exit 0", 0), ("exit 42", 42), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137),
             ("kill -SEGV $$", 139)]
    for script, status in cases:
        result = context.run(["/bin/sh", "-c", script])
        expect(result.status == status, f"{script}: status {result.status}, not {status}", result)
        expect(result.stdout == b"", f"{script}: output", result)


@case(cpus=(1,))
def exit_status(context):
    statuses(context)


@case()
def streams(context):
    data = bytes(range(256)) * 150 + b"\x10\x10\x04\x10"
    result = context.run(["/bin/sh", "-c", "cat; echo problem >&2; printf '\\0\\377\\020' >&2"], stdin=data)
    expect(result.stdout == data, f"{len(data)} bytes in, {len(result.stdout)} out", None)
    expect(result.stderr == b"problem\n\0\xff\x10", f"standard error {result.stderr!r}")
    result = context.run(["/bin/sh", "-c", "head -c 3; wc -c"], stdin=b"")
    expect(result.stdout == b"0\n", "empty input", result)
    result = context.run(["/bin/sh", "-c", "test -t 0 || test -t 1 || test -t 2 || echo no terminal"])
    expect(result.stdout == b"no terminal\n", "no terminals", result)
    result = context.run(["/bin/sh", "-c", "yes 0123456789abcdef | head -c 300000"])
    expect(result.stdout == (b"0123456789abcdef\n" * 20000)[:300000], f"{len(result.stdout)} bytes out")
    result = context.run(["/bin/sh", "-c", "(sleep 0.3; echo late) & exit 3"])
    expect(result.status == 3, "the program's own end ends the run", result)


@case(cpus=(1,))
def missing_programs(context):
    result = context.run(["/no/such/program", "x"])
    expect(result.status == 127, "127", result)
    expect(result.stderr == b"keel: /no/such/program: No such file or directory\n", "message", result)
    result = context.run(["/etc/passwd"])
    expect(result.status == 126 and b"Permission denied" in result.stderr, "126", result)
    result = context.run(["/test/damaged"], test_root(files=(("test/damaged", 0o755, b"\x7fELF" + b"\xff" * 200),)))
    expect(result.status == 126 and b"Exec format error" in result.stderr, "a damaged program", result)
    result = context.run(["/test/script", "a b"], test_root(files=(("test/script", 0o755, b"#!/bin/sh\necho \"$1\"\n"),)))
    expect(result.stdout == b"a b\n", "a script", result)


@case(cpus=(1,))
def arguments(context):
    words = ["", "two words", "new\nline", "$HOME", "ümläut", "-x", "--", "*", "a" * 5000]
    result = context.run(["/bin/busybox", "printf", "<%s>", *words])
    expected = "".join(f"<{word}>" for word in words).encode()
    expect(result.stdout == expected, "arguments arrive byte for byte", result)
    many = [f"argument-{i}" for i in range(1500)]
    result = context.run(["/bin/echo", *many])
    expect(result.stdout == " ".join(many).encode() + b"\n", "1,500 arguments", result)


@case(cpus=(1,), peer=False)
def command_line(context):
    result = keel("run", "--", "/bin/echo", "only", "this")
    expect((result.returncode, result.stdout, result.stderr) == (0, b"only this\n", b""), f"nothing else: {result}")
    result = keel("run", "--timeout", "2", "--", "/bin/sleep", "100")
    expect(result.returncode == 124 and b"no end after 2 s" in result.stderr, f"timeout: {result}")
    result = keel("run", "--icount", "--", "/bin/sh", "-c", "exit 6")
    expect(result.returncode == 6, f"icount: {result}")
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        result = keel("run", "--log", log, "--json", "--append", "some=option", "--", "/bin/cat", "/proc/cmdline")
        expect(b"some=option" in result.stdout, f"append: {result}")
        expect(b'"status": 0' in result.stderr, f"json: {result}")
        with open(log, "rb") as file:
            expect(b"keel: exit 0" in file.read(), "log")
    for wrong in (["--nonsense"], ["--disk", "/nonexistent"], ["--net", "--machine", "microvm"],
                  ["--device", "edu", "--machine", "microvm"], ["--smp", "0"], ["--mem", "lots"], ["--root", "/nonexistent"], ["--smp", "2", "--icount"]):
        result = keel("run", *wrong, "--", "/bin/true")
        expect(result.returncode == 2 and result.stderr.startswith(b"keel: "), f"{wrong}: {result}")
        expect(result.stderr.count(b"\n") == 1, f"one line: {result}")
    expect(keel("--help").returncode == 0 and b"./keel run" in keel("--help").stdout, "help")
    expect(keel("nonsense").returncode == 2, "unknown command")


def read_until(descriptor, text, seconds=40.0):
    """Collects what a pseudo-terminal shows until a text appears."""
    from harness.guest import patience
    shown, end = b"", time.monotonic() + seconds * patience()
    while text not in shown:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise Failure(f"{text!r} did not appear in {shown!r}")
        try:
            shown += os.read(descriptor, 4096)
        except OSError:
            raise Failure(f"the terminal was closed; it showed {shown!r}") from None
    return shown


@case(cpus=(1,), peer=False)
def interactive(context):
    """`./keel run` at a terminal: a shell; the terminal is as before when it has ended."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with subprocess.Popen([KEEL, "run"], stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        try:
            read_until(master, b"# ")
            os.write(master, b"echo $((6 * 7))\r")
            read_until(master, b"\r\n42\r\n")
            os.write(master, b"sleep 1000\r")
            time.sleep(1)
            os.write(master, b"\x03")
            os.write(master, b"exit 7\r")
            expect(process.wait(60) == 7, "the shell's status")
            expect(termios.tcgetattr(slave) == before, "the terminal's settings are restored")
        finally:
            process.kill()
            os.close(master)
            os.close(slave)


@case(cpus=(1,), peer=False)
def roots(context):
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(folder + "/tree/bin")
        subprocess.run(["cp", "/bin/busybox", folder + "/tree/bin/busybox"], check=True)
        os.symlink("busybox", folder + "/tree/bin/sh")
        with open(folder + "/tree/hello", "w") as file:
            file.write("from a directory\n")
        os.link(folder + "/tree/hello", folder + "/tree/linked")
        os.chmod(folder + "/tree/hello", 0o640)
        os.utime(folder + "/tree/hello", (1e9, 1e9))
        script = "busybox cat /linked; busybox stat -c '%a %h %Y' /hello; busybox readlink /bin/sh"
        expected = b"from a directory\n640 2 1000000000\nbusybox\n"
        result = keel("run", "--root", folder + "/tree", "--", "/bin/sh", "-c", script)
        expect(result.stdout == expected, f"a directory: {result}")
        archive = cpio.Archive()
        archive.tree(folder + "/tree")
        for name, data in (("plain", archive.finish()), ("gzip", gzip.compress(archive.finish()))):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
            result = keel("run", "--root", f"{folder}/{name}", "--", "/bin/sh", "-c", script)
            expect(result.stdout == expected, f"{name}: {result}")
        made = subprocess.run("cd tree && find . | cpio -o -H newc --quiet > ../made", shell=True, cwd=folder)
        expect(made.returncode == 0, "cpio(1) makes an archive")
        result = keel("run", "--root", folder + "/made", "--", "/bin/sh", "-c", script)
        expect(result.stdout == expected, f"made by cpio: {result}")


def damaged_archives():
    """Names and archives: each with one damage, and what the message must say."""
    archive = cpio.Archive()
    standard(archive)
    good = archive.finish()
    second = good.index(b"070701", 10)
    yield "magic", good[:second] + b"070709" + good[second + 6:], second
    yield "number", good[:second + 14] + b"zz" + good[second + 16:], second + 14
    yield "cut", good[:len(good) // 2], None
    yield "size", good[:second + 54] + b"ffffffff" + good[second + 62:], second
    yield "name size", good[:second + 94] + b"ffffffff" + good[second + 102:], second
    yield "not an archive", b"this is no archive at all" * 300, 0
    yield "no trailer", good[:good.index(b"TRAILER") - 110], None


@case(cpus=(1,), peer=False)
def damaged_root(context):
    for name, data, offset in damaged_archives():
        result = context.run(["/bin/true"], data)
        text = result.log.decode(errors="replace") + result.stderr.decode(errors="replace")
        expect(result.status == 126, f"{name}: status {result.status}, not 126", result)
        expect("archive" in text and "at offset" in text, f"{name}: no message that says what and where", result)
        place = re.search(r"at offset (\d+)", text)
        near = place and offset is not None and offset <= int(place[1]) < offset + 120
        expect(offset is None or near, f"{name}: the place is not in the entry at {offset}", result)


@case(peer=False)
def small_memory(context):
    result = context.run(["/bin/sh", "-c", "seq 1 1000 | sort -r | tail -1; free | head -2; ls / | wc -l"], mem="32M")
    expect(result.status == 0 and result.stdout.startswith(b"1\n"), "a pipeline in 32 MB", result)


@case(cpus=(1,), peer=False)
def machines(context):
    for machine in ("q35", "pc", "microvm"):
        for cpus in (1, 2, 4):
            result = context.run(["/bin/sh", "-c", "grep -c ^processor /proc/cpuinfo; cat; echo err >&2"], machine=machine,
                                 smp=cpus, stdin=b"in")
            expect(result.status == 0 and result.stdout == f"{cpus}\nin".encode() and result.stderr == b"err\n",
                   f"{machine} with {cpus} CPUs", result)


@case(cpus=(4,), peer=False)
def numa(context):
    """Nodes by SRAT: all memory is there, and a program gets more than its CPU's node holds."""
    script = "sed -n 's/^pages_total:* *//p' /proc/keel; head -c 220M /dev/zero >/tmp/a; head -c 220M /dev/zero | cmp - /tmp/a && echo equal"
    for nodes in (2, 4):
        result = context.run(["/bin/sh", "-c", script], numa=nodes, mem="512M")
        pages, _, rest = result.stdout.partition(b"\n")
        expect(result.status == 0 and int(pages) > 500 * 256 and rest == b"equal\n", f"{nodes} nodes", result)
    script = "cat /sys/devices/system/node/online; cat /sys/devices/system/node/node*/meminfo; cat /proc/buddyinfo"
    for nodes in (1, 2, 4):
        result = context.run(["/bin/sh", "-c", script], numa=nodes if nodes > 1 else 0, mem="512M")
        lines = result.stdout.decode().splitlines()
        totals = [int(line.split()[3]) for line in lines if "MemTotal" in line]
        blocks = [list(map(int, line.split()[4:])) for line in lines if "zone" in line]
        free = [sum(count * 4 << order for order, count in enumerate(node)) for node in blocks]
        expect(lines[0] == ("0" if nodes == 1 else f"0-{nodes - 1}") and len(totals) == len(blocks) == nodes
               and all(len(node) == 11 for node in blocks) and sum(totals) > 470 << 10 and sum(free) > 400 << 10,
               f"what is known about {nodes} nodes", result)


@case(cpus=(8,), peer=False)
def more_processors(context):
    result = context.run(["/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (seq 1 20000 | md5sum) & done; wait; nproc"])
    lines = result.stdout.split(b"\n")
    expect(lines[8] == b"8" and len(set(lines[:8])) == 1, "eight jobs on eight CPUs", result)


@case(cpus=(1,), peer=False)
def appliance(context):
    script = "seq 1 100 | sort -n | tail -1; (exit 3); echo $?; cat /proc/self/status | grep -c Name"
    result = context.run(["/bin/sh", "-c", script], isolation="appliance")
    expect(result.stdout == b"100\n3\n1\n", "with its own personality", result)


@case(cpus=(1,), peer=False)
def first_context(context):
    result = keel("run", "--context", "staff_u:staff_r:staff_t:s0-s1:c3,c1,c2", "--", "/bin/cat", "/proc/1/attr/current")
    expect(result.returncode == 0 and result.stdout == b"staff_u:staff_r:staff_t:s0-s1:c1.c3\0", f"the program's context: {result}")
    script = "ps -Z; printf u:r:second:s0 >/proc/self/attr/exec && exec ps -eZ"
    result = context.run(["/bin/bash", "-c", script], test_root(installed=("/usr/bin/ps",)), context="u:r:first:s1:c2")
    labels = [line.split()[0] for line in result.stdout.decode().splitlines()]
    expect(labels == ["LABEL", "u:r:first:s1:c2", "u:r:first:s1:c2", "LABEL", "u:r:second:s0"], "Debian's ps", result)
    result = context.run(["/usr/bin/runcon", "u:r:t:s0", "/bin/true"], test_root(installed=("/usr/bin/runcon",)))
    expect(result.status == 1 and b"only on a SELinux kernel" in result.stderr, "Debian's runcon", result)
    result = context.run(["/bin/true"], context="u:r:t")
    expect(result.status == 126 and b"--context=u:r:t: Invalid argument" in result.log, "no context", result)


@case(cpus=(1,), peer=False)
def quick_start(context):
    began = time.monotonic()
    result = context.run(["/bin/true"])
    context.detail(f"{time.monotonic() - began:.2f} s from start to end")
    expect(result.status == 0, "true", result)


@case(cpus=(1,), peer=False)
def unsupported_calls_are_logged_once(context):
    program = "i=0; while [ $i -lt 5 ]; do /test/bin/enosys > /dev/null; i=$((i + 1)); done"
    result = context.run(["/bin/sh", "-c", program], test_root((("enosys", "musl"),)))
    lines = [line for line in result.log.splitlines() if b"not supported" in line]
    expect(len(lines) == len(set(line.split(b"call")[1] for line in lines)), "each once", result)
    expect(any(b"call 335" in line or b"335" in line for line in lines), "the number is named", result)
