"""A boot in which init starts another native program in place of the personality: the kernel's tests and its benchmark."""
import os
import time

from launch import artifacts, build, cpio
from launch.machine import Machine
from launch.pump import Pump
from launch.run import STATUS_BROKEN, Result, judge


def archive(programs, manifest, arguments=(), drivers=()):
    """programs: names in build/bin, beside init. manifest: path below the project's folder; arguments: of its last service."""
    made = cpio.Archive()
    for folder in ("bin", "etc", "drivers"):
        made.directory(folder)
    for driver in drivers:
        made.file("drivers/" + driver, artifacts.read(os.path.join(build.TOP, "drivers", driver, "manifest")))
    for program in ("init", *programs, *drivers):
        made.file("bin/" + program, artifacts.read(os.path.join(build.BUILD, "bin", program)), 0o755)
    lines = "".join(f"    argument {argument}\n" for argument in arguments)
    made.file("etc/manifest", artifacts.read(os.path.join(build.TOP, manifest)) + lines.encode())
    data = made.finish()
    return data + b"\0" * (-len(data) % build.PAGE)


def boot(options, first_archive):
    """The Result of a machine that starts from this archive alone, options.timeout seconds at most."""
    result, pieces = Result(STATUS_BROKEN), []
    with Machine(options, first_archive) as machine:
        pump = Pump(machine, None, pieces.append, pieces.append, True, time.monotonic() + options.timeout)
        judge(options, machine, pump.run(), result)
    return result
