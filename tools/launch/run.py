"""Running one Linux program in the system, or on the peer: what `./keel run` and the tests share."""
import dataclasses
import os
import time

from launch import build, panic, peer
from launch.machine import BOOT_MARK, Machine, exit_status
from launch.pump import Pump
from launch.root import root_bytes

STATUS_TIMEOUT = 124
STATUS_BROKEN = 125
LOG_TAIL_LINES = 25
LOG_BEGINS = b"keel: "  # the serial lines are set up by then
# Native programs that are there when the command line asks for them: by its words, as in servers/init/manifest.
OPTIONAL = {"keelstat": ["keelstat"], "faults": ["swifi"], "console=tty0": ["display"], "accel": ["accel"]}


@dataclasses.dataclass
class Options:
    program: list = dataclasses.field(default_factory=list)  # strings or bytes; empty: the default shell
    root: object = None         # a path, None for the default root, or the bytes of a plain cpio
    smp: int = 1
    mem: str = "512M"
    machine: str = "q35"
    boot: str = "pvh"           # pvh, bios, uefi, uefi-grub, uefi-secure
    devices: tuple = ()         # QEMU's -device arguments
    disks: tuple = ()           # files, each a virtio disk
    net: bool = False           # a virtio network card on QEMU's user network
    more: tuple = ()            # more of QEMU's command line
    debug_exit: bool = True     # the device by which the system ends QEMU with its status
    image: str = None           # a bootable image made before, in place of what boot would make
    image_device: str = "virtio-blk-pci"
    cpu: str = "max"
    icount: bool = False
    in_turns: bool = False      # QEMU's processors run in turns, on one thread
    numa: int = 0               # NUMA nodes, which share memory and CPUs evenly; 0: no SRAT
    isolation: str = None
    context: str = None         # the first process's security context
    timeout: float = None       # seconds
    append: str = ""
    debug: bool = False
    log: str = None
    peer: bool = False          # on Debian's Linux
    modules: tuple = ()         # of the peer's kernel, to be loaded before the program starts
    kernel: str = None
    manifest: bytes = None      # init's; None: as it is shipped
    display: str = None         # QEMU's -display; None: nobody looks
    monitor: bool = False       # QEMU's, as Machine.monitor_path (QMP)
    terminal: bool = False      # COM1 is a terminal
    window: tuple = None        # rows, columns
    term: str = None            # TERM


@dataclasses.dataclass
class Result:
    status: int
    stdout: bytes = b""
    stderr: bytes = b""
    log: bytes = b""
    problem: str = ""           # why status is 124 or 125
    seconds: float = 0.0
    exit_code: int = None       # of QEMU; None when it had to be ended


def run_arguments(options):
    """etc/run: the personality's options and the program, as bytes."""
    arguments = ["--tty" if options.terminal else "--stream"]
    display = "console=tty0" in options.append.split()  # no terminal of the caller's
    if options.terminal and options.window:
        arguments.append("--winsize=%dx%d" % options.window)
    if options.term and not display:
        arguments.append("--env=TERM=" + options.term)
    if options.isolation:
        arguments.append("--isolation=" + options.isolation)
    if options.context:
        arguments.append("--context=" + options.context)
    if options.program:
        arguments += ["--", *options.program]
    return [os.fsencode(argument) for argument in arguments]


def prepare(options):
    """Builds what is needed, fills in the kernel. Returns the initrd's bytes."""
    root = options.root if isinstance(options.root, bytes) else root_bytes(options.root, build.BUILD)
    if options.disks:  # which the first program finds
        options.append = f"{options.append} disks={len(options.disks)}".strip()
    if options.net:
        options.append = f"{options.append} nets=1".strip()
    if options.peer:
        build.make("build/peer/init")
        options.kernel = options.kernel or peer.kernel()
        options.append = f"{peer.APPEND} {options.append}".strip()
        return root + b"\0" * (-len(root) % 4) + peer.init_archive(run_arguments(options), peer.modules(options.modules))
    if options.kernel is None:
        build.make()
        options.kernel = build.KERNEL
    words = options.append.split()
    tools = [name for word in OPTIONAL if any(word in (given, given.partition("=")[0]) for given in words) for name in OPTIONAL[word]]
    if tools:
        build.make(*("build/bin/" + name for name in tools))
    return build.native_archive(run_arguments(options), tools, options.manifest) + root


def start(options, stdin, out, err):
    """A machine and the pump that serves it."""
    initrd = prepare(options)
    machine = Machine(options, initrd)
    deadline = time.monotonic() + options.timeout if options.timeout else None
    mark = None if options.boot == "pvh" else BOOT_MARK
    hold = peer.READY if options.peer else mark or LOG_BEGINS
    return machine, Pump(machine, stdin, out, err, options.terminal, deadline, hold, mark)


def judge(options, machine, in_time, result):
    """Fills in the status of a machine that has ended, or whose time is over."""
    if not in_time:
        result.status, result.problem = STATUS_TIMEOUT, f"no end after {options.timeout:g} s"
        machine.stop()
    result.log = machine.log()
    if in_time:
        result.exit_code = machine.process.wait()
        status = exit_status(machine.log())
        result.log = machine.log()
        if status is None:
            result.status, result.problem = STATUS_BROKEN, "the system stopped without an exit status"
            if machine.refusal:
                result.problem = "the firmware started nothing\n" + machine.refusal.strip()
        else:
            result.status = status
    told = panic.told(result.log, options)
    if told:
        result.problem = f"{result.problem or 'the kernel panicked'}\n{told}"
    elif result.problem:
        tail = (machine.complaints() + result.log).decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        result.problem += "".join("\n  " + line for line in tail)
    if options.log and os.path.abspath(options.log) != machine.log_path:
        with open(options.log, "wb") as file:
            file.write(result.log)


def run(options, stdin=b"", out=None, err=None):
    """Runs to the end. Without out and err the output is collected in the result."""
    result = Result(STATUS_BROKEN)
    pieces = {"out": [], "err": []}
    began = time.monotonic()
    machine, pump = start(options, stdin, out or pieces["out"].append, err or pieces["err"].append)
    with machine:
        in_time = pump.run()
        judge(options, machine, in_time, result)
    result.seconds = time.monotonic() - began
    result.stdout, result.stderr = b"".join(pieces["out"]), b"".join(pieces["err"])
    return result
