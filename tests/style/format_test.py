#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clang-format would change nothing. Skipped where it is not installed.

Usage: format_test.py ROOT
"""

import shutil
import subprocess
import sys

from source_tree import finish, texts

SKIPPED = 77

if shutil.which("clang-format") is None:
    print("skipped: clang-format is not installed")
    sys.exit(SKIPPED)

tree = texts(sys.argv[1], ".hpp", ".cpp")
result = subprocess.run(["clang-format", "--dry-run", "-Werror", "--style=file", *tree],
                        cwd=sys.argv[1], stderr=subprocess.PIPE, text=True)
finish([result.stderr] if result.returncode != 0 else [], tree)
