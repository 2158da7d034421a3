"""Faults in the memory of running drivers (servers/swifi) while programs use their devices."""
import os
import re
import tempfile

from harness.guest import test_root
from harness.system import case, expect

FAULTS = int(os.environ.get("KEEL_FAULTS", "300"))  # 100000 for the long run
SEED = os.environ.get("KEEL_FAULTS_SEED", "1")
MB = 1 << 20

# Programs use every device; the first disk's driver is left alone, so its data must stay right all the time.
WORK = r"""
use() { while [ ! -e /tmp/stop ]; do "$@"; done > /dev/null 2>&1 & }
factorial() { printf '\012\000\000\000' > /dev/edu0; head -c 4 /dev/edu0 | od -An -td4; }
random() { head -c 3000 /dev/hwrng | wc -c; }
use factorial
use random
for disk in DISKS; do use /test/bin/disk_check $disk 2 20 direct; done
n=0
until dmesg | grep -q 'swifi: end'; do
    /test/bin/disk_check /dev/vda 2 20 direct > /tmp/out 2>&1 || { echo not ok the disk that was left alone; cat /tmp/out; }
    n=$((n + 1))
done
touch /tmp/stop
wait
dmesg | grep -q 'swifi: end: ok' && echo ok drivers
[ $(factorial) = 3628800 ] && echo ok edu
[ $(random) = 3000 ] && echo ok random
try() { "$@" 2>/tmp/err || { echo not ok $disk; cat /tmp/err; }; }
for disk in DISKS; do
    dd if=/dev/urandom of=/tmp/new bs=64k count=16 2>/dev/null
    try dd if=/tmp/new of=$disk bs=64k conv=fsync
    try dd if=$disk of=/tmp/old bs=64k count=16 iflag=direct
    cmp /tmp/old /tmp/new && echo ok $disk
done
echo ok $n rounds
"""


def faults(context, targets, disks=None, more=(), count=FAULTS):
    """Runs the work while so many faults go into the drivers named. disks: nodes with QEMU's devices, beside the first."""
    drives, disks = [], disks or {}
    with tempfile.TemporaryDirectory(prefix="keel-faults-") as folder:
        for i, device in enumerate(("virtio-blk-pci,disable-legacy=on,iommu_platform=on", *disks.values())):
            with open(os.path.join(folder, f"disk{i}"), "wb") as file:
                file.truncate(16 * MB)
            drives += ["-drive", f"if=none,id=disk{i},format=raw,file={file.name}", "-device", f"{device},drive=disk{i}"]
        script = WORK.replace("DISKS", " ".join(disks))
        append = f"disks={1 + len(disks)} heartbeat=100 stall=2000 faults={count} faults.seed={SEED} faults.drivers={','.join(targets)}"
        result = context.run(["/bin/sh", "-c", script], test_root((("disk_check", "musl"),)), append=append,
                             devices=("virtio-rng-pci,disable-legacy=on,iommu_platform=on", "edu,dma_mask=0xffffffff"),
                             more=(*more, *drives), timeout=120 + count // 4)
    lines = result.stdout.decode().splitlines()
    expect(result.status == 0 and len(lines) == 4 + len(disks) and all(line.startswith("ok ") for line in lines), "all is well", result)
    services = re.findall(rb"init: service (?!swifi)\S+ ended", result.log)
    expect(not services, "no service ended", result)
    sums = re.findall(rb"swifi: (\d+) of \d+ faults: drivers crashed (\d+) times, gave up (\d+), hung (\d+), started anew after many (\d+)",
                      result.log)
    done, *ends = map(int, sums[-1])
    expect(done == count and ends[0] + ends[1] + ends[2] > 0, "faults had effects", result)
    context.detail("seed {}: {} faults, drivers crashed {} times, gave up {}, hung {}, started anew {}".format(SEED, done, *ends))


@case(cpus=(4,), peer=False)
def faults_without_dma(context):
    """On a machine without an IOMMU only drivers whose device reaches no memory unasked may be harmed."""
    faults(context, ("edu",))


@case(cpus=(1,), peer=False)
def faults_of_disks(context):
    """With an IOMMU, whatever the drivers tell their devices. Not AHCI: QEMU's own model of it aborts at what such a driver writes."""
    faults(context, ("virtio-rng", "edu", "nvme"), {"/dev/nvme0n1": "nvme,serial=keel-disk"}, ("-device", "intel-iommu"))


@case(cpus=(1,), peer=False)
def iommu_refuses(context):
    """The edu device is told to read memory that its driver was not given."""
    script = "for n in $(seq 500); do [ -e /dev/edu0 ] && break; usleep 10000; done; /test/bin/edu_dma; sleep 0.3"
    for unit in (("-device", "intel-iommu"), ("-device", "intel-iommu,aw-bits=48"), ()):
        result = context.run(["/bin/sh", "-c", script], test_root((("edu_dma", "musl"),)), append="heartbeat=100",
                             devices=("edu,dma_mask=0xffffffffffffffff",), more=unit)
        expect(result.status == 0 and result.stdout == b"ok\n", "DMA goes on", result)
        refused = re.search(rb"device 00:[0-9a-f.]+ was refused memory at 0x100000$", result.log, re.MULTILINE)
        expect(bool(refused) == bool(unit), "the log names what was refused", result)
