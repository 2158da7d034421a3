"""What QEMU's monitor shows of a running system: what programs see of the kernel's half of the address space, by the page tables in use
while user code runs; and how idle CPUs wait."""
import os
import re
import struct
import tempfile
import time

from harness.case import Case, Failure, command
from harness.display import Monitor
from harness.guest import patience
from launch import build
from launch.run import Options, start

PRESENT, WRITE, LARGE, NO_EXECUTE = 1, 2, 0x80, 1 << 63
ADDRESS = 0x000ffffffffff000
USER_BIT = 0x1000
PERSONALITY = 1 << 46
AREA = 0xffffffffffe00000                        # ISOLATED_BASE: kernel/arch/x86_64/vectors.h
CODE, INTERRUPTS, SEGMENTS, CPUS = AREA, AREA + 0x1000, AREA + 0x2000, AREA + 0x4000
SLEEPER = ["/bin/busybox", "sh", "-c", "for i in 1 2 3; do sleep 0.1; done; echo ready; sleep 1000"]
SYMBOLS = os.path.join(build.BUILD, "kernel.sym.elf")
STOPS = 200
WAIT = 20  # seconds
# Enters and leaves guest mode, and takes interrupts there, for as long as the case looks.
PROGRAM = ["/bin/busybox", "sh", "-c", "echo ready; while :; do read line </proc/uptime; for i in 1 2 3 4 5 6 7 8 9; do :; done; done"]


class Stopped:
    """A machine that runs a program, which has said "ready", to be looked into."""

    def __init__(self, folder, program, **options):
        self.options = Options(program=program, monitor=True, **options)
        self.path = os.path.join(folder, "page")
        self.output = b""
        self.machine, self.pump = start(self.options, None, self._take, self._take)
        self.monitor = Monitor(self.machine.monitor_path)
        end = time.monotonic() + WAIT * patience()
        while b"ready" not in self.output and time.monotonic() < end:
            self.pump.step(0.05)
        if b"ready" not in self.output:
            self.close()
            raise Failure(f"the program did not come: {self.output}")

    def _take(self, data):
        self.output += data

    def close(self):
        self.monitor.call("quit")
        self.monitor.close()
        self.machine.__exit__(None, None, None)

    def stopped(self, where):
        """Lets it run until a processor is stopped where its registers have this text: RIP and CR3."""
        end = time.monotonic() + WAIT * patience()
        while time.monotonic() < end:
            self.monitor.call("cont")
            self.pump.step(0.005)
            self.monitor.call("stop")
            text = self.monitor.call("human-monitor-command", **{"command-line": "info registers -a"})
            for cpu in text.split("CPU#")[1:]:
                if where in cpu:
                    return tuple(int(re.search(rf"{name}=([0-9a-f]+)", cpu)[1], 16) for name in ("RIP", "CR3"))
        raise Failure(f"never stopped with {where}")

    def table(self, physical):
        self.monitor.call("pmemsave", val=physical & ADDRESS, size=4096, filename=self.path)
        with open(self.path, "rb") as file:
            return struct.unpack("<512Q", file.read())

    def kernel_pages(self, root):
        """{address: entry} of the kernel's half; of tables with large pages only the first."""
        found = {}

        def walk(physical, base, shift, slots):
            for slot, entry in enumerate(self.table(physical)):
                address = base + (slot << shift)
                if slot not in slots or not entry & PRESENT:
                    continue
                if shift == 12 or entry & LARGE:
                    found[address] = entry
                    if entry & LARGE:
                        return
                else:
                    walk(entry, address, shift - 9, range(512))

        walk(root, 0xffff << 48, 39, range(256, 512))
        return found


def _expect(condition, what):
    if not condition:
        raise Failure(what)


def _look(folder, isolated, cpus, **options):
    """Stops the program in guest mode and its personality outside, and compares what either root shows."""
    machine = Stopped(folder, PROGRAM, smp=cpus, **options)
    try:
        roots = {}
        for _ in range(STOPS):
            rip, root = machine.stopped("CPL=3")
            roots[rip < PERSONALITY] = root
            if len(roots) == 2:
                break
        _expect(len(roots) == 2 and roots[True] != roots[False], f"stopped only at {roots}")
        for root in roots.values():
            _expect(bool(root & USER_BIT) == isolated or not isolated, f"user mode runs on {root:#x}")
            pages = machine.kernel_pages(root)
            if not isolated:
                _expect(len(pages) > 20, f"no kernel in {root:#x}: {len(pages)} pages")
                continue
            wanted = [CODE, INTERRUPTS, SEGMENTS, *(CPUS + i * 4096 for i in range(cpus))]
            _expect(sorted(pages) == wanted, f"{root:#x} shows {[hex(page) for page in sorted(pages)]}")
            for page, entry in pages.items():
                _expect(bool(entry & NO_EXECUTE) == (page != CODE) and not entry & 4, f"{page:#x}: {entry:#x}")
                _expect(page >= SEGMENTS or not entry & WRITE, f"{page:#x} is writable: {entry:#x}")
            _expect(len(machine.kernel_pages(root & ~USER_BIT)) > 20, "the kernel's own root lacks the kernel")
    finally:
        machine.close()


def _check(case):
    """With kpti=on, or on a processor that needs it, user roots show entry code and what the processor reads, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        _look(folder, True, 4, append="kpti=on")
        _look(folder, False, 1)
        _look(folder, True, 1, cpu="max,vendor=GenuineIntel")
        _look(folder, False, 1, cpu="max,vendor=GenuineIntel", append="kpti=off")
    case.detail = "4 boots"


def _idle_instruction(folder, append):
    """What a CPU that sleeps has executed last; it was woken some times before."""
    machine = Stopped(folder, SLEEPER, append="nokaslr " + append)
    try:
        rip, _ = machine.stopped("HLT=1")
    finally:
        machine.close()
    before = None
    for line in command(["objdump", "-d", "--no-show-raw-insn", SYMBOLS], cwd=build.TOP).splitlines():
        match = re.match(r"([0-9a-f]{16}):\t(\w+)", line)
        if match and int(match[1], 16) == rip:
            return before
        before = match[2] if match else before
    raise Failure(f"asleep at {rip:#x}")


def _check_idle(case):
    """idle=mwait and idle=hlt choose; under a hypervisor nothing is as good as HLT. QEMU's MWAIT sleeps when there is one CPU."""
    with tempfile.TemporaryDirectory() as folder:
        for append, wanted in (("idle=mwait", "mwait"), ("", "hlt"), ("idle=mwait idle=hlt", "hlt")):
            found = _idle_instruction(folder, append)
            _expect(found == wanted, f"{append or 'by default'}: {found}")
    case.detail = "3 boots"


def cases():
    for name, check in (("kpti/roots", _check), ("idle/instruction", _check_idle)):
        case = Case(name, None)
        case.run = lambda case=case, check=check: check(case)
        yield case
