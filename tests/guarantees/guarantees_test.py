#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each operation in GUARANTEES.md is there, and noexcept where that says so.

Usage: guarantees_test.py GUARANTEES INCLUDE GENERATED_INCLUDE COMPILER...
"""

import pathlib
import re
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(__file__).with_name("guarantees.cpp")
TABLE = re.compile(r"<!-- guarantees: (\w+) -->\n\n((?:\|.*\n)+)")


def rows_of(text):
    """Returns {table: [(operation, whether it is noexcept)]}."""
    tables = {}
    for name, body in TABLE.findall(text):
        rows = tables[name] = []
        for line in body.splitlines()[2:]:
            operation, is_noexcept = [cell.strip() for cell in line.strip("|").split("|")][:2]
            rows.append((operation.strip("`"), {"yes": "true", "no": "false"}[is_noexcept]))
    return tables


def compile_tables(tables, compiler):
    """Returns what the compiler says; none if every row holds."""
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in tables.items():
            lines = [f"FASTALLOC_GUARANTEE({operation}, {is_noexcept});" for operation, is_noexcept in rows]
            pathlib.Path(folder, name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        done = subprocess.run([*compiler, f"-I{folder}", PROGRAM], stderr=subprocess.PIPE, text=True,
                              check=False)
    return done.stderr if done.returncode else None


guarantees, include, generated, *compiler = sys.argv[1:]
compiler += ["-std=c++20", "-fsyntax-only", f"-I{include}", f"-I{generated}"]
tables = rows_of(pathlib.Path(guarantees).read_text(encoding="utf-8"))
if said := compile_tables(tables, compiler):
    sys.exit(f"FAILED: {said}")
operation, is_noexcept = tables["handles"][0]
tables["handles"][0] = (operation, "false" if is_noexcept == "true" else "true")
if compile_tables(tables, compiler) is None:
    sys.exit("FAILED: a row that is wrong is not found")
print(f"{sum(map(len, tables.values()))} operations")
