"""The kernel's own operations (bench/kbench.c), run as a native program in place of the personality."""
import os
import re
import time

from launch import build
from launch.cpio import Archive
from launch.errors import UserError
from launch.machine import Machine
from launch.pump import Pump
from launch.run import Options, Result, STATUS_BROKEN, judge

MEMORY = "1400M"  # one row snapshots 1 GB
ROW = re.compile(r"row (\S+) (\S+) (\S+) (\S+) (\S+)$", re.MULTILINE)

ROWS = {  # name in kbench.c: what the table says, the goal
    "null_call": ("native null call", 60),
    "call_8_words": ("call + reply-and-receive, two spaces, 8 words", 300),
    "call_4_handles": ("the same, 4 handles there and back", None),
    "call_4_kb": ("the same, 4 KB there", None),
    "send_receive": ("asynchronous send + receive", 350),
    "yield_switch": ("yield between two threads, two spaces", 150),
    "event_wakes": ("event signalled → waiting thread of another space runs", 250),
    "interrupt_driver": ("interrupt (RTC, IRQ 8) → user driver thread runs", 500),
    "timer_packet": ("timer → thread of another space runs", None),
    "guest_call": ("guest call reflected and back", 150),
    "guest_call_unified": ("guest call reflected and back, appliance", 150),
    "guest_fault": ("guest fault reflected to its handler and back", 400),
    "guest_fault_unified": ("guest fault reflected and back, appliance", 400),
    "native_fixup": ("native fault to its fix-up", 400),
    "page_map": ("native map of a page", 400),
    "page_touch": ("first touch of it", None),
    "page_unmap": ("native unmap of it", 400),
    "snapshot_4m": ("snapshot of a 4 MB Vmo", 3000),
    "snapshot_1g": ("snapshot of a 1 GB Vmo", 3000),
    "null_batch": ("null call, one of 50 in a batch", None),
    "channel_write_read": ("channel: 64 bytes written and read", None),
    "event_create_close": ("event create + close", 250),
    "page_allocate_free": ("page allocate + free", 40),
}


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _archive():
    archive = Archive()
    archive.directory("bin")
    archive.directory("etc")
    for program in ("init", "kbench"):
        archive.file("bin/" + program, _read(os.path.join(build.BUILD, "bin", program)), 0o755)
    archive.file("etc/manifest", _read(os.path.join(build.TOP, "bench", "kbench.manifest")))
    data = archive.finish()
    return data + b"\0" * (-len(data) % build.PAGE)


def figures(names, icount, cpu, timeout, smp=1):
    """{name: [ticks, ns, switches, entries]} of one boot."""
    build.make("all", "build/bin/kbench")
    options = Options(kernel=build.KERNEL, icount=icount, cpu=cpu, smp=smp, timeout=timeout, mem=MEMORY,
                      append="bench=" + ",".join(names))
    result, pieces = Result(STATUS_BROKEN), []
    with Machine(options, _archive()) as machine:
        pump = Pump(machine, None, pieces.append, pieces.append, True, time.monotonic() + timeout)
        judge(options, machine, pump.run(), result)
    found = {name: [float(number) for number in numbers] for name, *numbers in ROW.findall(result.log.decode(errors="replace"))}
    if result.status != 0 or set(names) - set(found):
        raise UserError(f"bin/kbench: status {result.status}\n{result.problem or result.log.decode(errors='replace')}")
    return found
