#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which lines and branches of include/ and src/ the tests run, in builds by clang for this.

Usage: coverage.py --work DIR [--no-run]

DIR gets two builds, without checks and with all of them. A line of a template is covered if any of its
instantiations runs it. uncovered.txt lists what is not covered, and why: fails if a line is not covered
and not in the list, or in the list and covered, or if less than 95 % of all lines are covered.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LEAST_COVERED = 0.95
# Without assertions, after which llvm-cov does not see what is run.
# What meson builds and runs of each build: all but what compiles code for itself, or looks at it only.
BUILDS = {
    "off": ["--no-suite", "style", "--no-suite", "cost", "--no-suite", "debugger"],
    "full": ["--suite", "checks"],
}
# A child that aborts leaves what it counted: counters are mapped to the file.
COUNTED = ("-fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation "
           "-fprofile-update=atomic")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def build(folder, level):
    if not (folder / "build.ninja").exists():
        run("meson", "setup", folder, ROOT, "-Dtests=enabled", "-Dboost=enabled",
            "-Dbenchmarks=disabled", "--buildtype=plain", "-Db_ndebug=true", f"-Dchecks={level}",
            "-Db_lundef=false", f"-Dcpp_args={COUNTED}", "-Dcpp_link_args=-fprofile-instr-generate",
            "-Ddefault_library=static", env={**os.environ, "CXX": "clang++"})


def test(folder, level):
    """Builds what is needed, runs it and leaves a file of counters for each program."""
    profiles = folder / "profiles"
    profiles.mkdir(exist_ok=True)
    for old in profiles.iterdir():
        old.unlink()
    run("meson", "test", "-C", folder, "--num-processes", 1, "--timeout-multiplier", 10,
        "--print-errorlogs", *BUILDS[level],
        env={**os.environ, "LLVM_PROFILE_FILE": f"{profiles}/%c%m.profraw"})


def programs(folder):
    for path in sorted((folder / "tests").rglob("*")):
        if path.is_file() and os.access(path, os.X_OK) and not path.suffix:
            yield path


def counts(folder):
    """Returns what llvm-cov knows of each source."""
    merged = folder / "merged.profdata"
    run("llvm-profdata", "merge", "--sparse", "--output", merged,
        *(folder / "profiles").glob("*.profraw"))
    first, *others = programs(folder)
    objects = [argument for other in others for argument in ("--object", other)]
    output = run("llvm-cov", "export", "--instr-profile", merged, first, *objects,
                 "--skip-functions", stdout=subprocess.PIPE)
    return json.loads(output.stdout)["data"][0]["files"]


def lines_of(segments):
    """Yields (line, count) for each line with code. A line's count is the largest of its regions'."""
    current = None  # the region that goes on from the line before: its count
    by_line = collections.defaultdict(list)
    for line, _, count, has_count, is_entry, is_gap in segments:
        by_line[line].append((count if has_count else None, is_entry and not is_gap))
    if not by_line:
        return
    for line in range(min(by_line), max(by_line) + 1):
        here = by_line.get(line, ())
        entries = [count for count, is_entry in here if is_entry and count is not None]
        found = entries + ([current] if current is not None else [])
        if found:
            yield line, max(found)
        if here:
            current = here[-1][0]


class Coverage:
    def __init__(self):
        self.lines = collections.defaultdict(collections.Counter)  # file -> line -> count
        self.branches = collections.defaultdict(lambda: [0, 0])  # place -> taken, not taken

    def add(self, files):
        for file in files:
            path = pathlib.Path(file["filename"]).resolve()
            if not any(path.is_relative_to(ROOT / folder) for folder in ("include", "src")):
                continue
            name = path.relative_to(ROOT).as_posix()
            for line, count in lines_of(file["segments"]):
                self.lines[name][line] += count
            for branch in file["branches"]:
                place = self.branches[(name, *branch[:4])]
                place[0] += branch[4]
                place[1] += branch[5]

    def uncovered(self):
        """Yields (file, line, its text) of each line that nothing ran."""
        for file, lines in sorted(self.lines.items()):
            text = (ROOT / file).read_text(encoding="utf-8").split("\n")
            for line, count in sorted(lines.items()):
                # A brace is covered when what it closes is.
                if count == 0 and re.search(r"\w", text[line - 1]):
                    yield file, line, text[line - 1].strip()

    def total(self):
        all_lines = sum(map(len, self.lines.values()))
        covered = sum(count != 0 for lines in self.lines.values() for count in lines.values())
        ways = 2 * len(self.branches)
        taken = sum((count != 0) for both in self.branches.values() for count in both)
        return covered, all_lines, taken, ways


def explained():
    """Returns {(file, text of a line)} from uncovered.txt: a file, then the lines of it."""
    found = set()
    file = ""
    for line in (HERE / "uncovered.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            found.add((file, line.strip()))
        elif line and not line.startswith("#"):
            file = line
    return found


def report(coverage):
    """Prints what is of interest. Returns whether all is as it should be."""
    known = explained()
    seen = set()
    good = True
    for file, line, text in coverage.uncovered():
        seen.add((file, text))
        if (file, text) not in known:
            print(f"{file}:{line}: not covered, and not explained: {text}")
            good = False
    for file, text in sorted(known - seen):
        print(f"{file}: explained, but covered or gone: {text}")
        good = False
    covered, all_lines, taken, ways = coverage.total()
    print(f"{covered} of {all_lines} lines ({covered / all_lines:.2%}), "
          f"{taken} of {ways} ways of branches ({taken / ways:.2%})")
    return good and covered >= LEAST_COVERED * all_lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--no-run", action="store_true", help="with what was counted before")
    options = parser.parse_args()
    coverage = Coverage()
    for level in BUILDS:
        folder = options.work.resolve() / level
        if not options.no_run:
            build(folder, level)
            test(folder, level)
        coverage.add(counts(folder))
    if not report(coverage):
        sys.exit(1)


main()
