"""`./keel run` at the caller's terminal or in a pipeline."""
import json
import os
import shutil
import sys
import termios
import time
import tty

from launch import build
from launch.machine import GDB_PORT
from launch.pump import Detached
from launch.run import Options, Result, STATUS_BROKEN, judge, start
from launch.errors import UserError

STATUS_DETACHED = 130


class RawTerminal:
    """The caller's terminal without echo or line editing while the program owns it."""

    def __enter__(self):
        self.before = termios.tcgetattr(0)
        tty.setraw(0)

    def __exit__(self, *exception):
        termios.tcsetattr(0, termios.TCSADRAIN, self.before)


class NoTerminal:
    def __enter__(self):
        pass

    def __exit__(self, *exception):
        pass


def _writer(descriptor):
    """Writes everything; a reader that has gone away ends the run as it would end a local program."""
    def write(data):
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view):]
    return write


def _options(options, program):
    terminal = os.isatty(0) and os.isatty(1)
    size = shutil.get_terminal_size((80, 24))
    if options.display:  # the machine's own screen and keyboard in place of the caller's terminal
        options.append = f"console=tty0 {options.append}".strip()
        options.device = [*options.device, "VGA"]
    return Options(program=program, root=options.root, smp=options.smp, mem=options.mem, machine=options.machine, boot=options.boot,
                   icount=options.icount, isolation=options.isolation, context=options.context, timeout=options.timeout, append=options.append,
                   disks=tuple(options.disk), net=options.net, devices=tuple(options.device), debug=options.debug, log=options.log, peer=options.peer == "linux",
                   display=options.display, terminal=terminal or bool(options.display),
                   window=(size.lines, size.columns) if terminal else None,
                   term=os.environ.get("TERM") if terminal else None)


def _debug_kernel(options):
    build.make("all", os.path.relpath(build.KERNEL_DEBUG, build.TOP))
    options.kernel = build.KERNEL_DEBUG
    options.append = f"nokaslr {options.append or ''}".strip()  # where GDB expects it
    print(f"keel: waiting for GDB: gdb {os.path.relpath(build.BUILD)}/kernel-debug.sym.elf "
          f"-ex 'target remote :{GDB_PORT}'", file=sys.stderr)


def _report(options, result):
    if options.json:
        print(json.dumps({"status": result.status, "problem": result.problem or None,
                          "seconds": round(result.seconds, 3)}), file=sys.stderr)
    elif result.problem:
        print(f"keel: {result.problem}", file=sys.stderr)


def run(arguments, program):
    options = _options(arguments, program)
    if not program and not options.terminal:
        options.program = ["/bin/sh"]
    if options.debug and not options.peer:
        _debug_kernel(options)
    if options.log:
        try:
            open(options.log, "ab").close()
        except OSError as error:
            raise UserError(f"--log {options.log}: {error.strerror}") from None
    began = time.monotonic()
    machine, pump = start(options, 0, _writer(1), _writer(2))
    result = Result(STATUS_BROKEN)
    with machine:
        try:
            with RawTerminal() if options.terminal and not options.display else NoTerminal():
                in_time = pump.run()
            judge(options, machine, in_time, result)
        except Detached:
            result.status = STATUS_DETACHED
        except BrokenPipeError:
            result.status = 128 + 13
    result.seconds = time.monotonic() - began
    _report(arguments, result)
    return result.status
