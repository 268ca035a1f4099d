#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The hot path of a resource that counts nothing is the code of one that knows of no collectors.

The headers are copied without the lines by which hot paths tell collectors anything, and the ways
into each resource compiled with both: each function must have the same instructions, one by one.
That this would find a collector that is not free is tried with one that counts.

Usage: no_statistics_test.py INCLUDE GENERATED_INCLUDE SOURCES COMPILER...
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# What the hot path tells a collector: statements of a line of their own.
HOOK = re.compile(r"\s*(p\.)?counts_\.\w+\(.*\);|\s*\[\[maybe_unused\]\] const auto watch = .*;")
HOOKS_OF = {"storage/pool.hpp": 4, "resource/pool_resource_interface.hpp": 3}
FUNCTION = re.compile(r"^<(.+)>:$")


def without_hooks(include):
    for path, expected in HOOKS_OF.items():
        file = include / "fastalloc" / path
        lines = file.read_text().splitlines()
        kept = [line for line in lines if not HOOK.fullmatch(line)]
        if len(lines) - len(kept) != expected:
            sys.exit(f"FAILED: {path} has {len(lines) - len(kept)} hooks and not {expected}: look "
                     "whether this test still finds all of them")
        file.write_text("\n".join(kept) + "\n")


def compiled(compiler, include, sources, work):
    """Returns the instructions of each function, without addresses."""
    objects = []
    for name in ("entry_points", "vtables"):
        objects.append(work / f"{name}.o")
        subprocess.run([*compiler, "-std=c++20", "-O2", "-DNDEBUG", "-fPIC", "-I", include, "-c",
                        f"{sources}/{name}.cpp", "-o", objects[-1]], check=True)
    text = subprocess.run(["objdump", "--disassemble", "--reloc", "--no-show-raw-insn",
                           "--no-addresses", *objects],
                          check=True, capture_output=True, text=True).stdout
    functions, code = {}, None
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            code = functions.setdefault(match[1], [])
        elif code is not None and line.strip():
            code.append(" ".join(line.split()))
    return functions


def counting(include):
    file = include / "fastalloc/collector.hpp"
    text = file.read_text()
    counted = text.replace("using slot_counts = detail::no_counts;",
                           "using slot_counts = counting_for_test;", 1).replace(
        "struct no_statistics {",
        "struct counting_for_test : detail::no_counts {\n"
        "    void allocated() noexcept { ++count; }\n    int count = 0;\n};\n"
        "struct no_statistics {", 1)
    if counted == text:
        sys.exit("FAILED: no_statistics is not where it was")
    file.write_text(counted)


def difference(one, other):
    if one.keys() != other.keys():
        return f"functions {sorted(one.keys() ^ other.keys())}"
    return next((f"{name}:\n  " + "\n  ".join(one[name]) + "\nand\n  " + "\n  ".join(other[name])
                 for name in one if one[name] != other[name]), None)


include, generated, sources, *compiler = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for name, change in (("as_is", None), ("without", without_hooks), ("counting", counting)):
        shutil.copytree(include, folder / name)
        shutil.copytree(generated, folder / name, dirs_exist_ok=True)
        if change:
            change(folder / name)
    codes = {name: compiled(compiler, folder / name, sources, folder)
             for name in ("as_is", "without", "counting")}
WAYS = ("allocate_64", "deallocate_64", "try_allocate_64", "allocate", "deallocate", "make")
for way in ["drop", "allocator_allocate_64", "allocator_deallocate_64",
            *(f"{resource}_{way}" for way in WAYS
              for resource in ("fixed", "growing", "thread_local", "synchronized", "lock_free"))]:
    if not codes["as_is"].get(way):
        sys.exit(f"FAILED: {way} has no code")
if difference(codes["as_is"], codes["counting"]) is None:
    sys.exit("FAILED: a collector that counts makes no difference")
if found := difference(codes["as_is"], codes["without"]):
    sys.exit(f"FAILED: with a collector that counts nothing, and without any: {found}")
print(f"{len(codes['as_is'])} functions are the same, "
      f"{sum(map(len, codes['as_is'].values()))} lines of code")
