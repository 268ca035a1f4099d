# SPDX-License-Identifier: MIT
"""Runs each program of argv with command lines that it must answer with its usage."""

import subprocess
import sys

NUMBER = {"particles": "--frames", "scene_graph": "--entities", "connections": "--clients"}


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)


def check(condition, result):
    if not condition:
        sys.exit(f"FAILED: {result.args}\nexit status {result.returncode}\n"
                 f"--- stdout\n{result.stdout}\n--- stderr\n{result.stderr}")


for program in sys.argv[1:]:
    result = run(program, "--help")
    check(result.returncode == 0 and result.stdout.startswith("Usage:"), result)
    number = NUMBER[program.rsplit("/", 1)[-1]]
    check(number in result.stdout, result)
    for arguments in [["--unknown"], ["word"], [number], [number, "0"], [number, "-1"],
                      [number, "3x"], [number, ""], [number, "9" * 12], [number, "9" * 30]]:
        result = run(program, *arguments)
        check(result.returncode == 2 and "Usage:" in result.stderr and result.stdout == "", result)
