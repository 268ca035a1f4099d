#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lists in the build files name every header and source; every file begins as it should.

Usage: header_list_test.py ROOT
"""

import re
import sys

from source_tree import check_itself, finish, texts

LICENSE = "SPDX-License-Identifier: MIT"


def unlisted(tree, folder, suffix):
    """Compares the files(...) of the folder's build file with what is there."""
    build_file = f"{folder}/meson.build"
    listed = re.findall(rf"^\s*'([^']+{re.escape(suffix)})',?$", tree[build_file], re.MULTILINE)
    there = {path.removeprefix(folder + "/") for path in tree
             if path.startswith(folder + "/") and path.endswith(suffix)
             and "/tools/" not in path}
    for name in sorted(there - set(listed)):
        yield f"{folder}/{name} is not listed in {build_file}"
    for name in sorted(set(listed) - there):
        yield f"{build_file} lists {name}, which does not exist"
    for name in sorted({name for name in listed if listed.count(name) > 1}):
        yield f"{build_file} lists {name} twice"


def badly_begun(path, text):
    lines = text.splitlines() or [""]
    first = lines[1:2] if lines[0].startswith("#!") else lines[:1]
    mark = "//" if path.removesuffix(".in").endswith((".hpp", ".cpp")) else "#"
    if first != [f"{mark} {LICENSE}"]:
        yield f"{path} does not begin with '{mark} {LICENSE}'"
    if path.endswith(".hpp") and "#pragma once" not in lines:
        yield f"{path} has no '#pragma once'"


def violations(tree):
    return [
        *unlisted(tree, "include/fastalloc", ".hpp"),
        *unlisted(tree, "src", ".cpp"),
        *(v for path, text in tree.items() for v in badly_begun(path, text)),
    ]


check_itself(
    violations({
        "include/fastalloc/meson.build": f"# {LICENSE}\n  'a/a.hpp',\n  'c.hpp',\n",
        "include/fastalloc/a/a.hpp": f"// {LICENSE}\n#pragma once\n",
        "include/fastalloc/b.hpp": f"// {LICENSE}\n",
        "src/meson.build": f"# {LICENSE}\n  'a.cpp',\n  'a.cpp',\n",
        "src/a.cpp": "",
        "src/b.cpp": f"// {LICENSE}\n",
        "tests/a.py": f"#!/usr/bin/env python3\n# {LICENSE}\n",
        "tests/b.py": "#!/usr/bin/env python3\n",
    }),
    [
        "include/fastalloc/b.hpp is not listed in include/fastalloc/meson.build",
        "include/fastalloc/meson.build lists c.hpp, which does not exist",
        "src/b.cpp is not listed in src/meson.build",
        "src/meson.build lists a.cpp twice",
        "include/fastalloc/b.hpp has no '#pragma once'",
        f"src/a.cpp does not begin with '// {LICENSE}'",
        f"tests/b.py does not begin with '# {LICENSE}'",
    ],
)
tree = texts(sys.argv[1], ".hpp", ".cpp", ".py", ".sh", ".in", "meson.build", "CMakeLists.txt")
finish(violations(tree), tree)
