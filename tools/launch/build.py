"""Making build/ with make, and the archive of native programs the kernel starts from."""
import glob
import os
import subprocess

from launch import artifacts, cpio, font
from launch.errors import UserError

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
KERNEL = os.path.join(BUILD, "keel.elf")
KERNEL_DEBUG = os.path.join(BUILD, "keel-debug.elf")
EFI_LOADER = os.path.join(BUILD, "efi.elf")
KERNEL_TRAPS = os.path.join(BUILD, "keel-traps.elf")
NATIVE = ["init", "serial", "linux", "devices"]
PAGE = 4096


def make(*targets):
    """Runs make; its output appears only when it fails. Two runs at once take turns."""
    if os.environ.get("KEEL_NO_BUILD"):
        return
    with artifacts.turn(BUILD):
        command = ["make", "-s", "-j2", "-C", TOP, *targets]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise UserError("the build failed\n" + result.stdout.decode(errors="replace").rstrip())


ON_REQUEST = {"accel"}  # drivers that are there only when the command line asks for them (launch/run.py)


def drivers():
    """The drivers that `devices` starts: the folders with a manifest."""
    return sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(TOP, "drivers/*/manifest")))


def manifest():
    """init's manifest, as it is shipped."""
    return artifacts.read(os.path.join(TOP, "servers/init/manifest"))


def native_archive(arguments, more=(), init_manifest=None):
    """The first archive: bin/*, etc/manifest, drivers/* and etc/run (arguments: bytes strings), padded to whole pages. more: programs
    beside the usual ones; the display brings its font. init_manifest: bytes in place of the manifest that is shipped."""
    archive = cpio.Archive()
    archive.directory("bin")
    archive.directory("etc")
    archive.directory("drivers")
    usual = [name for name in drivers() if name not in ON_REQUEST and name not in more]
    for name in [*usual, *(name for name in more if name in drivers())]:
        archive.file("drivers/" + name, artifacts.read(os.path.join(TOP, "drivers", name, "manifest")))
    for name in [*NATIVE, *usual, *more]:
        archive.file("bin/" + name, artifacts.read(os.path.join(BUILD, "bin", name)), 0o755)
    archive.file("etc/manifest", manifest() if init_manifest is None else init_manifest)
    archive.file("etc/run", b"".join(argument + b"\0" for argument in arguments))
    if "display" in more:
        archive.file("etc/font.psf", font.font(BUILD))
    data = archive.finish()
    return data + b"\0" * (-len(data) % PAGE)
