"""Network cards: frames between two of them on one wire, a host that answers, drivers that die and cards that are pulled under a stream."""
import os
import re

from harness.guest import test_root
from harness.plug import Plugs
from harness.system import case, expect

CARDS = {
    "virtio": "virtio-net-pci,disable-legacy=on",
    "e1000e": "e1000e",
    "e1000": "e1000",
}


def wired(context, cards, script, timeout=60, machine="q35"):
    """Runs a script on a machine with cards on one hub: eth0, eth1."""
    more = []
    for number, kind in enumerate(cards):
        more += ["-netdev", f"hubport,id=port{number},hubid=0",
                 "-device", f"{CARDS[kind]},netdev=port{number},mac=52:54:00:00:00:{number + 1:02x},addr={number + 8}"]
    return context.run(["/bin/sh", "-c", script], test_root((("wire", "musl"),)), more=more, machine=machine,
                       append=f"nets={len(cards)}", timeout=timeout)


BOTH_WAYS = r"""
cd /sys/class/net
[ $(cat eth0/address eth1/address | tr '\n' ' ' | tr -d ' ') = 52:54:00:00:00:0152:54:00:00:00:02 ] && echo ok addresses
[ $(cat eth0/operstate) = down ] && echo ok down
/test/bin/wire eth0 eth1 COUNT
/test/bin/wire eth1 eth0 COUNT
[ $(cat eth0/operstate) = up ] && [ $(cat eth0/carrier) = 1 ] && echo ok up
[ $(cat eth0/statistics/tx_packets) = $(cat eth1/statistics/rx_packets) ] && echo ok counted
grep -q '^  eth1: ' /proc/net/dev && echo ok dev
"""


def both_ways(context, cards, machine="q35", count=3000):
    result = wired(context, cards, BOTH_WAYS.replace("COUNT", str(count)), machine=machine)
    text = result.stdout.decode()
    expect(result.status == 0 and "not ok" not in text and text.count("ok ") == 7, "seven checks", result)
    streams = re.findall(r"^ok sent (\d+) received \1 twice 0 lost 0$", text, re.MULTILINE)
    expect(len(streams) == 2 and all(int(sent) >= count for sent in streams), "every frame arrived once", result)
    context.detail(f"2 times {count:,} frames, none lost")


@case(peer=False)
def net_virtio_e1000e(context):
    both_ways(context, ("virtio", "e1000e"))


@case(cpus=(1,), peer=False)
def net_e1000_pc(context):
    both_ways(context, ("e1000", "virtio"), "pc", 1000)


# A host answers: what it says to the question who has 10.0.2.2.
ARP = r"""
[ -e /sys/class/net/eth0 ] && echo ok there
/test/bin/arp eth0 10.0.2.15 10.0.2.2
"""


@case(cpus=(1,), peer=False)
def net_host_answers(context):
    result = context.run(["/bin/sh", "-c", ARP], test_root((("arp", "musl"),)), net=True)
    expect(result.stdout == b"ok there\nok 10.0.2.2 is at 52:55:0a:00:02:02\n", "an answer", result)


# Frames all the time, while both drivers are killed in turn: KILLS times, 0.3 s apart.
KILL = r"""
(
    i=0
    while [ $i -lt KILLS ]; do
        sleep 0.3
        echo 1 2>/dev/null > /sys/class/net/eth$((i % 2))/device/reset && i=$((i + 1))
    done
    touch /tmp/stop
) &
/test/bin/wire eth0 eth1 until /tmp/stop
"""
KILLS = int(os.environ.get("KEEL_NET_KILLS", "10"))  # 1000 for the long run


@case(peer=False)
def net_killed(context):
    result = wired(context, ("virtio", "e1000e"), KILL.replace("KILLS", str(KILLS)), timeout=60 + 2 * KILLS)
    found = re.fullmatch(rb"running\nok sent (\d+) received (\d+) twice (\d+) lost (\d+)\n", result.stdout)
    expect(result.status == 0 and found, "a stream without a changed frame", result)
    ends = len(re.findall(rb"ended with status", result.log))
    expect(ends >= KILLS, f"the drivers ended {ends} times", result)
    sent, received, twice, lost = map(int, found.groups())
    expect(received > 1000, "frames", result)
    context.detail(f"{ends} drivers killed, {sent:,} frames sent, {lost} lost, {twice} came twice")


# A card that is pulled while frames run through it, and another one in its place.
HUB = [word for number in range(2) for word in ("-netdev", f"hubport,id=port{number},hubid=0")]
PULL = r"""
there() { until [ -e /sys/class/net/eth0 -a -e /sys/class/net/eth1 ]; do usleep 1000; done; }
there
/test/bin/wire eth0 eth1 200
/test/bin/wire eth0 eth1 until /tmp/never &
wait
while [ -e /sys/class/net/eth1 ]; do usleep 1000; done
grep -q eth1 /proc/net/dev || echo gone
there
/test/bin/wire eth1 eth0 200
"""


def _pulled(context, driver):
    with Plugs(["/bin/sh", "-c", PULL], test_root((("wire", "musl"),)), smp=context.cpus, timeout=120,
               devices=("pcie-root-port,id=slot1,slot=1,chassis=1", "virtio-net-pci,netdev=port0"), more=HUB, append="nets=1") as machine:
        for times in range(2):
            machine.add(driver, "card", "slot1", netdev="port1")
            if times == 0:
                machine.expect(b"running\n")
                machine.remove("card")
                machine.gone("card")
                machine.expect(b"gone\n")
        result = machine.end()
    lines = result.stdout.decode().splitlines()
    expect(result.status == 0 and lines[0].startswith("ok sent") and lines[-1].startswith("ok sent"), "frames before and after", result)
    expect("not ok recv : Network is down" in lines, "who listens is told", result)


@case(cpus=(1,), peer=False)
def net_pulled_virtio(context):
    _pulled(context, "virtio-net-pci")


@case(cpus=(4,), peer=False)
def net_pulled_e1000e(context):
    _pulled(context, "e1000e")
