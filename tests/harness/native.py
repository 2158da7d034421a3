"""The kernel's and the native runtime's own tests: native programs that init starts in place of the personality."""
import os
import re

from harness.case import Case, Failure
from harness.guest import patience, shown
from launch import build, native
from launch.run import Options

TIMEOUT = 120
PROGRAMS = {  # program: manifest
    "ktest": "tests/native/manifest",
    "rtest": "tests/native/rtest.manifest",
    "kfuzz": "tests/native/kfuzz.manifest",
    "provoke": "tests/native/provoke.manifest",
    "kbound": "tests/native/kbound.manifest",
    "dtest": "tests/native/dtest.manifest",
    "ksched": "tests/native/ksched.manifest",
}
# Random class 1 calls: what one case makes, and with which arguments. KEEL_FUZZ_CALLS and KEEL_FUZZ_SEED ask for others.
FUZZ_CALLS = os.environ.get("KEEL_FUZZ_CALLS", "200000")
FUZZ_SEED = os.environ.get("KEEL_FUZZ_SEED", "1")


def boot(name, cpus, kernel, arguments=(), timeout=TIMEOUT, **machine):
    """The result of a boot with a test program in the personality's place, its arguments, and more of Options."""
    build.make("all", "build/bin/" + name, os.path.relpath(kernel, build.TOP))
    programs, drivers = (["serial", name], []) if name != "dtest" else (["serial", "devices", name], build.drivers())
    options = Options(smp=cpus, timeout=timeout * patience(), kernel=kernel, **machine)
    return native.boot(options, native.archive(programs, PROGRAMS[name], arguments, drivers))


def run_tests(case, name, cpus, kernel, arguments=(), **machine):
    longer = 1 + int(FUZZ_CALLS) // 1000000 if name == "kfuzz" else 1
    result = boot(name, cpus, kernel, arguments, TIMEOUT * longer, **machine)
    lines = result.log.decode(errors="replace").splitlines()
    bad = [line for line in lines if "not ok" in line]
    good = [line for line in lines if re.search(r"\bok \S+$", line) and line not in bad]
    if result.problem or result.status != 0 or bad or not good:
        raise Failure("\n".join([result.problem, *bad, shown(result)]))
    case.detail = f"{len(good)} checks"


def _fuzz_cases():
    """As many calls without as with failing allocations, which only the debug kernel has."""
    for variant, kernel, more in (("", build.KERNEL, ()), ("-debug", build.KERNEL_DEBUG, ()),
                                  ("-failing", build.KERNEL_DEBUG, ("--fail",))):
        for cpus in (1, 4):
            case = Case(f"native/kfuzz{variant}@{cpus}", None)
            arguments = (f"--calls={FUZZ_CALLS}", f"--seed={FUZZ_SEED}", *more)
            case.run = lambda case=case, cpus=cpus, kernel=kernel, arguments=arguments: run_tests(
                case, "kfuzz", cpus, kernel, arguments)
            yield case


def _bounds_case():
    """The longest time with interrupts off, in instructions, at the end of a job of 1,000 processes with 1 GB and more."""
    case = Case("native/kbound-debug@1", None)
    case.run = lambda: run_tests(case, "kbound", 1, build.KERNEL_DEBUG, icount=True, mem="1500M", append="nokaslr")
    return case


def _exact_cases():
    """The scheduler where time is instructions: what it promises is kept to the microsecond, on every host."""
    for kind, kernel in (("", build.KERNEL), ("-debug", build.KERNEL_DEBUG)):
        for cpus in (1, 4):
            case = Case(f"native/ksched{kind}@{cpus}", None)
            case.run = lambda case=case, cpus=cpus, kernel=kernel: run_tests(
                case, "ksched", cpus, kernel, ("--exact",), icount=True)
            yield case
    for policy in ("rr", "pack"):
        for cpus in (1, 4):
            case = Case(f"native/ksched-{policy}@{cpus}", None)
            case.run = lambda case=case, cpus=cpus, policy=policy: run_tests(
                case, "ksched", cpus, build.KERNEL, ("--exact", policy), icount=True, append="sched=" + policy)
            yield case


# A machine for drivers; the command line of the devices that tests/native/dtest.c uses. The disk is all zeroes.
TEST_DEVICES = ("virtio-rng-pci", "edu,dma_mask=0xffffffff", "virtio-blk-pci,drive=zeroes,disable-legacy=on")
TEST_DISK = ("-blockdev", "driver=null-co,node-name=zeroes,size=1048576,read-zeroes=on")


def _device_cases():
    for machine in ("q35", "pc"):
        for kind, kernel in (("", build.KERNEL), ("-debug", build.KERNEL_DEBUG)):
            for cpus in (1, 4):
                case = Case(f"native/dtest-{machine}{kind}@{cpus}", None)
                case.run = lambda case=case, cpus=cpus, kernel=kernel, machine=machine: run_tests(
                    case, "dtest", cpus, kernel, machine=machine, devices=TEST_DEVICES, more=TEST_DISK, net=True)
                yield case


def _numa_cases():
    """The same tests on machines of several nodes: memory comes from the node of the CPU that asks."""
    for nodes in (2, 4):
        case = Case(f"native/ktest-numa{nodes}@4", None)
        case.run = lambda case=case, nodes=nodes: run_tests(case, "ktest", 4, build.KERNEL, mem="512M", numa=nodes)
        yield case


def _isolated_cases():
    """The same tests on isolated page tables, which QEMU's processor does not need."""
    case = Case("native/ktest-kpti@4", None)
    case.run = lambda: run_tests(case, "ktest", 4, build.KERNEL, append="kpti=on")
    yield case


def cases():
    yield from _device_cases()
    yield from _isolated_cases()
    yield from _numa_cases()
    yield from _fuzz_cases()
    yield _bounds_case()
    yield from _exact_cases()
    for name in PROGRAMS:
        if name in ("kfuzz", "kbound", "ksched", "provoke", "dtest"):
            continue
        for kind, kernel in (("", build.KERNEL), ("-debug", build.KERNEL_DEBUG), ("-traps", build.KERNEL_TRAPS)):
            for cpus in (1, 4):
                case = Case(f"native/{name}{kind}@{cpus}", None)
                case.run = lambda case=case, name=name, cpus=cpus, kernel=kernel: run_tests(case, name, cpus, kernel)
                yield case
