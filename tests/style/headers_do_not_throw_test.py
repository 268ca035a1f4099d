#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The headers have no throw, try or catch, so that they compile without exceptions.

Usage: headers_do_not_throw_test.py ROOT
"""

import re
import sys

from source_tree import check_itself, finish, texts

NOT_CODE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\[^'\n]+|[^'\\\n])'""",
    re.DOTALL | re.VERBOSE)
KEYWORD = re.compile(r"\b(throw|try|catch)\b")


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def violations(tree):
    return [
        f"{path}:{number}: {keyword}"
        for path, text in tree.items()
        for number, line in enumerate(NOT_CODE.sub(blank, text).splitlines(), 1)
        for keyword in KEYWORD.findall(line)
    ]


check_itself(
    violations({
        "good.hpp": "// throw\n/* try\n catch */ f(\"a \\\" throw\", 1'000, '\"'); throw_bad_alloc();\n",
        "bad.hpp": "/* a\n */ try { f('\\'', \"//\"); } catch (...) {\n  throw;\n}\n",
    }),
    ["bad.hpp:2: try", "bad.hpp:2: catch", "bad.hpp:3: throw"],
)
tree = texts(sys.argv[1], ".hpp", folders=("include",))
finish(violations(tree), tree)
