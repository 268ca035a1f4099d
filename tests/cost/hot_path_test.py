#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the entry points cost is what the golden table says, in instructions that are executed.

hot_path.cpp calls each entry point on its hot path, and callgrind counts. A line of the table has
the instructions of one call, how many of them are conditional branches, and how many other
functions the entry point calls: one through `memory_resource*`, and none else where the compiler
inlines all that should be. They have to be the same each time, and there may be no division.

The lines `refill` and `spill` are the worst calls found of a fixed pool that exchanges so many slots
with its index. The memmove of as many pointers is that of the system, and not counted.

There is a table for each compiler, whatever the options of the build: what is counted is compiled
here, and not taken from the library. The test is skipped where there is none, or no valgrind. With
--update it writes the table.

Usage: hot_path_test.py INCLUDE GENERATED_INCLUDE FOLDER LIBRARY COMPILER_NAME COMPILER... [--update]
"""

import collections
import difflib
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
# What distributions switch on by default differs.
FLAGS = ["-std=c++20", "-O2", "-DNDEBUG", "-fPIE", "-fno-stack-protector", "-fcf-protection=none"]
CALLGRIND = ["valgrind", "--quiet", "--tool=callgrind", "--branch-sim=yes", "--combine-dumps=yes",
             "--compress-strings=no", "--compress-pos=no", "--demangle=no"]
PAIR = ["allocate_64", "deallocate_64"]
# Those that are the same function, whatever the resource.
SHARED = ["pointer_allocate_64", "pointer_deallocate_64", "drop", "drop_shared"]
OF_RESOURCE = [*PAIR, "try_allocate_64", "allocate", "deallocate", "make", "make_shared", "find",
               *SHARED]
SYSTEM = re.compile(r"/(libc|ld)[-.]")
DIVISION = re.compile(r"\ti?div")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def build(compiler, includes, folder, library, work):
    program = work / "hot_path"
    sources = [folder / f"{name}.cpp" for name in ("hot_path", "entry_points", "vtables")]
    sources.append(folder.parents[1] / "src/object/object_home.cpp")
    flags = [*FLAGS, *(f"-I{include}" for include in includes)]
    compiling = [subprocess.Popen([*compiler, *flags, "-c", source,
                                   "-o", work / f"{source.stem}.o"]) for source in sources]
    if any([process.wait() for process in compiling]):
        sys.exit("FAILED: what is to be counted does not compile")
    run(*compiler, "-pie", "-Wl,-z,now", f"-Wl,-rpath,{library.parent}",
        *(work / f"{source.stem}.o" for source in sources), library, "-o", program)
    return program


class Function:
    """What callgrind saw of a function, all calls together."""

    def __init__(self):
        self.calls = 0
        self.cost = (0, 0)  # instructions and conditional branches, without those of the system
        self.callees = collections.Counter()

    def add(self, cost):
        self.cost = tuple(map(sum, zip(self.cost, cost)))


def parts_of(output):
    """Yields (title, {name: Function}) of each part of callgrind's output, as its manual has it."""
    for part in output.split("\npart: ")[1:]:
        title = re.search(r"^desc: Trigger: (?:Client Request: )?(.*)$", part, re.M)[1]
        functions = collections.defaultdict(Function)
        function = callee = None
        place = callee_place = ""
        for line in part[part.index("\nsummary:"):].splitlines():
            key, _, value = line.partition("=")
            if key == "ob":
                place = callee_place = value
            elif key == "fn":
                function = functions[value]
            elif key == "cob":
                callee_place = value
            elif key == "cfn":
                callee = value
            elif key == "calls":
                calls = int(value.split()[0])
                function.callees[callee] += calls
                functions[callee].calls += calls
            elif re.match(r"\d+ \d", line):
                instructions, branches = [*map(int, line.split()[1:3]), 0][:2]
                if not (callee and SYSTEM.search(callee_place)):
                    function.add((instructions, branches))
                callee, callee_place = None, place
        yield title, functions


def disassembly(program):
    """The instructions of each function."""
    text = run("objdump", "--disassemble", "--no-show-raw-insn", program)
    return dict(re.findall(r"^\w+ <(.+)>:\n((?:.+\n)*)", text, re.M))


def hot_row(row, symbol, function, code):
    """Instructions, conditional branches and calls of one call."""
    sums = [*function.cost, function.callees.total()]
    if function.calls == 0 or any(n % function.calls for n in sums):
        sys.exit(f"FAILED: {row}, called {function.calls} times, does not cost the same each time")
    for part in (symbol, *function.callees):
        if DIVISION.search(code.get(part, "")):
            sys.exit(f"FAILED: there is a division in {part}, on the hot path of {row}")
    return [n // function.calls for n in sums]


def rows_of(output, code):
    rows = {}
    for title, functions in parts_of(output):
        kind, _, name = title.partition(" ")
        if kind == "hot":
            for way in PAIR if name == "allocator" else OF_RESOURCE:
                row = f"{name}_{way}"
                symbol = way if way in SHARED else row
                rows[row] = hot_row(row, symbol, functions[symbol], code)
        elif kind == "once":
            way = "fixed_allocate_64" if "refill" in name else "fixed_deallocate_64"
            rows[name] = max(rows.get(name, []), [*functions[way].cost])
    return rows


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    update = len(arguments) != len(sys.argv[1:])
    include, generated, folder, library, name, *compiler = arguments
    folder, library = pathlib.Path(folder), pathlib.Path(library).resolve()
    golden = folder / "golden" / f"{name}-{platform.machine()}.txt"
    if not shutil.which("valgrind"):
        print("skipped: there is no valgrind")
        sys.exit(SKIPPED)
    if not golden.exists() and not update:
        print(f"skipped: there is no {golden}")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        program = build(compiler, (include, generated), folder, library, work)
        run(*CALLGRIND, f"--callgrind-out-file={work / 'counts'}", program)
        rows = rows_of((work / "counts").read_text(), disassembly(program))
    table = f"{'':34}instructions branches  calls\n" + "".join(
        f"{row:34}{numbers[0]:12}" + "".join(f"{n:9}" for n in numbers[1:]) + "\n"
        for row, numbers in rows.items())
    if update:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(table)
        print(f"wrote {golden}\n{table}")
        return
    old = golden.read_text()
    if table != old:
        print(table, *difflib.unified_diff(old.splitlines(), table.splitlines(), str(golden), "now",
                                           n=0, lineterm=""), sep="\n")
        sys.exit("FAILED: the code costs something else: the table as it is now stands above. Where "
                 "that is meant: meson test -C BUILD hot_path --test-args=--update")
    print(f"{len(rows)} rows are as in {golden.name}")


main()
