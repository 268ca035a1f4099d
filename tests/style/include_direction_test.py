#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each layer includes only itself and the layers below it, and no file includes itself in the end.

Usage: include_direction_test.py ROOT
"""

import posixpath
import re
import sys

from source_tree import check_itself, finish, texts

VALUES = {"collector.hpp", "config.hpp", "error.hpp", "latency_histogram.hpp", "statistics.hpp"}
STACK = ["detail", "index", "storage", "resource"]
ABOVE_THE_STACK = ["object", "allocator", "boost"]

# What each layer may include, besides itself: layers, or single headers.
ALLOWED = {layer: {*STACK[:i], *VALUES, "fwd.hpp"} for i, layer in enumerate(STACK)}
ALLOWED |= {layer: {*STACK, *VALUES, "fwd.hpp"} for layer in ABOVE_THE_STACK}
ALLOWED["fwd.hpp"] = {"detail", "index"}
ALLOWED |= {value: {"detail", "index/index_strategy.hpp"} for value in VALUES}
ALLOWED["collector.hpp"] |= {"latency_histogram.hpp", "statistics.hpp"}
ALLOWED |= {layer: {"detail", *VALUES, "fwd.hpp"} for layer in ("adaptor", "report", "upstream")}
ALLOWED["fastalloc.hpp"] = ALLOWED.keys() - {"boost"}
ALLOWED["tools"] = {*ALLOWED}  # programs in src/tools

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
ROOTS = ("include/fastalloc/", "src/")


def layer_of(name):
    """`name` is relative to include/fastalloc or src, which mirror each other."""
    folder = name.split("/")[0]
    return folder if "/" in name else posixpath.splitext(name)[0] + ".hpp"


def name_of(path):
    return next((path.removeprefix(root) for root in ROOTS if path.startswith(root)), None)


def includes(path, text):
    """Returns what of the library, or of Boost, is included, as a path in the tree."""
    for mark, target in INCLUDE.findall(text):
        if mark == '"':
            yield posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        elif target.startswith("fastalloc/"):
            yield "include/" + target
        elif target.startswith("boost/"):
            yield target


def may_include(path, target):
    own, name = layer_of(name_of(path)), name_of(target)
    if name is None:
        return own == "boost"
    allowed = ALLOWED.get(own, set()) | {own}
    # The implementation of a value may use the other values.
    if own in VALUES and path.startswith("src/"):
        allowed = allowed | VALUES
    return layer_of(name) in allowed or name in allowed


def cycles(graph):
    """Returns one line for each include that closes a circle."""
    found, done = [], set()

    def visit(path, way):
        if path in way:
            found.append(" includes ".join([*way[way.index(path):], path]))
        elif path not in done:
            for target in graph.get(path, ()):
                visit(target, [*way, path])
            done.add(path)

    for path in graph:
        visit(path, [])
    return found


def violations(tree):
    graph = {path: list(includes(path, text)) for path, text in tree.items()}
    wrong = [
        f"{path} includes {target}: {layer_of(name_of(path))} is not above it"
        for path, targets in graph.items()
        for target in targets
        if not may_include(path, target)
    ]
    return wrong + cycles(graph)


check_itself(
    violations({
        "include/fastalloc/detail/a.hpp": "#include <fastalloc/error.hpp>\n#include <new>\n",
        "include/fastalloc/index/a.hpp": "#include <fastalloc/storage/a.hpp>\n",
        "include/fastalloc/storage/a.hpp": "#include <fastalloc/index/b.hpp>\n",
        "include/fastalloc/object/a.hpp": "#  include <fastalloc/allocator/a.hpp>\n",
        "include/fastalloc/boost/a.hpp": "#include <boost/a.hpp>\n",
        "include/fastalloc/resource/a.hpp": "#include <boost/a.hpp>\n#include \"b.hpp\"\n",
        "include/fastalloc/resource/b.hpp": "#include <fastalloc/resource/a.hpp>\n",
        "include/fastalloc/config.hpp": "#include <fastalloc/index/index_strategy.hpp>\n",
        "include/fastalloc/error.hpp": "#include <fastalloc/config.hpp>\n",
        "include/fastalloc/fastalloc.hpp": "#include <fastalloc/boost/a.hpp>\n",
        "src/config.cpp": "#include <fastalloc/error.hpp>\n",
        "src/storage/a.cpp": "#include \"../resource/a.hpp\"\n",
        "src/upstream/a.cpp": "#include <fastalloc/statistics.hpp>\n#include <fastalloc/storage/a.hpp>\n",
    }),
    [
        "include/fastalloc/index/a.hpp includes include/fastalloc/storage/a.hpp: index is not above it",
        "include/fastalloc/object/a.hpp includes include/fastalloc/allocator/a.hpp: object is not above it",
        "include/fastalloc/resource/a.hpp includes boost/a.hpp: resource is not above it",
        "include/fastalloc/error.hpp includes include/fastalloc/config.hpp: error.hpp is not above it",
        "include/fastalloc/fastalloc.hpp includes include/fastalloc/boost/a.hpp: fastalloc.hpp is not above it",
        "src/storage/a.cpp includes src/resource/a.hpp: storage is not above it",
        "src/upstream/a.cpp includes include/fastalloc/storage/a.hpp: upstream is not above it",
        "include/fastalloc/resource/a.hpp includes include/fastalloc/resource/b.hpp"
        " includes include/fastalloc/resource/a.hpp",
    ],
)
tree = texts(sys.argv[1], ".hpp", ".cpp", folders=("include/fastalloc", "src"))
finish(violations(tree), tree)
