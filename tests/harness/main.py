"""`./keel test`: finds the cases, runs a few at a time, prints a line each and the failures in full."""
import argparse
import concurrent.futures
import os
import signal
import sys
import threading
import time
import traceback

from harness import bochs, docs, host, image, monitor, native, panics, processes, system
from harness.case import Failure
from launch.errors import UserError

WORKERS = 2
LINES_MAX = 150  # of a failure


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UserError(f"{message}; see ./keel test --help")


class Report:
    """What became of the cases; `whole` is how many there are. When the run is told to end, what fails then did not fail by itself."""

    def __init__(self, whole):
        self.lock = threading.Lock()
        self.whole, self.passed, self.failed, self.ending = whole, 0, [], False

    def add(self, case, problem, seconds):
        with self.lock:
            if problem and self.ending:
                return
            detail = f"  {case.detail}" if case.detail and not problem else ""
            print(f"{'FAIL' if problem else 'ok  '}  {case.name}  ({seconds:.1f} s){detail}", flush=True)
            if problem:
                self.failed.append(case.name)
                print("".join(f"      {line}\n" for line in problem.rstrip().splitlines()[:LINES_MAX]), end="", flush=True)
            else:
                self.passed += 1

    def end(self):
        with self.lock:
            self.ending = True

    def conclude(self):
        """Prints the names of what failed, and the counts. Returns the exit status."""
        for name in self.failed:
            print(f"failed: {name}")
        left = self.whole - self.passed - len(self.failed)
        print(f"{self.passed} passed, {len(self.failed)} failed" + (f", {left} not run to their end" if left else ""))
        sys.stdout.flush()
        return 1 if self.failed or left else 0


class Queue:
    """The cases that wait. Half of the workers take those with four processors first, half the others: two machines of four
    on two processors would take turns at waiting for each other's locks, four times as long."""

    def __init__(self, cases):
        self.lock = threading.Lock()
        self.wide = [case for case in cases if case.name.endswith("@4")]
        self.others = [case for case in cases if not case.name.endswith("@4")]

    def next(self, wide):
        with self.lock:
            first, second = (self.wide, self.others) if wide else (self.others, self.wide)
            return first.pop(0) if first else second.pop(0) if second else None

    def close(self):
        with self.lock:
            self.wide, self.others = [], []


def _work(queue, wide, report):
    while case := queue.next(wide):
        _run(case, report)


def _run(case, report):
    began = time.monotonic()
    problem = ""
    try:
        case.run()
    except (Failure, UserError) as failure:
        problem = str(failure) or "failed"
    except Exception:  # pylint: disable=broad-except — an error in a test is a failed test
        problem = traceback.format_exc()
    report.add(case, problem, time.monotonic() - began)


def _wanted(case, names):
    group, _, rest = case.name.partition("/")
    return not names or any(name in (case.name, group, rest) or case.name.startswith(name + "/") or
                            name in (rest.partition("@")[0], case.name.partition("@")[0]) for name in names)


def _count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"\"{text}\" is not a number from 1")
    return int(text)


def _check_names(cases, names):
    for name in names:
        if not any(_wanted(case, [name]) for case in cases):
            raise UserError(f"no test \"{name}\"; see ./keel test --list")


def run(arguments):
    parser = Parser(prog="./keel test", description="Runs the tests: everything, or the groups and cases named.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="size lint unit fuzz native image panic system …, or a case's name")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--on", choices=["keel", "linux"], default="keel",
                        help="linux: run the system cases on Debian's Linux instead, to see that they are right")
    parser.add_argument("--workers", type=_count, default=WORKERS, metavar="N", help=f"how many cases run at a time ({WORKERS})")
    parser.add_argument("--repeat", type=_count, default=1, metavar="N",
                        help="run each case so many times; with more workers than processors, races show")
    options = parser.parse_args(arguments)
    cases = [*host.cases(), *native.cases(), *panics.cases(), *image.cases(), *monitor.cases(), *bochs.cases(), *system.cases(options.on)]
    cases += docs.cases([case.name for case in cases])
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    cases.sort(key=lambda case: -case.cost)  # so that no long one runs alone at the end
    _check_names(cases, options.names)
    cases = [case for case in cases if _wanted(case, options.names)]
    if options.on == "linux":
        cases = [case for case in cases if case.name.startswith("system/")]
    return _run_all(cases * options.repeat, options.workers)


def _run_all(cases, workers):
    report = Report(len(cases))
    queue = Queue(cases)
    told = []  # signals: noted only, for an exception would be lost in places where Python ignores it
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: told.append(number))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(_work, queue, number % 2 == 0, report) for number in range(workers)]
        while not told and concurrent.futures.wait(futures, timeout=0.2).not_done:
            continue
        if told:
            report.end()
            queue.close()
            all_ended = processes.end_all(lambda: all(future.done() for future in futures))
            report.conclude()
            if not all_ended:
                os._exit(128 + told[0])  # without the threads, which nothing moves
            return 128 + told[0]
    return report.conclude()
