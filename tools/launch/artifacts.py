"""Files below build/, which several runs, and several cases of one run, may make and use at the same time."""
import contextlib
import fcntl
import os
import shutil
import threading

from launch.errors import UserError


def read(path):
    """A whole file, wherever it is."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def draft(path):
    """The name of a file or folder to make, which takes the place of path when it was made without an exception."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    name = f"{path}.{os.getpid()}.{threading.get_ident()}"
    try:
        yield name
        os.replace(name, path)
    finally:
        if os.path.isdir(name):
            shutil.rmtree(name)
        elif os.path.exists(name):
            os.unlink(name)


@contextlib.contextmanager
def turn(folder):
    """Held by one at a time, of all threads of all runs that use a folder."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
