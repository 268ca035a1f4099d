#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No file includes what it does not use, as include-what-you-use sees it.

What else it says is not asked for: a source here relies on its header, and a header on those below it.
kept_includes.txt has the includes that are used in ways which it does not see.

Usage: includes.py SOURCE... -- FLAG...
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHECKED = ("include/fastalloc/", "src/")
# It includes everything, for others.
UMBRELLA = "include/fastalloc/fastalloc.hpp"


def kept():
    """Returns {(file, what it includes)} of those that stay."""
    pairs = set()
    for line in (HERE / "kept_includes.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            file, includes = line.split(":")
            pairs |= {(file, include) for include in includes.split()}
    return pairs


def superfluous(output):
    """Yields (file, what it includes) for each include that include-what-you-use would remove."""
    file = None
    for line in output.splitlines():
        if heading := re.fullmatch(r"(.*) should (add|remove) these lines:", line):
            file = heading[1] if heading[2] == "remove" else None
        elif include := re.match(r'- #include ([<"][^>"]+[>"])', line):
            if file is not None:
                yield pathlib.Path(file), include[1]
        elif not line.startswith("- "):
            file = None


def findings(source, flags):
    # What a source includes is checked with it only where it is of the same name.
    also = [] if pathlib.Path(source).is_relative_to(ROOT) else ["-Xiwyu", f"--check_also={ROOT}/include/*"]
    result = subprocess.run(
        ["iwyu", "-Xiwyu", "--no_comments", "-Xiwyu", "--no_fwd_decls", *also, *flags, source],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    # It fails whenever it has something to say.
    if " error: " in result.stderr or "fatal" in result.stderr:
        sys.exit(result.stderr)
    for path, include in superfluous(result.stderr):
        if path.is_relative_to(ROOT):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(CHECKED) and name != UMBRELLA:
                yield name, include


def main():
    split = sys.argv.index("--")
    sources, flags = sys.argv[1:split], sys.argv[split + 1:]
    found = {finding for source in sources for finding in findings(source, flags)}
    bad = sorted(found - kept())
    for name, include in bad:
        print(f"{name} does not use {include}", file=sys.stderr)
    if bad or not sources:
        sys.exit(1)


main()
