"""lint/docs: what README.md and docs/ name is there: files, functions, and cases of tests.

Only words between backquotes are looked at. A name in capitals (`tests/unit/test_NAME.c`) or with a star stands for any; `-debug` behind
`native/ktest` is the rest of a name that begins alike.
"""
import fnmatch
import glob
import os
import re

from harness.case import Case, Failure
from launch.build import TOP

EXPLAIN = ("docs/tour.md", "docs/drivers.md", "docs/testing.md", "docs/insight.md")  # what stands in the code now
FOLDERS = "abi|bench|boot|docs|drivers|kernel|lib|linux|servers|tests|tools"
GROUPS = "fuzz|idle|image|kpti|lint|native|panic|size|system|unit"
PATH = re.compile(rf"(?:{FOLDERS})/[\w./*-]*")
CASE = re.compile(rf"(?:{GROUPS})/[\w@*-]+")
PLACE = re.compile(r"`(\w+)`(?: in| \()\s*`([\w./-]+/[\w.-]+\.[chS])`")


def _pattern(name):
    return re.sub(r"[A-Z]{3,}", "*", name)


def _ending_fits(ending, before, names):
    """Whether a case has this ending behind some beginning of the case named before."""
    return any(before[:end] + ending in names for end, letter in enumerate(before + "-") if letter == "-")


def _wrong_names(text, names):
    """The words of a text that look like a path or a case and are none."""
    before = ""
    for word in re.findall(r"`([^`\n]+)`", text):
        if CASE.fullmatch(word):
            before = word
            if not fnmatch.filter(names, word):
                yield f"no case {word}"
        elif before and re.fullmatch(r"-[a-z]\w*", word):
            if not _ending_fits(word, before, names):
                yield f"no case ends with {word} as {before} begins"
        elif PATH.fullmatch(word) and not glob.glob(os.path.join(TOP, _pattern(word))):
            yield f"no file {word}"


def _misplaced(text):
    """Functions and other names that are not in the file that is said to have them."""
    for name, path in PLACE.findall(text):
        try:
            with open(os.path.join(TOP, path)) as file:
                there = re.search(rf"\b{name}\b", file.read())
        except OSError:
            continue  # said by _wrong_names
        if not there:
            yield f"{path} has no {name}"


def _sources():
    text = []
    for folder in FOLDERS.split("|"):
        for path in glob.glob(os.path.join(TOP, folder, "**/*.[chSdp]*"), recursive=True):
            with open(path, errors="replace") as file:
                text.append(file.read())
    return set(re.findall(r"\w+", "".join(text)))


def _unknown(text, words):
    """Names of functions and the like that no source has."""
    for name in sorted(set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", text)) - words):
        yield f"nothing is called {name}"


def _check(case, names):
    names = {*names, *(name.partition("@")[0] for name in names)}
    files = [os.path.join(TOP, "README.md"), *sorted(glob.glob(os.path.join(TOP, "docs/**/*.md"), recursive=True))]
    problems, words = [], _sources()
    for path in files:
        with open(path) as file:
            text = file.read()
        name = os.path.relpath(path, TOP)
        found = [*_wrong_names(text, names), *_misplaced(text), *(_unknown(text, words) if name in EXPLAIN else ())]
        problems += [f"{name}: {problem}" for problem in found]
    if problems:
        raise Failure("\n".join(problems))
    case.detail = f"{len(files)} files"


def cases(names):
    """names: of all other cases."""
    case = Case("lint/docs", None)
    case.run = lambda: _check(case, [*names, case.name])
    return [case]
