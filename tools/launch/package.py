"""Files out of Debian packages that are not installed: the machine stays as it is."""
import contextlib
import glob
import os
import subprocess
import tempfile

from launch.errors import UserError


def command(line, folder=None):
    """Runs a command of Debian's. Returns its output."""
    result = subprocess.run(line, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        raise UserError(f"{' '.join(line)}: {result.stderr.strip()}")
    return result.stdout


def _download(find_name, folder):
    command(["apt-get", "download", "-qq", find_name()], folder)


@contextlib.contextmanager
def unpacked(find_name):
    """The folder with a package's files. The package's name is asked for again when the lists of packages had to be fetched."""
    with tempfile.TemporaryDirectory(prefix="keel-package-") as folder:
        os.chmod(folder, 0o755)
        try:
            _download(find_name, folder)
        except UserError:
            command(["apt-get", "update", "-qq"])
            _download(find_name, folder)
        command(["dpkg-deb", "-x", glob.glob(folder + "/*.deb")[0], folder + "/x"])
        yield folder + "/x"
