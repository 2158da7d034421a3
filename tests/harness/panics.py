"""Mistakes that the debug kernel makes on purpose (kernel/variant/debug/provoke.c), and what it must print then."""
import re

from harness import native
from harness.case import Case, Failure
from harness.guest import shown
from launch import build, panic

TIMEOUT = 90
PANICS = {  # name: number in enum debug_what, the message, functions that must be in the panicking CPU's stack trace
    "panic": (16, r"asked for by debug_control\(16\)", ["panic", "debug_provoke", "syscall_dispatch"]),
    "lock-order": (18, r"lock order: rank \d+ taken while ranks [0-9a-f]+ are held", ["provoke_lock", "debug_provoke"]),
    "lock-twice": (19, r"deadlock: lock \w+ of rank 3 taken twice", ["debug_lock_wait", "provoke_lock"]),
    "lock-stuck": (20, r"deadlock: lock \w+ of rank 3 is held for too long by CPU 3", ["debug_lock_wait", "provoke_lock"]),
    "red-zone": (21, r"red zone of object \w+ of 100 bytes was written at \+64", ["kmem_free", "provoke_object"]),
    "freed-object": (22, r"freed object \w+ was written at \+30: [0-9a-f]+", ["kmem_alloc", "provoke_object"]),
    "object-twice": (23, r"object \w+ of 100 bytes freed twice", ["kmem_free", "provoke_object"]),
    "freed-page": (24, r"freed page [0-9a-f]+ was written at \+60: [0-9a-f]+", ["provoke_page"]),
    "page-twice": (25, r"page [0-9a-f]+ freed twice", ["page_free", "provoke_page"]),
    "cleared-page": (26, r"cleared page [0-9a-f]+ was written at \+60: [0-9a-f]+", ["provoke_page"]),
    "list": (27, r"list: the neighbours of \w+, \w+ and \w+, do not point at it", ["provoke_list"]),
    "stack": (28, r"kernel stack of CPU \d overflowed: 1c at its end", ["debug_stretch_end"]),
    "canary": (29, r"stack overwritten", ["stack_smashed"]),
    "undefined": (30, r"exception in the kernel", ["debug_provoke"]),
    "fault": (17, r"exception in the kernel", ["debug_provoke", "syscall_dispatch"]),
}


def _reports(told):
    """{CPU: its part of the report}."""
    parts = re.split(r"^ *CPU (\d+): ", told, flags=re.MULTILINE)
    return dict(zip(map(int, parts[1::2]), parts[2::2]))


def _check(told, cpus, message, functions):
    head = re.match(r"panic: (.*) \(CPU (\d+), cr2 \w+, kernel at \w+\)$", told.splitlines()[0] if told else "")
    if not head or not re.fullmatch(message, head[1]):
        return f"the message is not {message}"
    reports = _reports(told)
    if sorted(reports) != list(range(cpus)):
        return f"reports of the CPUs {sorted(reports)}"
    for function in functions:
        if not re.search(rf"\b{function}  kernel/", reports[int(head[2])]):
            return f"no {function} in the trace of the CPU that panicked"
    for cpu, report in reports.items():
        if not re.search(r"r15 [0-9a-f]+ .* rdi [0-9a-f]+$", report, re.MULTILINE):
            return f"no registers of CPU {cpu}"
        if not re.search(r"^ *trace: \d+ [a-z]+ ", report, re.MULTILINE) and cpu == int(head[2]):
            return f"no trace events of CPU {cpu}"
    return None


def _run(case, name, cpus, **machine):
    number, message, functions = PANICS[name]
    kernel = build.KERNEL_TRAPS if name == "undefined" else build.KERNEL_DEBUG
    result = native.boot("provoke", cpus, kernel, (number,), TIMEOUT, **machine)
    told = panic.described(result.log.decode(errors="replace"), panic.symbols_of(kernel))
    problem = _check(told, cpus, message, functions)
    if problem:
        raise Failure(f"{problem}\n{shown(result)}")
    case.detail = told.splitlines()[0]


# What panic= on the kernel's command line leads to: what QEMU's exit status is then (it is started with -no-reboot).
ENDINGS = {"exit": 251, "reboot": 0, "halt": None}
HALT_TIMEOUT = 5


def _run_ending(case, ending):
    result = native.boot("provoke", 1, build.KERNEL_DEBUG, (PANICS["panic"][0],),
                         HALT_TIMEOUT if ending == "halt" else TIMEOUT, append="panic=" + ending)
    if b"panic: asked for" not in result.log or result.exit_code != ENDINGS[ending]:
        raise Failure(f"QEMU's status is {result.exit_code}\n{shown(result)}")
    case.detail = f"QEMU's status is {result.exit_code}"


def cases():
    for ending in ENDINGS:
        case = Case(f"panic/ending-{ending}", None)
        case.run = lambda case=case, ending=ending: _run_ending(case, ending)
        yield case
    for name in PANICS:
        for cpus in (1, 4):
            case = Case(f"panic/{name}@{cpus}", None)
            case.run = lambda case=case, name=name, cpus=cpus: _run(case, name, cpus)
            yield case
    # Every CPU is reached wherever it is: in user mode, on isolated page tables.
    case = Case("panic/fault-kpti@4", None)
    case.run = lambda: _run(case, "fault", 4, append="kpti=on")
    yield case
