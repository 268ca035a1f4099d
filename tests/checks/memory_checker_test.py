#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory errors in slots are found by the memory checker that the library was built for.

Usage: memory_checker_test.py CHECKER PROGRAM

CHECKER is address, memory or valgrind.
"""

import os
import re
import shutil
import subprocess
import sys

SKIPPED = 77
RESOURCES = ("fixed", "growing", "thread_local", "synchronized", "lock_free")
# Valgrind takes a second for each.
THOROUGHLY = {"address": RESOURCES, "memory": RESOURCES, "valgrind": ("growing", "lock_free")}
# What each says of each error.
REPORTS = {
    "address": {
        "read_after_free": r"use-after-poison.*\nREAD of size 1",
        "write_after_free": r"use-after-poison(.|\n)*WRITE of size 1(.|\n)*in .*write\(",
        "overrun": r"use-after-poison(.|\n)*WRITE of size 1",
        "never_taken": r"(use-after-poison|heap-buffer-overflow)(.|\n)*WRITE of size 1",
        "after_release": r"(use-after-poison|heap-use-after-free)(.|\n)*READ of size 1",
    },
    "memory": {
        "read_after_free": r"use-of-uninitialized-value",
        "uninitialized": r"use-of-uninitialized-value",
    },
    "valgrind": {
        "read_after_free": r"Invalid read of size 1(.|\n)*0 bytes inside a block of size 40 free'd",
        "write_after_free": r"Invalid write of size 1(.|\n)*0 bytes inside a block of size 40 free'd",
        "overrun": r"Invalid write of size 1",
        "never_taken": r"Invalid write of size 1",
        "uninitialized": r"Conditional jump or move depends on uninitialised value",
        "after_release": r"Invalid read of size 1",
    },
}

checker, program = sys.argv[1:]
command = [program]
upstream = "heap"
environment = dict(os.environ, ASAN_OPTIONS="abort_on_error=0:symbolize=1",
                   MSAN_OPTIONS="abort_on_error=0")
if checker == "valgrind":
    if not shutil.which("valgrind"):
        print("skipped: there is no valgrind")
        sys.exit(SKIPPED)
    upstream = "pages"  # else it names the blocks of the heap that slots are in
    command = ["valgrind", "--quiet", "--error-exitcode=1", program]

wrong = []
for resource in RESOURCES:
    for fault, report in {"none": None, **REPORTS[checker]}.items():
        if fault != "none" and resource not in THOROUGHLY[checker]:
            continue
        done = subprocess.run([*command, resource, fault, upstream], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, env=environment, timeout=120)
        if report is None:
            if done.returncode != 0 or done.stderr:
                wrong.append(f"{resource}: a false alarm:\n{done.stderr}")
        elif done.returncode == 0 or not re.search(report, done.stderr):
            wrong.append(f"{resource} {fault}: not found, but status {done.returncode}:\n"
                         f"{done.stderr}")
        print(f"{resource} {fault}: status {done.returncode}")
print(*wrong, sep="\n", file=sys.stderr)
sys.exit(bool(wrong))
