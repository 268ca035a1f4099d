#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each mistake of README.md's table is found when and by what it says, by every resource.

Usage: detection_test.py README LEVEL PROGRAM [--address-sanitizer]

A cell of the table is "no", or WHEN: `FAULT`, with an exception after a semicolon:
"at once: `double_free`; `fixed`: at spill: `foreign_free`".
"""

import re
import signal
import subprocess
import sys

# A memory checker finds these itself, before they are reported.
FOUND_BY_SANITIZER = {"write_after_free", "overrun"}
# What a mistake that is not found may end in.
RUINED = {-signal.SIGABRT, -signal.SIGSEGV}


def table_of(readme):
    """Returns {mistake: {level: cell}}."""
    text = readme.split("<!-- detection -->", 1)[1].split("\n\n", 2)[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    levels = [cell.strip("`") for cell in rows[0]]
    result = {}
    for row in rows[2:]:
        name = re.search(r"`(\w+)`$", row[0])[1]
        result[name] = dict(zip(levels[1:], row[1:]))
    return result


def expected(cell, resource):
    """Returns what the program prints."""
    general, *exceptions = [part.strip() for part in cell.split(";")]
    for exception in exceptions:
        whose, _, what = exception.partition(":")
        if resource in re.findall(r"`(\w+)`", whose):
            general = what.strip()
    return general.replace("`", "")


def run(program, resource, mistake):
    done = subprocess.run([program, resource, mistake], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, timeout=60)
    if done.returncode in RUINED:
        return "no"
    assert done.returncode == 0, f"{resource} {mistake}: status {done.returncode}"
    return done.stdout.strip()


readme, level, program, *sanitized = sys.argv[1:]
with open(readme, encoding="utf-8") as file:
    table = table_of(file.read())
listing = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True)
resources, mistakes = [line.split() for line in listing.stdout.splitlines()]
assert sorted(table) == sorted(mistakes), f"README.md has {sorted(table)}"

wrong = []
for mistake in mistakes:
    if sanitized and mistake in FOUND_BY_SANITIZER:
        continue
    for resource in resources:
        want = expected(table[mistake][level], resource)
        got = run(program, resource, mistake)
        print(f"{level} {resource} {mistake}: {got}")
        if got != want:
            wrong.append(f"{level} {resource} {mistake}: found '{got}', README.md says '{want}'")
print(*wrong, sep="\n", file=sys.stderr)
sys.exit(bool(wrong))
