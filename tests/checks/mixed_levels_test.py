#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program whose headers are for other checks than the library's is not linked.

Usage: mixed_levels_test.py INCLUDE GENERATED_INCLUDE LEVEL LIBRARY COMPILER...
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = """
#include <fastalloc/resource/growing_pool_resource.hpp>
int main() {
    fastalloc::growing_pool_resource r;
    r.deallocate(r.allocate(8), 8);
}
"""

include, generated, level, library, *compiler = sys.argv[1:]
library = pathlib.Path(library).resolve()


def link(work, wanted):
    """Returns what the compiler says of a program with headers of that level; none if it links."""
    headers = work / wanted
    shutil.copytree(generated, headers)
    build = headers / "fastalloc/detail/build.hpp"
    text = build.read_text()
    build.write_text(re.sub(rf"\bchecks(::|_){level}\b", rf"checks\g<1>{wanted}", text))
    source = work / "program.cpp"
    source.write_text(PROGRAM)
    done = subprocess.run([*compiler, "-std=c++20", f"-I{headers}", f"-I{include}", source,
                           library, f"-Wl,-rpath,{library.parent}", "-pthread",
                           "-o", work / "program"], stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        subprocess.run([work / "program"], check=True)
        return None
    return done.stderr


with tempfile.TemporaryDirectory() as folder:
    for other in ("off", "basic", "full"):
        said = link(pathlib.Path(folder), other)
        if other == level and said is not None:
            sys.exit(f"FAILED: headers of the library's own level: {said}")
        if other != level and (said is None or f"checks_{other}::library_has_these_checks" not in said):
            sys.exit(f"FAILED: headers for {other} with a library for {level}: {said}")
        print(f"headers for {other}, library for {level}: {'links' if said is None else 'refused'}")
