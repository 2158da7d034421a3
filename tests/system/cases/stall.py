"""A disk that does not do what it is asked for, while its driver answers every question."""
import os
import tempfile

from harness.guest import test_root
from harness.plug import Plugs
from harness.system import case, expect

SIZE = 64 << 20
LIMITS = "/objects/limits"
READ = "until [ -e /dev/vda ]; do usleep 1000; done; echo begin; dd if=/dev/vda of=/dev/null bs=4k iflag=direct 2>&1 | head -1"


@case(cpus=(1,), peer=False)
def disk_stalls(context):
    """The driver is ended, a new one resets the device, and the program's read goes on."""
    with tempfile.NamedTemporaryFile(prefix="keel-stall-") as file:
        os.truncate(file.name, SIZE)
        more = ("-object", "throttle-group,id=limits", "-blockdev", f"driver=file,node-name=file,filename={file.name}",
                "-blockdev", "driver=throttle,node-name=disk,throttle-group=limits,file=file")
        with Plugs(["/bin/sh", "-c", READ], test_root(), devices=("virtio-blk-pci,drive=disk",), more=more, smp=context.cpus,
                   append="heartbeat=100 stall=500", timeout=60) as machine:
            machine.expect(b"begin\n")
            machine.monitor.call("qom-set", path=LIMITS, property="limits", value={"bps-total": 1})
            machine.expect_log(b"driver virtio-blk leaves a request undone and is ended")
            machine.monitor.call("qom-set", path=LIMITS, property="limits", value={"bps-total": 0})
            result = machine.end()
    expect(result.status == 0 and f"{SIZE >> 12}+0 records in".encode() in result.stdout, "everything was read", result)
