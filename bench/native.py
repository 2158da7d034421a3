"""The kernel's own operations (bench/kbench.c), run as a native program in place of the personality."""
import os
import re

from launch import build, native
from launch.errors import UserError
from launch.run import Options

MEMORY = "1400M"  # one row snapshots 1 GB
BOUND_MEMORY = "1500M"  # processes with 1 GB are killed
ROW = re.compile(r"row (\S+) (\S+) (\S+) (\S+) (\S+)$", re.MULTILINE)

ROWS = {  # name in bench/kbench_*.c: what the table says, the goal
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


BOUNDS = {  # what tests/native/kbound.c finds to be the longest: the row, whether the debug kernel tells, the goal
    "interrupts_off": ("longest time with interrupts off", True, 20000),
    "realtime_late": ("longest wait of a real-time task for its CPU", False, None),
}
BOUND = re.compile(r"stretch (.+?) +(\d+) instructions, .* task late by (\d+)$", re.MULTILINE)


def _log(program, manifest, options):
    """What a program wrote in a boot that ended well."""
    build.make("all", "build/bin/" + program, os.path.relpath(options.kernel, build.TOP))
    result = native.boot(options, native.archive([program], manifest))
    log = result.log.decode(errors="replace")
    if result.status != 0:
        raise UserError(f"bin/{program}: status {result.status}\n{result.problem or log}")
    return log


def figures(names, icount, cpu, timeout, smp=1):
    """{name: [ticks, ns, switches, entries]} of one boot."""
    options = Options(kernel=build.KERNEL, icount=icount, cpu=cpu, smp=smp, timeout=timeout, mem=MEMORY,
                      append="bench=" + ",".join(names))
    log = _log("kbench", "bench/kbench.manifest", options)
    found = {name: [float(number) for number in numbers] for name, *numbers in ROW.findall(log)}
    if set(names) - set(found):
        raise UserError(f"bin/kbench: no figures of {' '.join(set(names) - set(found))}\n{log}")
    return found


def bound(name, cpu, timeout):
    """The longest of a kind in all that tests/native/kbound.c makes the kernel do, in instructions."""
    _, debug, _ = BOUNDS[name]
    options = Options(kernel=build.KERNEL_DEBUG if debug else build.KERNEL, icount=True, cpu=cpu, timeout=timeout, mem=BOUND_MEMORY)
    log = _log("kbound", "tests/native/kbound.manifest", options)
    return max(int(stretch if debug else late) for _, stretch, late in BOUND.findall(log))
