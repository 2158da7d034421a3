"""Devices whose drivers are processes, as Linux programs see them."""
import os
import re
import tempfile

from harness.guest import patience, peer_execute, test_root
from harness.system import case, expect
from launch import build

DEVICES = ("virtio-rng-pci", "edu,dma_mask=0xffffffff")
SCRIPT = """
for n in $(seq 500); do [ -e /dev/hwrng ] && [ -e /dev/edu0 ] && break; usleep 10000; done
stat -c '%n %F %a %t:%T' /dev/hwrng /dev/edu0
head -c 20000 /dev/hwrng > /tmp/a; head -c 20000 /dev/hwrng > /tmp/b
wc -c < /tmp/a; cmp -s /tmp/a /tmp/b || echo different
gzip < /tmp/a | wc -c
printf '\\012\\000\\000\\000' > /dev/edu0; head -c 4 /dev/edu0 | od -An -td4
printf '\\003' 2>/dev/null > /dev/edu0 || echo refused
for round in $(seq 10); do for n in $(seq 20); do head -c 5000 /dev/hwrng | wc -c & done; wait; done | sort | uniq -c
dd if=/dev/hwrng of=/dev/null bs=4096 count=200 2>&1 | tail -1
"""


def _devices(context, machine):
    result = context.run(["/bin/sh", "-c", SCRIPT], test_root(), devices=DEVICES, machine=machine)
    lines = [line.strip() for line in result.stdout.decode().splitlines()]
    expect(len(lines) == 9 and lines[:2] == ["/dev/hwrng character special file 600 a:b7",
                                             "/dev/edu0 character special file 600 a:7f"], "nodes", result)
    expect(lines[2:4] == ["20000", "different"] and int(lines[4]) > 20000, "random bytes", result)
    expect(lines[5:7] == ["3628800", "refused"], "the edu device", result)
    expect(lines[7] == "200 5000" and lines[8] == "200+0 records out", "many readers", result)


@case(cpus=(1, 4), peer=False)
def drivers_q35(context):
    _devices(context, "q35")


@case(cpus=(1,), peer=False)
def drivers_pc(context):
    _devices(context, "pc")


LSPCI_PACKAGES = ("pciutils", "libpci3", "libkmod2", "zlib1g", "libudev1", "libc6", "libzstd1", "liblzma5", "libssl3")
LSPCI_DEVICES = ("virtio-rng-pci,addr=2", "edu,addr=3", "pcie-root-port,id=root1,addr=4", "virtio-rng-pci,bus=root1", "pci-bridge,chassis_nr=1,id=bridge1,addr=5",
                 "virtio-rng-pci,bus=bridge1,addr=7")
LSPCI = ["/bin/sh", "-c", "[ -d /sys/bus ] || mount -t sysfs sysfs /sys; "
         "for n in $(seq 500); do [ -e /sys/bus/pci/devices/0000:00:00.0 ] && break; usleep 10000; done; "
         "lspci -D -n 2>/dev/null; lspci -D -n -v 2>/dev/null; lspci -n -t 2>/dev/null; "
         "cat /sys/bus/pci/devices/*/modalias; grep -h PCI_ /sys/bus/pci/devices/*/uevent; wc -c /sys/bus/pci/devices/*/config"]
# What the two systems do with a device, not what it is.
LSPCI_STATE = re.compile(r"^\t(Flags:|Kernel |Physical Slot:|.* behind bridge:|Expansion ROM).*\n", re.MULTILINE)


def _lspci(result):
    text = LSPCI_STATE.sub("", result.stdout.decode())
    return re.sub(r"Enable[+-]", "Enable", text).splitlines()


@case(cpus=(1,), peer=False)
def drivers_lspci(context):
    """Debian's lspci shows the machine as it does on Debian's Linux."""
    root = test_root(packages=LSPCI_PACKAGES)
    result = context.run(LSPCI, root, devices=LSPCI_DEVICES)
    peer = peer_execute(LSPCI, root, timeout=90, devices=LSPCI_DEVICES)
    ours, theirs = _lspci(result), _lspci(peer)
    differences = [f"{one!r} on Keel, {other!r} on Linux" for one, other in zip(ours, theirs) if one != other]
    expect(len(ours) == len(theirs) and not differences, "\n".join(differences[:10]) or "lines", result)
    expect(len(ours) > 60, "a machine's worth of lines", result)
    context.detail(f"{len(ours)} lines equal")


def _ends(context, machine, program, debug_exit, says):
    result = context.run(["/bin/sh", "-c", f"sleep 1; echo on its way; {program}; sleep 20"], test_root(), machine=machine,
                         debug_exit=debug_exit)
    expect(result.stdout == b"on its way\n" and result.exit_code == 0, "the machine ended by itself", result)
    expect(says in result.log, says.decode(), result)


@case(cpus=(1,), peer=False)
def drivers_power(context):
    """Programs switch the machine off and start it again; without QEMU's own device for that, too."""
    _ends(context, "q35", "poweroff -f", False, b"power off and reset by ACPI")
    _ends(context, "pc", "poweroff -f", False, b"power off")
    _ends(context, "q35", "halt -f", False, b"by ACPI")
    _ends(context, "q35", "reboot -f", True, b"by ACPI")
    _ends(context, "pc", "reboot -f", True, b"power off")


# Nobody waits for a disk or a card that is refused: the first line is seconds since the boot.
WITHOUT = """
cut -d. -f1 /proc/uptime
[ -d /sys/bus ] || mount -t sysfs sysfs /sys
[ -e /dev/vda ] && dd if=/dev/vda bs=512 count=1 2>/dev/null | od -An -tx1 -N4
[ -e /sys/class/net/eth0 ] && cat /sys/class/net/eth0/address
for f in /sys/bus/pci/devices/*; do
    case $(cat $f/device 2>/dev/null) in
        0x1042) echo disk $(echo 1 2>&1 > $f/reset | grep -o 'Permission denied');;
        0x1041) echo card $(echo 1 2>&1 > $f/reset | grep -o 'Permission denied');;
    esac
done
"""


def _without(context, right, path):
    """What a program sees when init's manifest does not grant a right to devices."""
    line = f"    right {right}\n".encode()
    shipped = build.manifest()
    expect(right == "none" or shipped.count(line) == 2, "the manifest grants it to swifi and to linux")
    result = context.run(["/bin/sh", "-c", WITHOUT], test_root(), disks=(path,), net=True, manifest=shipped.replace(line, b""))
    seconds, *lines = result.stdout.decode().splitlines()
    expect(int(seconds) < 10 * patience(), "nobody waited", result)
    refused = [word.decode() for word in re.findall(rb"linux: (\S+) is not used: no right to it was granted\n", result.log)]
    return result, [line.strip() for line in lines], refused


@case(peer=False)
def drivers_without_rights(context):
    """Disks and network cards are there only for a system that the manifest lets use them; the other kind is as ever."""
    with tempfile.TemporaryDirectory(prefix="keel-rights-") as folder:
        path = os.path.join(folder, "disk")
        with open(path, "wb") as file:
            file.write(b"Keel" + bytes(1 << 20))
        disk, card, reset = "4b 65 65 6c", "52:54:00:12:34:56", ["card Permission denied", "disk Permission denied"]
        for right, seen, log in (("none", [disk, card, "card", "disk"], []), ("file", [card, "card", reset[1]], ["vda"]),
                                 ("network", [disk, reset[0], "disk"], ["eth0"])):
            result, lines, refused = _without(context, right, path)
            expect(sorted(lines) == sorted(seen), f"without {right}: {seen}", result)
            expect(refused == log, f"without {right}: the log tells once of {log}", result)
