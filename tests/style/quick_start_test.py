# SPDX-License-Identifier: MIT
"""The README's quick start is the program that is compiled and run. Usage: ... ROOT"""
import pathlib
import sys

root = pathlib.Path(sys.argv[1])
program = (root / "tests/examples/quick_start.cpp").read_text()
program = program.split("\n", 1)[1]  # without the licence line
if "```cpp\n" + program + "```" not in (root / "README.md").read_text():
    sys.exit("README.md: the quick start differs from tests/examples/quick_start.cpp")
