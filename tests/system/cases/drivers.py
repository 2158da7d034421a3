"""Devices whose drivers are processes, as Linux programs see them."""
from harness.guest import test_root
from harness.system import case, expect

DEVICES = ("virtio-rng-pci", "edu,dma_mask=0xffffffff")
SCRIPT = """
for n in $(seq 500); do [ -e /dev/hwrng ] && [ -e /dev/edu0 ] && break; usleep 10000; done
stat -c '%n %F %a %t:%T' /dev/hwrng /dev/edu0
head -c 20000 /dev/hwrng > /tmp/a; head -c 20000 /dev/hwrng > /tmp/b
wc -c < /tmp/a; cmp -s /tmp/a /tmp/b || echo different
gzip < /tmp/a | wc -c
printf '\\012\\000\\000\\000' > /dev/edu0; head -c 4 /dev/edu0 | od -An -td4
printf '\\003' 2>/dev/null > /dev/edu0 || echo refused
for n in $(seq 20); do head -c 5000 /dev/hwrng | wc -c & done | sort | uniq -c; wait
dd if=/dev/hwrng of=/dev/null bs=4096 count=200 2>&1 | tail -1
"""


def _devices(context, machine):
    result = context.run(["/bin/sh", "-c", SCRIPT], test_root(), devices=DEVICES, machine=machine)
    lines = [line.strip() for line in result.stdout.decode().splitlines()]
    expect(len(lines) == 9 and lines[:2] == ["/dev/hwrng character special file 600 a:b7",
                                             "/dev/edu0 character special file 600 a:7f"], "nodes", result)
    expect(lines[2:4] == ["20000", "different"] and int(lines[4]) > 20000, "random bytes", result)
    expect(lines[5:7] == ["3628800", "refused"], "the edu device", result)
    expect(lines[7] == "20 5000" and lines[8] == "200+0 records out", "many readers", result)


@case(cpus=(1, 4), peer=False)
def drivers_q35(context):
    _devices(context, "q35")


@case(cpus=(1,), peer=False)
def drivers_pc(context):
    _devices(context, "pc")
