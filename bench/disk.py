"""Requests to disks (bench/disk.c) on Keel and on Linux: the same static program, device and host file."""
import os
import tempfile

SIZE = 64 << 20
PROGRAM = "/bench/disk"
DEVICES = {  # prefix of a row: node, QEMU's device, what Linux needs for it, what the table says
    "virtio": ("vda", "virtio-blk-pci,disable-legacy=on", ("virtio_pci", "virtio_blk"), "virtio-blk"),
    "nvme": ("nvme0n1", "nvme,serial=bench", ("nvme",), "NVMe"),
}
OPERATIONS = {  # name in disk.c: what the table says
    "read_in_order": "64 KB read in order",
    "write_in_order": "64 KB written in order",
    "read_random": "4 KB read at random",
    "write_random": "4 KB written at random",
}
ROWS = {f"{device}_{name}": f"{DEVICES[device][3]}: {text}" for device in DEVICES for name, text in OPERATIONS.items()}
# The node is there when its driver is; Linux's /dev here is not made by the kernel.
SCRIPT = """
for n in $(seq 1000); do [ -e /sys/block/NODE ] && break; usleep 10000; done
[ -b /dev/NODE ] || mknod /dev/NODE b $(tr : ' ' < /sys/block/NODE/dev)
/bench/disk COUNTED /dev/NODE NAMES > /tmp/out || exit 1
sed s/^/DEVICE_/ /tmp/out
"""


def figures(run, names, peer, icount):
    """{row: [ticks, ns, switches, entries]} of the rows asked for, of one boot. run(program, **options) gives ops.c's kind of
    figures."""
    script, more, modules = "mkdir -p /tmp\n", [], []
    if not names:
        return {}
    with tempfile.TemporaryDirectory(prefix="keel-bench-") as folder:
        for device, (node, line, needed, _) in DEVICES.items():
            operations = [name for name in OPERATIONS if f"{device}_{name}" in names]
            if not operations:
                continue
            with open(os.path.join(folder, device), "wb") as file:
                file.write(b"\x5a" * SIZE)
            more += ["-drive", f"if=none,id={device},format=raw,file={file.name}", "-device", f"{line},drive={device}"]
            modules += needed
            script += (SCRIPT.replace("NODE", node).replace("NAMES", " ".join(operations)).replace("DEVICE", device)
                       .replace("COUNTED", "--counted" if icount else ""))
        options = {"peer": True, "modules": tuple(modules)} if peer else {"append": f"disks={len(more) // 4}"}
        return run(["/bin/sh", "-c", script], more=tuple(more), icount=icount, **options)
