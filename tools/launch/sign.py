"""Signing the EFI program for secure boot, with sbsign."""
import os
import subprocess
import tempfile

from launch.errors import UserError

# Debian's test key: whoever has the ovmf package has its private half, so it proves nothing but that signatures are looked at.
TEST_KEY = "/usr/share/ovmf/PkKek-1-snakeoil.key"
TEST_CERTIFICATE = "/usr/share/ovmf/PkKek-1-snakeoil.pem"
TEST_PASSWORD = "snakeoil"


def _run(command):
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise UserError(f"{command[0]} is missing: apt-get install sbsigntool openssl") from None
    if result.returncode != 0:
        raise UserError(f"{' '.join(command)}\n{result.stdout.decode(errors='replace').rstrip()}")


def signed(program, key, certificate):
    """The EFI program's bytes with a signature. key, certificate: paths of PEM files, the key without a password."""
    with tempfile.TemporaryDirectory(prefix="keel-sign-") as folder:
        plain, made = os.path.join(folder, "plain"), os.path.join(folder, "signed")
        with open(plain, "wb") as file:
            file.write(program)
        _run(["sbsign", "--key", key, "--cert", certificate, "--output", made, plain])
        with open(made, "rb") as file:
            return file.read()


def test_signed(program):
    """Signed with Debian's test key, which OVMF's "snakeoil" variables trust."""
    with tempfile.TemporaryDirectory(prefix="keel-sign-") as folder:
        key = os.path.join(folder, "key")
        _run(["openssl", "rsa", "-in", TEST_KEY, "-passin", "pass:" + TEST_PASSWORD, "-out", key])
        return signed(program, key, TEST_CERTIFICATE)
