"""What programs see of the kernel's half of the address space: page tables, as QEMU's monitor shows them while user code runs."""
import os
import re
import struct
import tempfile
import time

from harness.case import Case, Failure
from harness.display import Monitor
from harness.guest import patience
from launch.run import Options, start

PRESENT, WRITE, LARGE, NO_EXECUTE = 1, 2, 0x80, 1 << 63
ADDRESS = 0x000ffffffffff000
USER_BIT = 0x1000
PERSONALITY = 1 << 46
AREA = 0xffffffffffe00000                        # ISOLATED_BASE: kernel/arch/x86_64/vectors.h
CODE, INTERRUPTS, SEGMENTS, CPUS = AREA, AREA + 0x1000, AREA + 0x2000, AREA + 0x4000
STOPS = 200
WAIT = 20  # seconds
# Enters and leaves guest mode, and takes interrupts there, for as long as the case looks.
PROGRAM = ["/bin/busybox", "sh", "-c", "echo ready; while :; do read line </proc/uptime; for i in 1 2 3 4 5 6 7 8 9; do :; done; done"]


class Stopped:
    """A machine that runs the program, to be looked into."""

    def __init__(self, folder, **options):
        self.options = Options(program=PROGRAM, monitor=True, **options)
        self.path = os.path.join(folder, "page")
        self.output = b""
        self.machine, self.pump = start(self.options, None, self._take, self._take)
        self.monitor = Monitor(self.machine.monitor_path)
        end = time.monotonic() + WAIT * patience()
        while b"ready" not in self.output and time.monotonic() < end:
            self.pump.step(0.05)

    def _take(self, data):
        self.output += data

    def close(self):
        self.monitor.call("quit")
        self.monitor.close()
        self.machine.__exit__(None, None, None)

    def in_user_mode(self):
        """Lets it run until a processor is stopped there: the instruction's address and CR3."""
        end = time.monotonic() + WAIT * patience()
        while time.monotonic() < end:
            self.monitor.call("cont")
            self.pump.step(0.005)
            self.monitor.call("stop")
            text = self.monitor.call("human-monitor-command", **{"command-line": "info registers -a"})
            for cpu in text.split("CPU#")[1:]:
                if "CPL=3" in cpu:
                    return tuple(int(re.search(rf"{name}=([0-9a-f]+)", cpu)[1], 16) for name in ("RIP", "CR3"))
        raise Failure("never stopped in user mode")

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
    machine = Stopped(folder, smp=cpus, **options)
    try:
        roots = {}
        for _ in range(STOPS):
            rip, root = machine.in_user_mode()
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


def cases():
    case = Case("kpti/roots", None)
    case.run = lambda: _check(case)
    yield case
