"""What the system tells about itself in /proc: counters and traces of the kernel, calls of the personality."""
import re

from harness.guest import test_root
from harness.system import case, expect

ROOT = test_root()
SCRIPT = """
cat /proc/keel_cpu; echo ==
echo all > /proc/keel_trace; echo on > /proc/keel_syscalls
ls /bin > /dev/null; (sleep 0.02); sleep 0.02
echo off > /proc/keel_trace; echo off > /proc/keel_syscalls
cat /proc/keel_cpu; echo ==
cat /proc/keel_calls; echo ==
cat /proc/keel_syscalls; echo ==
cat /proc/keel_trace; echo ==
cat /proc/interrupts; echo ==
cat /proc/stat; echo ==
echo nonsense > /proc/keel_trace || echo refused
"""


def _rows(text):
    return [[int(word) for word in line.split()] for line in text.strip().splitlines()[1:]]


def _counters_grow(before, after, cpus):
    before, after = _rows(before), _rows(after)
    sums = [sum(column) for column in zip(*after)]
    return (len(before) == len(after) == cpus and all(new >= old for one, other in zip(before, after)
                                                      for old, new in zip(one, other)) and
            all(total > 0 for total in sums[1:]))


def _calls_named(text):
    lines = {line.split()[0]: line for line in text.strip().splitlines()}
    return all(re.fullmatch(rf"{name} [1-9]\d* ticks [1-9]\d*( 2\^\d+:\d+)+", lines.get(name, ""))
               for name in ("thread_wait", "handle_close", "page_fault"))


def _trace_ordered(text):
    events = [line.split() for line in text.strip().splitlines()]
    times = [float(event[0]) for event in events]
    kinds = {event[3] for event in events}
    return times == sorted(times) and {"switch", "call", "return"} <= kinds


@case(cpus=(1, 4), peer=False)
def insight_files(context):
    result = context.run(["/bin/sh", "-c", SCRIPT], ROOT)
    parts = result.stdout.decode().split("==\n")
    expect(len(parts) == 8, "eight parts", result)
    before, after, calls, linux_calls, trace, interrupts, stat, refused = parts
    expect(_counters_grow(before, after, context.cpus), "counters of each CPU grow", result)
    expect(_calls_named(calls), "calls have counts and times", result)
    for name in ("getdents64", "execve", "wait4"):
        expect(re.search(rf"^{name} [1-9]\d* ns [1-9]\d*$", linux_calls, re.MULTILINE), name, result)
    expect(_trace_ordered(trace), "events of the trace in order", result)
    expect(re.search(r"^LOC:( +\d+)+   Local timer interrupts$", interrupts, re.MULTILINE), "timer interrupts", result)
    expect(len(re.findall(r"^cpu\d+ ", stat, re.MULTILINE)) == context.cpus, "a line per CPU", result)
    expect("refused" in refused, "a wrong name is refused", result)


@case(cpus=(1, 4), peer=False)
def insight_keelstat(context):
    result = context.run(["/bin/sh", "-c", "for i in 1 2 3 4 5 6; do ls /bin > /dev/null; sleep 0.1; done"], ROOT,
                         append="keelstat=100 rdpmc")
    log = result.log.decode()
    for cpu in range(context.cpus):
        expect(re.search(rf"keelstat: cpu{cpu} .* % busy, a second: \d+ switches, .* \d+ reflections$", log, re.MULTILINE),
               f"a line for CPU {cpu}", result)
    expect(re.search(r"keelstat: +page_fault +\d+ a second, half of those timed below 2\^\d+ ticks$", log, re.MULTILINE),
           "the calls made most", result)
    expect("this machine has no hardware counters" in log, "QEMU counts nothing", result)
    without = context.run(["/bin/true"], ROOT)
    expect("keelstat" not in without.log.decode(), "only when it is asked for", without)
