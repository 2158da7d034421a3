"""Keel's command line: run, image, test, bench. Started by ./keel, which installs what is missing first."""
import argparse
import os
import signal
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tests"), TOP]

from launch.errors import UserError  # noqa: E402

HELP = """\
Keel: a capability microkernel below 50 KB that runs unmodified Linux programs.

  ./keel run                              build, boot, and an interactive shell (Debian's busybox)
  ./keel run [options] -- PROGRAM ARGS…   run one Linux program; exits with its status, 128+n for signal n
  ./keel image [options] FILE [-- PROGRAM ARGS…]      a bootable image, for a CD or a USB stick
  ./keel test [NAME…]                     everything CI runs, or parts: unit fuzz size lint system, or a case's name
  ./keel test --list                      the names of all cases
  ./keel bench [NAME…] [--json FILE]      Keel beside Debian's Linux 6.1, in instructions and time
  ./keel COMMAND --help                   the options of a command

run prints nothing but the program's own output; the system's messages go to --log FILE. Exit status 124: --timeout was
over; 125: the system itself failed, with the end of its log; 2: the command line is wrong; 126, 127: the program
could not be started, was not found. In the interactive shell, Ctrl-] three times within a second leaves at once.
"""

class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UserError(f"{message}; see ./keel --help")


def run_parser():
    parser = Parser(prog="./keel run", description="Runs one Linux program, or an interactive shell.",
                    usage="./keel run [options] [-- PROGRAM ARGS…]", allow_abbrev=False)
    add = parser.add_argument
    add("--smp", type=int, default=1, metavar="N", help="CPUs (default 1)")
    add("--mem", default="512M", metavar="SIZE", help="memory, for example 32M or 1G (default 512M)")
    add("--root", metavar="DIR|CPIO", help="root file system: a directory or a cpio archive, plain or gzip "
        "(default: made from Debian's busybox-static and bash-static)")
    add("--timeout", type=float, metavar="S", help="end after S seconds with status 124")
    add("--log", metavar="FILE", help="where the system's messages go")
    add("--machine", choices=["q35", "pc", "microvm"], default="q35", help="QEMU machine (default q35)")
    add("--icount", action="store_true", help="deterministic: the clock counts guest instructions; one CPU")
    add("--isolation", choices=["process", "appliance"], help="how the program and its personality are separated")
    add("--context", metavar="USER:ROLE:TYPE:RANGE", help="the program's security context (default system_u:system_r:kernel_t:s0)")
    add("--append", default="", metavar="STR", help="added to the kernel command line: panic=halt or reboot; "
        "idle=mwait, idle=hlt: how CPUs wait; kpti=on, kpti=off: page tables for user mode without the kernel, or not, whatever the CPU needs; "
        "sched=rr: threads of a level in turn, 10 ms each, and no moves between levels; sched=pack: on few CPUs while two threads do not wait on one; "
        "cpufreq=performance, balance_performance, default, balance_power, power: what a processor that chooses its frequency prefers (default; with "
        "sched=pack balance_power), cpufreq=off: it is left as it is; keelstat: figures in the log; faults=N: bits flipped in drivers (servers/swifi)")
    add("--boot", choices=["pvh", "bios", "uefi", "uefi-grub", "uefi-secure"], default="pvh", help="boot path: QEMU's own "
        "loader; GRUB on BIOS; Keel's EFI program on UEFI; GRUB on UEFI; the EFI program signed with Debian's test key on "
        "firmware that trusts only that, q35 alone (default pvh; the others not on microvm)")
    add("--disk", metavar="FILE", action="append", default=[], help="a virtio disk with the file's contents, raw, or qcow2 by "
        "its name; the program's changes go there. May be repeated; not on microvm")
    add("--net", action="store_true", help="a virtio network card on QEMU's user network: eth0; not on microvm")
    add("--device", metavar="STR", action="append", default=[], help="one more device, as for QEMU's -device. May be repeated; "
        "not on microvm")
    add("--display", metavar="KIND", help="the program runs on the machine's own screen and PS/2 keyboard, which QEMU shows: vnc=:1 "
        "for a VNC viewer at port 5901; gtk or sdl for a window (Debian's qemu-system-gui)")
    add("--debug", action="store_true", help="the debug kernel, stopped before its first instruction for GDB at :1234")
    add("--peer", choices=["linux"], help="run the same program and root on Debian's Linux 6.1 instead, for comparison")
    add("--json", action="store_true", help="print the result as JSON on standard error after the run")
    return parser


def _arguments_check(options):
    for value, name in ((options.disk, "--disk"), (options.net, "--net"), (options.device, "--device")):
        if value and options.machine == "microvm":
            raise UserError(f"{name}: microvm has no PCI; use q35 or pc")
    for path in options.disk:
        if not os.path.isfile(path):
            raise UserError(f"--disk {path}: there is no such file")
    if options.boot != "pvh" and (options.machine == "microvm" or options.peer):
        raise UserError(f"--boot {options.boot}: only for Keel on q35 and pc")
    if options.boot == "uefi-secure" and options.machine != "q35":
        raise UserError("--boot uefi-secure: only on q35")
    if not 1 <= options.smp <= 64:
        raise UserError("--smp: 1 to 64")
    if options.icount and options.smp != 1:
        raise UserError("--icount needs --smp 1")
    if options.timeout is not None and options.timeout <= 0:
        raise UserError("--timeout: more than 0 seconds")


def image_parser():
    parser = Parser(prog="./keel image", usage="./keel image [options] FILE [-- PROGRAM ARGS…]", allow_abbrev=False,
                    description="Writes a bootable image. It starts on BIOS by GRUB and on UEFI by Keel's own EFI program, as "
                    "a CD or, copied to one byte for byte (dd), as a USB stick. The console is the first serial port, 115200 "
                    "8N1, or with --append console=tty0 the display and the PS/2 keyboard. A FILE that ends in .efi gets the EFI program "
                    "alone, for an EFI system partition's "
                    "/EFI/BOOT/BOOTX64.EFI.")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--root", metavar="DIR|CPIO", help="root file system, as for run")
    parser.add_argument("--append", default="", metavar="STR", help="the kernel command line")
    parser.add_argument("--key", metavar="PEM", help="sign the EFI program for secure boot with this private key")
    parser.add_argument("--certificate", metavar="PEM", help="the key's certificate, which the machine's firmware must trust")
    return parser


def _split_program(arguments):
    """What stands before and behind the first --."""
    if "--" not in arguments:
        return arguments, []
    split = arguments.index("--")
    return arguments[:split], arguments[split + 1:]


def command_image(arguments):
    arguments, program = _split_program(arguments)
    options = image_parser().parse_args(arguments)
    from launch import image_command
    return image_command.run(options, program)


def command_run(arguments):
    arguments, program = _split_program(arguments)
    options = run_parser().parse_args(arguments)
    _arguments_check(options)
    from launch import console
    return console.run(options, program)


def command_test(arguments):
    from harness import main
    return main.run(arguments)


def command_bench(arguments):
    parser = Parser(prog="./keel bench", description="Measures Keel and Debian's Linux 6.1 side by side.")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only these rows, Keel's instruction counts alone: seconds in place of minutes")
    parser.add_argument("--json", metavar="FILE", help="also write the rows as JSON")
    parser.add_argument("--quick", action="store_true", help="instruction counts only, no wall time")
    options = parser.parse_args(arguments)
    from bench import bench
    return bench.run(options)


COMMANDS = {"run": command_run, "image": command_image, "test": command_test, "bench": command_bench}


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        raise UserError(f"no command \"{arguments[0]}\"; see ./keel --help")
    return COMMANDS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    try:
        code = main(sys.argv[1:])
    except UserError as error:
        print(f"keel: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
