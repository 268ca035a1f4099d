# SPDX-License-Identifier: MIT
"""Runs inverted_index (argv[1]) on a small tree and checks what it says and how it exits."""

import os
import re
import subprocess
import sys
import tempfile

RESOURCES = [
    "default resource",
    "std unsynchronized pool",
    "fastalloc growing pool",
    "fastalloc growing, static types",
    "fastalloc fixed pool",
]


def check(condition, what, result):
    if not condition:
        sys.exit(f"FAILED: {what}\nexit status {result.returncode}\n"
                 f"--- stdout\n{result.stdout}\n--- stderr\n{result.stderr}")


def run(*arguments, status=0):
    result = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, timeout=100)
    check(result.returncode == status, f"{arguments} must exit with {status}", result)
    return result


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def make_tree(root):
    write(f"{root}/a.txt", b"alpha beta\nalpha alpha\ngamma\nalpha\n")
    write(f"{root}/sub/b.txt", b"beta; beta.\nalpha_1 alphabet\nBeta\n")
    write(f"{root}/sub/c.txt", b"alpha,beta\n(beta) no newline at the end: gr\xc3\xbcn")
    write(f"{root}/sub/binary", b"alpha\0beta\n")
    write(f"{root}/sub/empty", b"")
    # Enough words of enough lengths for every pool to grow, and lists beyond the largest class.
    for n in range(200):
        words = " ".join(f"{'w' * (i % 60)}{n}_{i}" for i in range(100))
        write(f"{root}/many/{n:03}", f"common {words}\n{'long' * 600}\n".encode())
    os.symlink("..", f"{root}/sub/loop")
    os.symlink("a.txt", f"{root}/second_name")
    os.symlink("nowhere", f"{root}/dangling")


def section(result, heading):
    """The indented lines below a heading."""
    lines = result.stdout.split("\n")
    check(heading in lines, f"the line '{heading}' must be there", result)
    below = lines[lines.index(heading) + 1:]
    end = next(i for i, line in enumerate(below) if not line.startswith("  "))
    return [line.strip() for line in below[:end]]


def check_answers(root):
    result = run("--repeat", "2", "--query", "alpha", "--query", "beta, alpha", "--query",
                 "alpha missing", "--query", "gr\u00fcn", "--query", "common", "--words", "alpha",
                 root)
    expected = {
        "query alpha: 2 files": [f"{root}/a.txt: 3 lines", f"{root}/sub/c.txt: 1 lines"],
        "query beta alpha: 2 files": [f"{root}/a.txt: 1 + 3 lines",
                                      f"{root}/sub/c.txt: 2 + 1 lines"],
        "query alpha missing: 0 files": [],
        "query gr\u00fcn: 1 files": [f"{root}/sub/c.txt: 1 lines"],
        "query common: 200 files": [f"{root}/many/{n:03}: 1 lines" for n in range(10)] + ["..."],
        "words from alpha: 3 words": ["alpha: in 2 files", "alpha_1: in 1 files",
                                      "alphabet: in 1 files"],
    }
    for heading, lines in expected.items():
        found = section(result, heading)
        check(found == lines, f"below '{heading}' must be {lines}, not {found}", result)
    check(re.fullmatch(r"204 text files of .* MiB, 1 binary files skipped\n", result.stderr),
          "204 text files and 1 binary one must be counted, and nothing be complained about", result)
    check("All answers agree." in result.stdout, "the answers must agree", result)
    check_table(result)


def check_table(result):
    rows = {}
    for name in RESOURCES:
        row = re.search(rf"^{name} +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+) +([\d.]+)$",
                        result.stdout, re.MULTILINE)
        check(row, f"the table must have a whole row '{name}'", result)
        rows[name] = [float(number) for number in row.groups()]
    build, build_ratio, _, teardown_ratio, requests, peak = rows[RESOURCES[0]]
    check(build > 0 and build_ratio == 1 and teardown_ratio == 1 and peak > 0,
          "the default resource must be measured, and be what ratios are to", result)
    for name in RESOURCES[1:]:
        check(0 < rows[name][4] < requests / 10, f"'{name}' must ask upstream rarely", result)
        check(0 < rows[name][5] < 4 * peak, f"'{name}' must not take far more memory", result)
    pmr, static = rows[RESOURCES[2]], rows[RESOURCES[3]]
    # Not exactly: what the pool's books need depends on the addresses that it gets.
    for i in (4, 5):
        check(abs(pmr[i] - static[i]) < pmr[i] / 10,
              "the growing pool must ask upstream for much the same either way", result)


def check_bad_paths(root):
    bad = {
        f"{root}/missing": "No such file or directory",
        f"{root}/dangling": "No such file or directory",
        f"{root}/itself": "Too many levels of symbolic links",
        f"{root}/a.txt/below": "Not a directory",
        "/dev/null": "neither a file nor a directory",
    }
    os.symlink("itself", f"{root}/itself")
    paths = [*bad, f"{root}/second_name", f"{root}/sub/loop"]
    result = run("--repeat", "1", "--query", "gamma", *paths)
    for path, message in bad.items():
        check(f"inverted_index: {path}: {message}\n" in result.stderr,
              f"'{path}' must be answered with '{message}'", result)
    check(section(result, "query gamma: 2 files") ==
          [f"{root}/second_name: 1 lines", f"{root}/sub/loop/a.txt: 1 lines"],
          "links given as a path must be followed, and the rest indexed", result)


def check_nothing_to_index(root):
    for path in [f"{root}/missing", f"{root}/sub/binary", f"{root}/sub/empty"]:
        result = run("--query", "alpha", path, status=2)
        check("nothing to index" in result.stderr, f"'{path}' leaves nothing to index", result)


def check_command_line():
    result = run("--help")
    check(result.stdout.startswith("Usage:") and "--query" in result.stdout,
          "--help must show the usage", result)
    for arguments in [["--unknown"], ["--query"], ["--query", "..."], ["--repeat", "0"],
                      ["--repeat", "3x"], ["--repeat", ""], ["--words"]]:
        result = run(*arguments, status=2)
        check("Usage:" in result.stderr and result.stdout == "",
              f"{arguments} must be answered with the usage", result)


def main():
    with tempfile.TemporaryDirectory() as directory:
        root = os.path.join(os.path.realpath(directory), "tree")
        make_tree(root)
        check_answers(root)
        check_bad_paths(root)
        check_nothing_to_index(root)
    check_command_line()


if __name__ == "__main__":
    main()
