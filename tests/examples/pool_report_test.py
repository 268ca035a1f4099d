# SPDX-License-Identifier: MIT
"""Runs the program of argv with the options that show its pool, and reads what they write.

Usage: pool_report_test.py PROGRAM [ARGUMENT]...
"""

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree


def run(*arguments):
    return subprocess.run([*sys.argv[1:], *arguments], capture_output=True, text=True, timeout=60)


def check(condition, what, result):
    if not condition:
        sys.exit(f"FAILED: {what}\n{result.args}\nexit status {result.returncode}\n"
                 f"--- stdout\n{result.stdout}\n--- stderr\n{result.stderr}")


result = run("--statistics", "json")
check(result.returncode == 0, "JSON is written", result)
report = json.loads(result.stdout)
check(report["version"] == 1, "the version is known", result)
source, = report["sources"]
resource = source["resource"]
check(source["type"] == "growing_pool_resource", "the pool grows", result)
check(0 < resource["current"] <= resource["peak"] <= resource["capacity"], "slots are in use", result)
check(resource["allocations"] - resource["deallocations"] == resource["current"],
      "what is in use was allocated, and not given back", result)
check(0 < resource["misses"] < resource["allocations"] / 10, "most allocations are hits", result)
check(resource["failures"]["total"] == 0 if "total" in resource["failures"] else
      not any(resource["failures"].values()), "nothing failed", result)
check(source["latency_ns"]["allocate"]["count"] >= resource["allocations"],
      "each allocation was timed", result)
check(0 <= source["fragmentation"] < 1, "fragmentation is a share", result)
if "objects" in source:
    check(source["objects"]["alive"] == resource["current"], "each object has a slot", result)

result = run("--statistics", "prometheus")
check(result.returncode == 0 and f'{resource["current"]}\n' in result.stdout, "the same again", result)
check("# TYPE fastalloc_pool_allocations_total counter" in result.stdout, "in families", result)

result = run("--statistics", "text")
check(result.returncode == 0 and f'{resource["current"]}' in result.stdout.replace(",", ""),
      "the same as a table", result)

with tempfile.TemporaryDirectory() as folder:
    picture = os.path.join(folder, "picture.svg")
    result = run("--picture", picture)
    check(result.returncode == 0 and result.stdout == "", "a picture, and nothing else", result)
    drawn = xml.etree.ElementTree.parse(picture).getroot()
    text = " ".join(drawn.itertext())
    check(f'{resource["capacity"]:,} slots' in text, "the picture is of that pool", result)
    result = run("--picture", os.path.join(folder, "nowhere", "picture.svg"))
    check(result.returncode == 1 and "nowhere" in result.stderr, "a picture that fails", result)

for arguments in [["--statistics"], ["--statistics", "xml"], ["--picture"], ["--picture", ""]]:
    result = run(*arguments)
    check(result.returncode == 2 and result.stdout == "", "a wrong command line", result)
print("the reports agree")
