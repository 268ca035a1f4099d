# SPDX-License-Identifier: MIT
"""What the style tests share: reading the tree, and reporting."""

import pathlib
import sys

FOLDERS = ("include", "src", "tests", "perf")


def texts(root, *suffixes, folders=FOLDERS):
    """Returns {path relative to root: text} of the files whose names end so."""
    found = {}
    for folder in folders:
        for path in sorted((pathlib.Path(root) / folder).rglob("*")):
            if path.is_file() and path.name.endswith(suffixes):
                found[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    return found


def check_itself(found, expected):
    """Ends the test if it would not report what it is there to report."""
    if found != expected:
        sys.exit(f"the test itself is broken: it reports {found} where {expected} is wrong")


def finish(violations, checked):
    """Ends the test: with the violations, or telling what has been checked."""
    if not checked:
        sys.exit("nothing to check: is this the root of the source tree?")
    for violation in violations:
        print(violation, file=sys.stderr)
    if violations:
        sys.exit(f"{len(violations)} violations")
    print(f"{len(checked)} files checked")
