"""`./keel bench`: one binary (bench/ops.c, ops_two.c) on Keel and on Debian's Linux 6.1, in the same QEMU; then the kernel's own operations
(bench/kbench.c, native.py), how long interrupts and a real-time task wait at most, how some operations scale from one CPU to two,
requests to disks (bench/disk.c, disk.py), and how long each boot path takes.

Instructions come from a run under -icount shift=0, where the time-stamp counter counts them; time from a second run without.
The CPU has no ERMS, because each step of a `rep` counts as an instruction and Linux would clear pages byte by byte. Where a row
has no goal of its own, Linux's figure is what it is judged by.
"""
import glob
import json
import os
import re
import subprocess

from bench import disk, native
from launch import build
from launch.cpio import Archive
from launch.errors import UserError
from launch.root import standard
from launch.run import Options, run as run_guest

CPU = "max,-erms"
PROGRAM = "/bench/ops"
TIMEOUT = 600
BOOT_MARK = re.compile(rb"first instruction at TSC (\d+), kernel clock (\d+) ns")
SHELL_MEMORY = ["/bin/sh", "-c", "cat /proc/keel /proc/meminfo 2>/dev/null; :"]

ROWS = {  # name in ops.c: what the table says
    "getpid": "getpid",
    "unknown_call": "unknown call",
    "write_null": "write(/dev/null, 1)",
    "read_zero": "read(/dev/zero, 1)",
    "sched_yield": "sched_yield",
    "mmap_munmap": "mmap + munmap 4 KB",
    "page_fault": "anonymous page fault",
    "page_fill": "anonymous page, filled in order",
    "copy_on_write": "copy-on-write fault",
    "pipe_round_trip": "pipe round trip",
    "fork_exit_wait": "fork + exit + wait",
    "vfork_exec_wait": "vfork + exec + wait",
    "pipe_64k": "pipe, per 64 KB",
}
NET_ROWS = {  # likewise, on two cards that one wire connects
    "frame": "frame sent and received",
    "frames": "frame of 32 sent, then received",
}
NET_DEVICES = tuple(word for number in (0, 1) for word in (
    "-netdev", f"hubport,id=port{number},hubid=0", "-device", f"virtio-net-pci,netdev=port{number},disable-legacy=on,addr={number + 8}"))
NET = {"more": NET_DEVICES, "append": "nets=2"}
NET_MODULES = ("virtio_pci", "virtio_net")
APPLIANCE = ["unknown_call", "write_null", "pipe_round_trip"]  # again, without page-table switches between program and personality
GOALS = {  # instructions
    "getpid": 60, "unknown_call": 150, "unknown_call_appliance": 150, "page_fault": 900, "copy_on_write": 2000, "mmap_munmap": 1200,
    "pipe_round_trip": 4000, "fork_exit_wait": 30000, "vfork_exec_wait": 60000, "pipe_64k": 15000,
}
SCALING = {  # name: the row, what is run by two at once
    "scaling_calls": ("call/reply pairs", "call_pairs"),
    "scaling_page_faults": ("page faults", "page_fault"),
    "scaling_page_fill": ("pages filled in order", "page_fill"),
    "scaling_forks": ("fork + exit + wait", "fork_exit_wait"),
}
SCALING_GOAL = 1.8
SCALING_BOOTS = 3
BOOT_PATHS = {  # how the machine boots: what the table says, whether instructions can be counted in a short time, else in a whole run alone
    "boot_pvh": ("pvh", "machine start to first user instruction: PVH", True),
    "boot_bios": ("bios", "machine start to first user instruction: GRUB on BIOS", True),
    "boot_uefi": ("uefi", "machine start to first user instruction: UEFI", False),
}
BOOT = "kernel entry to first user instruction"
POWER_ON = "power-on to first user instruction"
MEMORY = "memory in use at the prompt, KB"


def _compile(name):
    """The static program of bench/NAME.c, bench/NAME_*.c and bench/NAME.h."""
    target = os.path.join(build.BUILD, "bench", name)
    sources = sorted(glob.glob(os.path.join(build.TOP, "bench", name + "[._]*[ch]")))
    if os.path.exists(target) and os.path.getmtime(target) > max(map(os.path.getmtime, sources)):
        return target
    os.makedirs(os.path.dirname(target), exist_ok=True)
    line = ["musl-gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O2", "-static", "-o", target,
            *(source for source in sources if source.endswith(".c"))]
    result = subprocess.run(line, capture_output=True, text=True)
    if result.returncode != 0:
        raise UserError("the build failed\n" + result.stderr.rstrip())
    return target


def _root():
    archive = Archive()
    standard(archive)
    archive.directory("bench")
    for path in (PROGRAM, disk.PROGRAM):
        with open(_compile(os.path.basename(path)), "rb") as file:
            archive.file(path[1:], file.read(), 0o755)
    return archive.finish()


def _run(root, program, **more):
    """The result of a program in the guest; anything but success is an error of the bench."""
    result = run_guest(Options(program=program, root=root, cpu=CPU, timeout=TIMEOUT, **more))
    if result.status != 0:
        where = "Linux" if more.get("peer") else "Keel"
        text = result.problem or result.stderr.decode(errors="replace").strip()
        raise UserError(f"{' '.join(program)} on {where}: status {result.status}\n{text}")
    return result


def _number(text):
    return None if text == "-" else float(text)


def _figures(result):
    """{name: [ticks, ns, switches, entries]} from the output of ops."""
    figures = {}
    for line in result.stdout.decode().splitlines():
        name, *numbers = line.split()
        figures[name] = [_number(number) for number in numbers]
    return figures


def _value(text, name):
    match = re.search(rf"^{name}:? +(\d+)", text, re.MULTILINE)
    return int(match[1]) if match else None


def row(name, keel=None, linux=None, switches=None, entries=None, keel_ns=None, linux_ns=None, goal=None, scaling=None,
        linux_scaling=None):
    def whole(value):
        return None if value is None else round(value)
    return {"name": name, "keel_instructions": whole(keel), "linux_instructions": whole(linux),
            "page_table_switches": switches, "kernel_entries": entries, "keel_ns": whole(keel_ns),
            "linux_ns": whole(linux_ns), "goal": goal, "scaling": scaling,
            "linux_scaling": linux_scaling}


def _operation_rows(root, quick, isolation, names, peer, **more):
    """Rows for ops.c. peer: Linux's figures, with and without icount."""
    if not names:
        return []
    counted = _figures(_run(root, [PROGRAM, *names], icount=True, isolation=isolation, **more))
    timed = {} if quick else _figures(_run(root, [PROGRAM, *names], isolation=isolation, **more))
    rows = []
    for name in names:
        ticks, _, switches, entries = counted[name]
        title = f"{name}_{isolation}" if isolation else name
        rows.append(row(title, ticks, peer[0].get(name, [None])[0], switches, entries, timed.get(name, [None, None])[1],
                        peer[1].get(name, [None, None])[1], GOALS.get(title)))
    return rows


def _net_rows(root, quick, names, peer):
    """Rows of ops.c that need network cards. peer: whether Linux is asked too."""
    if not names:
        return []
    figures = ({}, {})
    if peer:
        linux = {"peer": True, "modules": NET_MODULES, **NET}
        figures = (_figures(_run(root, [PROGRAM, *names], icount=True, **linux)),
                   {} if quick else _figures(_run(root, [PROGRAM, *names], **linux)))
    return _operation_rows(root, quick, None, names, figures, **NET)


def _kernel_rows(quick, names):
    """Rows for kbench.c."""
    if not names:
        return []
    counted = native.figures(names, True, CPU, TIMEOUT)
    timed = {} if quick else native.figures(names, False, CPU, TIMEOUT)
    return [row(name, counted[name][0], None, *counted[name][2:], timed.get(name, [None, None])[1], goal=native.ROWS[name][1])
            for name in names]


def _bound_rows(names):
    """Rows for tests/native/kbound.c."""
    return [row(name, native.bound(name, CPU, TIMEOUT), goal=native.BOUNDS[name][2]) for name in names]


def _disk_rows(root, quick, names, peer):
    """Rows for disk.c. peer: whether Linux is asked too."""
    def measured(on_linux, icount):
        return disk.figures(lambda program, **more: _figures(_run(root, program, **more)), names, on_linux, icount)
    keel = (measured(False, True), {} if quick else measured(False, False))
    linux = (measured(True, True), {} if quick else measured(True, False)) if peer else ({}, {})
    return [row(name, keel[0][name][0], linux[0].get(name, [None])[0], *keel[0][name][2:], keel[1].get(name, [None, None])[1],
                linux[1].get(name, [None, None])[1]) for name in names]


def _boot_rows(root, quick, names):
    """From the start of the machine, which is when its time-stamp counter begins, to the first instruction of a Linux program. While
    firmware waits for a device, a nanosecond counts as an instruction."""
    rows = []
    for name in names:
        path, _, countable = BOOT_PATHS[name]
        def first(icount):
            result = _run(root, SHELL_MEMORY, boot=path, icount=icount)
            megahertz = re.search(rb"TSC (\d+) MHz", result.log)
            return _value(result.stdout.decode(), "first_user_tsc"), int(megahertz[1])
        counted = first(True)[0] if countable or not quick else None
        ticks, megahertz = (None, 1) if quick and countable else first(False)
        rows.append(row(name, counted, keel_ns=None if ticks is None else ticks * 1000 / megahertz))
    return rows


def _scaling_rows(root, names):
    """How much more two programs do in the same time on a CPU each than both on one, of the same machine with two CPUs. The column of
    times has those of two CPUs."""
    programs = [SCALING[name][1] for name in names]
    found, linux = {}, {}  # program: ns on one CPU, on two
    if "call_pairs" in programs:
        rows = ["call_pairs_one", "call_pairs_two"]
        boots = [native.figures(rows, False, CPU, TIMEOUT, smp=2) for _ in range(SCALING_BOOTS)]
        found["call_pairs"] = [min(boot[name][1] for boot in boots) for name in rows]
    others = [name for name in programs if name in ROWS]
    if others:
        found.update(_figures(_run(root, [PROGRAM, "--two", *others], smp=2)))
        linux = _figures(_run(root, [PROGRAM, "--two", *others], smp=2, peer=True))

    def scaling(figures):
        return figures and round(figures[0] / figures[1], 2)
    return [row(name, keel_ns=found[program][1], linux_ns=linux.get(program, [None, None])[1], goal=SCALING_GOAL,
                scaling=scaling(found[program]), linux_scaling=scaling(linux.get(program)))
            for name, program in zip(names, programs)]


def _peer_figures(root, quick, names):
    """Linux's figures, counted and timed, and the instructions to the first one of its /init: from power-on, and by the
    kernel's own clock, which begins when the image has been unpacked."""
    counted = _run(root, [PROGRAM, *names], icount=True, peer=True)
    timed = {} if quick else _figures(_run(root, [PROGRAM, *names], peer=True))
    mark = BOOT_MARK.search(counted.log)
    if not mark:
        raise UserError("the log of Linux does not say when its /init began")
    return _figures(counted), timed, (int(mark[1]), int(mark[2]))


def _system_rows(root, linux_start):
    """Boot and memory."""
    keel = _run(root, SHELL_MEMORY, icount=True).stdout.decode()
    linux = _run(root, SHELL_MEMORY, peer=True).stdout.decode()
    entry, first = _value(keel, "boot_tsc"), _value(keel, "first_user_tsc")
    keel_memory = (_value(keel, "pages_total") - _value(keel, "pages_free")) * 4
    linux_memory = _value(linux, "MemTotal") - _value(linux, "MemFree")
    return [row(BOOT, first - entry, linux_start[1]), row(POWER_ON, first, linux_start[0]),
            row(MEMORY, keel_memory, linux_memory)]


def _title(name):
    if name in native.ROWS:
        return native.ROWS[name][0]
    if name in native.BOUNDS:
        return native.BOUNDS[name][0]
    if name in disk.ROWS:
        return disk.ROWS[name]
    if name in BOOT_PATHS:
        return BOOT_PATHS[name][1]
    if name in SCALING:
        return f"{SCALING[name][0]}: 2 CPUs against 1"
    operation, _, isolation = name.rpartition("_")
    if isolation == "appliance":
        return f"{ROWS[operation]}, appliance"
    return ROWS.get(name) or NET_ROWS.get(name, name)


def _cell(value):
    if value is None:
        return ""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


def _good(entry):
    """Whether the row's goal is met, and Linux is not better; None where there is nothing to compare with."""
    if entry["scaling"] is not None:
        return entry["scaling"] >= entry["goal"]
    limits = [limit for limit in (entry["goal"], entry["linux_instructions"]) if limit and entry["keel_instructions"]]
    return entry["keel_instructions"] <= min(limits) if limits else None


def _verdict(entry):
    good = _good(entry)
    if good is None:
        return ""
    word = "good" if good else "MISSED"
    if entry["scaling"] is not None:
        return f"{word}, {entry['scaling']} times" + (f", Linux {entry['linux_scaling']}" if entry["linux_scaling"] else "")
    return f"{word}, {100 * entry['keel_instructions'] / (entry['goal'] or entry['linux_instructions']):.3g} %"


def _goal(entry):
    if not entry["goal"]:
        return ""
    return f"≥ {entry['goal']}" if entry["scaling"] is not None else f"≤ {entry['goal']:,}"


HEADERS = ["", "Keel", "Linux", "switches", "entries", "Keel ns", "Linux ns", "goal", "verdict"]


def table(rows):
    """Markdown, aligned for reading as it is."""
    lines = [HEADERS]
    for entry in rows:
        lines.append([_title(entry["name"]), *(_cell(entry[key]) for key in (
            "keel_instructions", "linux_instructions", "page_table_switches", "kernel_entries", "keel_ns", "linux_ns")),
            _goal(entry), _verdict(entry)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADERS))]
    text = ["| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                              for i, (cell, width) in enumerate(zip(line, widths))) + " |" for line in lines]
    text.insert(1, "|" + "|".join("-" * (width + 2) if i == 0 else "-" * (width + 1) + ":"
                                  for i, width in enumerate(widths)) + "|")
    return "\n".join(text)


def _names(options):
    """The rows asked for, in order: of ops.c, of ops.c in appliance isolation, of kbench.c, of kbound.c, of scaling, of network
    cards, of disks, of boot paths."""
    appliance = [f"{name}_appliance" for name in APPLIANCE]
    groups = [list(ROWS), appliance, list(native.ROWS), list(native.BOUNDS), list(SCALING), list(NET_ROWS), list(disk.ROWS),
              list(BOOT_PATHS)]
    known = [name for group in groups for name in group]
    for name in options.names:
        if name not in known:
            raise UserError(f"no row \"{name}\"; there are {' '.join(known)}")
    if options.names:
        groups = [[name for name in group if name in options.names] for group in groups]
    groups[1] = [name.removesuffix("_appliance") for name in groups[1]]
    return groups


def run(options):
    operations, appliance, kernel, bounds, scaling, net, disks, boots = _names(options)
    quick = options.quick or bool(options.names)
    root = _root()
    counted, timed, linux_start = {}, {}, None
    if not options.names:
        counted, timed, linux_start = _peer_figures(root, quick, operations)
    rows = _operation_rows(root, quick, None, operations, (counted, timed))
    rows += _operation_rows(root, quick, "appliance", appliance, (counted, timed))
    rows += _net_rows(root, quick, net, not options.names)
    rows += _kernel_rows(quick, kernel)
    rows += _bound_rows(bounds)
    if options.names or not quick:
        rows += _scaling_rows(root, scaling)
    rows += _disk_rows(root, quick, disks, not options.names)
    rows += _boot_rows(root, quick, boots)
    if linux_start:
        rows += _system_rows(root, linux_start)
    print(table(rows))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
            file.write("\n")
    return 1 if any(_good(entry) is False for entry in rows) else 0
