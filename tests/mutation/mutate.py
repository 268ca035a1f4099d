#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the library in many small ways, one at a time, and says which of them no test finds.

Usage: mutate.py --work DIR [--seed N] [--count N] [--only REGEX] [--jobs N] [--again] [--list]

DIR gets a copy of the tree with all chosen mutants woven in (weaving.py), three builds of it, and
results.json. Who is stopped goes on from there. A mutant is killed by a test that fails, or does not end;
it survives when every test of all builds has passed. Those that do not compile do not count, and those
that make no difference are in equivalent.txt, with the reason. Fails if less than 95 % of the others are
killed.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

from mutants import all_mutants, in_turn
from plan import first_tests, is_of_use
from weaving import weave

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GIBIBYTE = 1 << 30
KILLED, SURVIVED, NOT_COMPILED, EQUIVALENT = "killed", "survived", "not compiled", "equivalent"
LEAST_KILLED = 0.95
# Of each build, the compiler, Meson's options and what is defined: without checks, with all, and for
# memory orders, which x86 does not weaken.
BUILDS = {
    "off": ("clang++", [], ""),
    "full": ("clang++", ["-Dchecks=full"], "-D_GLIBCXX_ASSERTIONS"),  # as in the gate
    "thread": ("g++", ["-Db_sanitize=thread", "-Db_lundef=false"], ""),
}


def put(path, content, mode):
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


@dataclasses.dataclass
class Test:
    name: str
    command: list
    folder: str | None
    environment: dict
    seconds: float = 0  # of CPU, when nothing is broken
    clock: float = 0

    def passes(self, number):
        """Runs it on a mutant, for not much longer than it takes when nothing is broken."""
        most = int(10 + 4 * self.seconds) if self.clock else 1200

        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (most, most))
            if not self.name.startswith("thread: "):  # a sanitizer has terabytes set aside
                resource.setrlimit(resource.RLIMIT_AS, (24 * GIBIBYTE, 24 * GIBIBYTE))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        with tempfile.TemporaryDirectory() as scratch, subprocess.Popen(
                self.command, cwd=self.folder or scratch, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=limit,
                env={**os.environ, **self.environment, "FASTALLOC_MUTANT": str(number)}) as process:
            try:
                return process.wait(20 + 8 * self.clock if self.clock else 1200) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def measure(self):
        """Returns whether it passes where nothing is broken, within the limits that mutants have."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        if not self.passes(0):
            print(f"left out, for it fails when nothing is broken: {self.name}", flush=True)
            return False
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.clock = time.monotonic() - start
        return True


class Workshop:
    """A copy of the tree with the mutants in it, and its builds."""

    def __init__(self, work, mutants, results):
        self.results = results
        self.source = work / "source"
        self.builds = {level: work / level for level in BUILDS}
        # Number -> mutant.
        self.mutants = {n: m for n, m in mutants.items() if results.known(m) != NOT_COMPILED}
        self.woven = {}  # number -> line

    def weave(self):
        """Makes the copy as it should be now, and touches only what is different."""
        of_file = {}
        for number, mutant in self.mutants.items():
            of_file.setdefault(mutant.file, {})[number] = mutant
        self.woven = {}
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                               stdout=subprocess.PIPE, text=True).stdout.split("\0")
        for file in filter(None, files):
            content = (ROOT / file).read_bytes()
            if file in of_file:
                text, taken = weave(content.decode(), of_file[file])
                content = text.encode()
                self.woven.update(taken)
            put(self.source / file, content, (ROOT / file).stat().st_mode)

    def build(self):
        """Weaves and compiles, without those that do not compile."""
        self.weave()
        for level, build in self.builds.items():
            if not (build / "build.ninja").exists():
                compiler, options, defines = BUILDS[level]
                all_errors = "-ferror-limit=0" if compiler == "clang++" else "-fmax-errors=0"
                subprocess.run(
                    ["meson", "setup", build, self.source, "-Dtests=enabled", "-Dboost=enabled",
                     "-Dbenchmarks=disabled", "--buildtype=plain", "--optimization=1",
                     "-Db_ndebug=false", *options,
                     f"-Dcpp_args=-w {all_errors} {defines} "
                     f"-include {HERE / 'switch.hpp'}"],
                    check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CXX": compiler})
        while bad := {n for level in self.builds for n in self.compile(level)}:
            print(f"{len(bad)} do not compile", flush=True)
            for number in bad:
                self.results.add(self.mutants.pop(number), NOT_COMPILED, "")
            self.weave()

    def compile(self, level):
        """Returns the mutants in lines that a compiler finds wrong."""
        result = subprocess.run(["ninja", "-k0", *self.targets(level)], cwd=self.builds[level],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False)
        if result.returncode == 0:
            return set()
        wrong = {(pathlib.PurePath(file).name, int(line)) for file, line in re.findall(
            r"^([^\s:]+):(\d+):\d+: error", result.stdout, re.MULTILINE)}
        # Where a name is missing, what declared it is to blame, some lines before.
        for most in (0, 20):
            found = {n for n, line in self.woven.items() for before in range(most + 1)
                     if (pathlib.PurePath(self.mutants[n].file).name, line + before) in wrong}
            if found:
                return found
        sys.exit(result.stdout[-20000:])

    def listed(self, level):
        """Returns what Meson says of the tests that are of use."""
        tests = json.loads(subprocess.run(["meson", "introspect", "--tests", self.builds[level]],
                                          check=True, stdout=subprocess.PIPE, text=True).stdout)
        return [t for t in tests
                if is_of_use(t["name"], [suite.split(":")[-1] for suite in t["suite"]], level)]

    def targets(self, level):
        """Returns the programs that these tests run, and the plugins."""
        build = self.builds[level]
        parts = {pathlib.Path(os.path.abspath(build / part)) for t in self.listed(level)
                 for part in t["cmd"]}
        return sorted(str(part.relative_to(build)) for part in parts
                      if part.is_relative_to(build / "tests"))

    def tests(self):
        """Returns the tests of all builds, the fastest first."""
        found = []
        for level, build in self.builds.items():
            for t in self.listed(level):
                # Relative paths are as from the build.
                command = [str(build / part) if (build / part).exists() else part
                           for part in t["cmd"]]
                found.append(Test(("" if level == "off" else f"{level}: ") + t["name"], command,
                                  t["workdir"], t["env"]))
        return sorted((test for test in found if test.measure()), key=lambda t: t.clock)


def fate(number, mutant, tests):
    """Returns what becomes of a mutant, and which test kills it."""
    first = first_tests(mutant)
    of_use = [t for t in tests if mutant.kind == "order" or not t.name.startswith("thread: ")]
    for test in sorted(of_use, key=lambda t: (t.name not in first, t.clock)):
        if not test.passes(number):
            return KILLED, test.name
    return SURVIVED, ""


class Results:
    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.of = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def known(self, mutant):
        """Returns what became of a mutant; None if that is not known."""
        return self.of.get(mutant.name, {}).get("result")

    def add(self, mutant, result, by):
        with self.lock:
            self.of[mutant.name] = {"result": result, "by": by, "diff": mutant.diff()}
            partial = self.path.with_suffix(".new")
            partial.write_text(json.dumps(self.of, indent=1) + "\n", encoding="utf-8")
            partial.replace(self.path)
            if by or result == SURVIVED:
                print(f"{result} {by}: {mutant.file}:{mutant.line}: {mutant.kind}", flush=True)


def equivalents():
    """Returns {(file, line before, line after)}, without what is around the lines."""
    found = set()
    file = before = ""
    for line in (HERE / "equivalent.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("- "):
            before = line[2:].strip()
        elif line.startswith("+ "):
            found.add((file, before, line[2:].strip()))
        else:
            file = line.strip()
    return found


def makes_no_difference(mutant, same):
    return (mutant.file, mutant.before.strip(), mutant.after.strip()) in same


def summary(mutants, results, same):
    """Prints what survived. Returns whether enough was killed."""
    counts = dict.fromkeys((KILLED, SURVIVED, NOT_COMPILED, EQUIVALENT), 0)
    for mutant in mutants:
        result = results.of[mutant.name]["result"]
        if result == SURVIVED and makes_no_difference(mutant, same):
            result = EQUIVALENT
        counts[result] += 1
        if result == SURVIVED:
            print(mutant.diff())
    counted = counts[KILLED] + counts[SURVIVED]
    share = counts[KILLED] / counted if counted else 0
    print(f"{counts[KILLED]} of {counted} killed ({share:.1%}), {counts[EQUIVALENT]} equivalent, "
          f"{counts[NOT_COMPILED]} not compiled")
    return share >= LEAST_KILLED


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--only", default="", help="files whose path matches this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("--again", action="store_true", help="try again what survived")
    parser.add_argument("--list", action="store_true", help="say which there are, and do nothing")
    return parser.parse_args()


def choose(options):
    """Returns {number: mutant} of those that can be woven in."""
    chosen = {}
    texts = {}
    for mutant in in_turn(all_mutants(ROOT), options.seed):
        if len(chosen) == options.count:
            break
        if not re.search(options.only, mutant.file):
            continue
        if mutant.file not in texts:
            texts[mutant.file] = (ROOT / mutant.file).read_text(encoding="utf-8")
        if weave(texts[mutant.file], {1: mutant})[1]:
            chosen[len(chosen) + 1] = mutant
    return chosen


def main():
    options = arguments()
    mutants = choose(options)
    if options.list:
        for mutant in mutants.values():
            print(mutant.diff())
        return
    options.work.mkdir(parents=True, exist_ok=True)
    results = Results(options.work / "results.json")
    workshop = Workshop(options.work.resolve(), mutants, results)
    workshop.build()
    for number, mutant in mutants.items():
        if number not in workshop.woven:  # beside others of the same line
            results.add(mutant, NOT_COMPILED, "")
    tests = workshop.tests()
    print(f"{len(workshop.woven)} mutants, {len(tests)} tests, which take "
          f"{sum(t.clock for t in tests):.0f} s", flush=True)

    same = equivalents()

    def is_open(mutant):
        known = results.known(mutant)
        return known is None or (known == SURVIVED and options.again and
                                 not makes_no_difference(mutant, same))

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(lambda n=n: results.add(mutants[n], *fate(n, mutants[n], tests)))
                   for n in sorted(workshop.woven) if is_open(mutants[n])]
    for done in running:
        done.result()
    if not summary(mutants.values(), results, same):
        sys.exit(1)


main()
