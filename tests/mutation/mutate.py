#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the library in many small ways, one at a time, and says which of them no test finds.

Usage: mutate.py --work DIR [--seed N] [--count N] [--only REGEX] [--again] [--list]

DIR gets a copy of the tree, builds of it, and results.json. Who is stopped goes on from there. A mutant
is killed by a test that fails, or does not end; one that does not compile does not count. Mutants that
make no difference are in equivalent.txt, with the reason. Fails if less than 95 % of the others are
killed.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

from mutants import all_mutants, in_turn
from plan import plan_for

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GIBIBYTE = 1 << 30
KILLED, SURVIVED, NOT_COMPILED = "killed", "survived", "not compiled"
LEAST_KILLED = 0.95


def run(command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


class Workshop:
    """A copy of the tree and its two builds: without checks and with all."""

    def __init__(self, work):
        self.source = work / "source"
        self.builds = {"": work / "build", "checks": work / "build-checks"}
        self.times = {}  # of tests: seconds of CPU, and on the clock, when nothing is broken
        self.ccache = work / "ccache"

    def prepare(self):
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                               stdout=subprocess.PIPE, text=True).stdout.split("\0")
        for file in filter(None, files):
            copy = self.source / file
            text = (ROOT / file).read_bytes()
            if not copy.exists() or copy.read_bytes() != text:
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, copy)
        for which, build in self.builds.items():
            if not (build / "build.ninja").exists():
                run(["meson", "setup", build, self.source, "-Dtests=enabled", "-Dboost=enabled",
                     "-Dbenchmarks=disabled", "--buildtype=plain", "-Db_ndebug=false",
                     f"-Dchecks={'full' if which else 'off'}"],
                    env={**os.environ, "CXX": "clang++"})

    def place_of(self, test):
        """Returns the build that `test` belongs to, and its name there."""
        which, _, name = test.rpartition(": ")
        return self.builds[which], name

    def compile(self, test, is_original):
        """Returns whether it compiles."""
        build, name = self.place_of(test)
        folder = "tests/checks" if name == "detection" else "tests"
        environment = {**os.environ, "CCACHE_DIR": str(self.ccache)}
        if not is_original:
            environment["CCACHE_READONLY"] = "1"
        result = subprocess.run(["ninja", "-j1", f"{folder}/{name}"], cwd=build, env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False)
        if result.returncode != 0 and is_original:
            sys.exit(result.stdout)
        return result.returncode == 0

    def command(self, test):
        build, name = self.place_of(test)
        if name == "detection":
            return [sys.executable, self.source / "tests/checks/detection_test.py",
                    self.source / "README.md", "full", build / "tests/checks/detection"]
        return [build / "tests" / name]

    def passes(self, test):
        """Runs it, for not much longer than it takes when nothing is broken."""
        seconds, clock = self.times.get(test, (600, 3000))

        def limit():
            most = int(10 + 4 * seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (most, most))
            resource.setrlimit(resource.RLIMIT_AS, (12 * GIBIBYTE, 12 * GIBIBYTE))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        with subprocess.Popen(self.command(test), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True,
                              preexec_fn=limit) as process:
            try:
                # Second by second, so that time in which all of this is stopped is not counted.
                for _ in range(int(60 + 10 * clock)):
                    try:
                        return process.wait(1) == 0
                    except subprocess.TimeoutExpired:
                        pass
                return False
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def measure(self, test):
        """Runs a test on what is not broken, if that was not done before."""
        if test in self.times:
            return
        self.compile(test, is_original=True)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        if not self.passes(test):
            sys.exit(f"{test} fails when nothing is broken")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.times[test] = (cpu, time.monotonic() - start)

    def try_mutant(self, mutant):
        """Returns what became of it, and which test killed it."""
        tests = plan_for(mutant.file)
        for test in tests:
            self.measure(test)
        path = self.source / mutant.file
        original = path.read_text(encoding="utf-8")
        path.write_text(mutant.applied_to(original), encoding="utf-8")
        try:
            for test in tests:
                if not self.compile(test, is_original=False):
                    return NOT_COMPILED, test
                if not self.passes(test):
                    return KILLED, test
            return SURVIVED, ""
        finally:
            path.write_text(original, encoding="utf-8")


class Results:
    def __init__(self, path):
        self.path = path
        self.of = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def add(self, mutant, result, by, seconds):
        self.of[mutant.name] = {"result": result, "by": by, "seconds": round(seconds),
                                "diff": mutant.diff()}
        partial = self.path.with_suffix(".new")
        partial.write_text(json.dumps(self.of, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


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


def summary(mutants, results):
    """Prints what survived. Returns whether enough was killed."""
    same = equivalents()
    counts = dict.fromkeys((KILLED, SURVIVED, NOT_COMPILED, "equivalent"), 0)
    for mutant in mutants:
        result = results.of[mutant.name]["result"]
        if result == SURVIVED and (mutant.file, mutant.before.strip(),
                                   mutant.after.strip()) in same:
            result = "equivalent"
        counts[result] += 1
        if result == SURVIVED:
            print(mutant.diff())
    counted = counts[KILLED] + counts[SURVIVED]
    share = counts[KILLED] / counted if counted else 0
    print(f"{counts[KILLED]} of {counted} killed ({share:.1%}), {counts['equivalent']} equivalent, "
          f"{counts[NOT_COMPILED]} not compiled")
    return share >= LEAST_KILLED


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200, help="of mutants that compile")
    parser.add_argument("--only", default="", help="files whose path matches this")
    parser.add_argument("--again", action="store_true", help="try again what survived")
    parser.add_argument("--list", action="store_true", help="say which there are, and do nothing")
    return parser.parse_args()


def main():
    options = arguments()
    chosen = (m for m in in_turn(all_mutants(ROOT), options.seed) if re.search(options.only, m.file))
    if options.list:
        for mutant in chosen:
            print(mutant.diff())
        return
    options.work.mkdir(parents=True, exist_ok=True)
    results = Results(options.work / "results.json")
    workshop = Workshop(options.work.resolve())
    workshop.prepare()
    done = []
    counted = 0
    for mutant in chosen:
        if counted == options.count:
            break
        known = results.of.get(mutant.name, {}).get("result")
        if known is None or known == SURVIVED and options.again:
            start = time.monotonic()
            result, by = workshop.try_mutant(mutant)
            results.add(mutant, result, by, time.monotonic() - start)
            print(f"{result} {by}: {mutant.file}:{mutant.line}: {mutant.kind}", flush=True)
        done.append(mutant)
        counted += results.of[mutant.name]["result"] != NOT_COMPILED
    if not summary(done, results):
        sys.exit(1)


main()
