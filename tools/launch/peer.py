"""The comparison peer: Debian's Linux 6.1 with the same root and the same program in the same QEMU.

Its /init is tests/system/peer_init.c, put into the root as /.peer/init; it removes itself before the program starts. It speaks
the same conventions on the serial lines and ends its log with the same line, so everything else is shared.
"""
import glob
import os
import shutil
import subprocess
import tempfile

from launch import build, cpio
from launch.errors import UserError

READY = b"peer: ready"
APPEND = "quiet loglevel=4 console=ttyS2 panic=-1 mitigations=off init_on_alloc=0 random.trust_cpu=on rdinit=/.peer/init"
META_PACKAGE = "linux-image-amd64"


def _run(command, **more):
    result = subprocess.run(command, capture_output=True, text=True, **more)
    if result.returncode != 0:
        raise UserError(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def _kernel_package():
    for line in _run(["apt-cache", "depends", META_PACKAGE]).splitlines():
        name = line.strip().removeprefix("Depends: ")
        if name.startswith("linux-image-6.1"):
            return name
    raise UserError(f"{META_PACKAGE} does not depend on a 6.1 kernel here: the peer is Debian 12's")


def _download(target):
    """Unpacks vmlinuz from the package, without installing it: /boot stays as it is."""
    with tempfile.TemporaryDirectory(prefix="keel-peer-") as folder:
        os.chmod(folder, 0o755)
        _run(["apt-get", "download", "-qq", _kernel_package()], cwd=folder)
        _run(["dpkg-deb", "-x", glob.glob(folder + "/*.deb")[0], folder + "/x"])
        shutil.copy(glob.glob(folder + "/x/boot/vmlinuz-*")[0], target + ".new")
    os.replace(target + ".new", target)


def kernel():
    """The path of Linux's vmlinuz, fetched when it is not there."""
    target = os.path.join(build.BUILD, "peer", "vmlinuz")
    if os.path.exists(target):
        return target
    os.makedirs(os.path.dirname(target), exist_ok=True)
    installed = sorted(glob.glob("/boot/vmlinuz-6.1.*-amd64"))
    if installed:
        shutil.copy(installed[-1], target)
        return target
    try:
        _download(target)
    except UserError:
        _run(["apt-get", "update", "-qq"])
        _download(target)
    return target


def init_archive(arguments):
    """The second archive, behind the root: /.peer/init and its arguments."""
    with open(os.path.join(build.BUILD, "peer", "init"), "rb") as file:
        program = file.read()
    archive = cpio.Archive()
    archive.directory(".peer")
    archive.file(".peer/init", program, 0o755)
    archive.file(".peer/run", b"".join(argument + b"\0" for argument in arguments))
    return archive.finish()
