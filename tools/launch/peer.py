"""The comparison peer: Debian's Linux 6.1 with the same root and the same program in the same QEMU.

Its /init is tests/system/peer_init.c, put into the root as /.peer/init; it removes itself before the program starts. It speaks
the same conventions on the serial lines and ends its log with the same line, so everything else is shared.
"""
import glob
import os
import re
import shutil

from launch import artifacts, build, cpio, package
from launch.errors import UserError

READY = b"peer: ready"
APPEND = "quiet loglevel=4 console=ttyS2 panic=-1 mitigations=off init_on_alloc=0 random.trust_cpu=on rdinit=/.peer/init"
META_PACKAGE = "linux-image-amd64"


def _kernel_package():
    for line in package.command(["apt-cache", "depends", META_PACKAGE]).splitlines():
        name = line.strip().removeprefix("Depends: ")
        if name.startswith("linux-image-6.1"):
            return name
    raise UserError(f"{META_PACKAGE} does not depend on a 6.1 kernel here: the peer is Debian 12's")


def _fetched(target, place):
    """A file or folder of the kernel's package; place: a pattern in it."""
    with artifacts.turn(build.BUILD):
        if not os.path.exists(target):
            with package.unpacked(_kernel_package) as folder, artifacts.draft(target) as made:
                shutil.move(glob.glob(f"{folder}/{place}")[0], made)
    return target


def kernel():
    """The path of Linux's vmlinuz, fetched when it is not there."""
    installed = sorted(glob.glob("/boot/vmlinuz-6.1.*-amd64"))
    return installed[-1] if installed else _fetched(os.path.join(build.BUILD, "peer", "vmlinuz"), "boot/vmlinuz-*")


def _modules_folder():
    """Where the drivers of that kernel are: Debian's has none of its own for most devices."""
    for installed in sorted(glob.glob("/boot/vmlinuz-6.1.*-amd64"))[-1:]:
        folder = "/lib/modules/" + installed.partition("vmlinuz-")[2] + "/kernel"
        if os.path.isdir(folder):
            return folder
    return _fetched(os.path.join(build.BUILD, "peer", "modules"), "lib/modules/*/kernel")


def modules(names):
    """The contents of kernel modules and all that they depend on, in the order in which they are loaded."""
    loaded = {}
    folder = _modules_folder() if names else None

    def add(name):
        if name in loaded:
            return
        with open(glob.glob(f"{folder}/**/{name.replace('_', '[-_]')}.ko", recursive=True)[0], "rb") as file:
            module = file.read()
        depends = re.search(rb"\0depends=([^\0]*)\0", module)[1].decode()
        for other in filter(None, depends.split(",")):
            add(other)
        loaded[name] = module
    for name in names:
        add(name)
    return list(loaded.values())


def init_archive(arguments, kernel_modules=()):
    """The second archive, behind the root: /.peer/init, its arguments, and kernel modules that it loads first."""
    with open(os.path.join(build.BUILD, "peer", "init"), "rb") as file:
        program = file.read()
    archive = cpio.Archive()
    archive.directory(".peer")
    archive.file(".peer/init", program, 0o755)
    archive.file(".peer/run", b"".join(argument + b"\0" for argument in arguments))
    for number, module in enumerate(kernel_modules):
        archive.file(f".peer/module{number}", module, 0o600)
    return archive.finish()
