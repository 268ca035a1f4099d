#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the programs of perf/ several times, interleaved, and prints a Markdown table."""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile

PROGRAMS = ["single_thread", "containers"]
REFERENCES = {"floor", "inline_lifo"}  # what stands beside the race
OURS, OURS_STATIC = "fastalloc", "fastalloc_static"


def is_peer(contender):
    return contender not in REFERENCES and not contender.startswith("fastalloc")


def is_static(contender):
    return contender.endswith("_static")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="Meson build folder in which the programs are built")
    parser.add_argument("--filter", default=".", help="rows to run, a regular expression")
    parser.add_argument("--runs", type=int, default=5, help="processes of each program")
    parser.add_argument("--repetitions", type=int, default=3, help="of each cell in a process")
    parser.add_argument("--min-time", type=float, default=0.03, help="seconds for a repetition")
    parser.add_argument("--quick", action="store_true", help="1 run, 3 shorter repetitions")
    result = parser.parse_args()
    if result.quick:
        result.runs, result.repetitions, result.min_time = 1, 3, 0.01
    return result


def execute(command):
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{finished.stderr}")
    return finished


def cells_of(program, options):
    """The row and contender of each cell, in the order of registration."""
    listing = execute([program, "--benchmark_list_tests", f"--benchmark_filter={options.filter}"])
    for line in listing.stderr.splitlines():
        if line.startswith("perf:"):  # for instance that a peer is missing
            print(line, file=sys.stderr)
    return [tuple(line.split("/")) for line in listing.stdout.split() if "/" in line]


def measure(program, options):
    """Yields (cell, nanoseconds per operation) of each repetition of one process."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        execute([program, f"--benchmark_filter={options.filter}",
                 "--benchmark_enable_random_interleaving=true",
                 f"--benchmark_repetitions={options.repetitions}",
                 f"--benchmark_min_time={options.min_time}",
                 f"--benchmark_out={out}", "--benchmark_out_format=json"])
        with open(out) as file:
            for b in json.load(file)["benchmarks"]:
                if b["run_type"] == "iteration":
                    cell = tuple(b["run_name"].split("/")[:2])
                    yield cell, 1e9 / b["items_per_second"]


def ratio(above, below, row, samples):
    """The fastest of `above` by `below`, by median, and its range over the runs; bold below 1."""
    above = [c for c in above if (row, c) in samples]
    if not above or (row, below) not in samples:
        return "–"

    def over(runs):
        medians = {c: statistics.median(x for r in runs for x in samples[row, c][r])
                   for c in [*above, below]}
        return min(medians[c] for c in above) / medians[below]

    runs = range(len(samples[row, below]))
    each = [over([r]) for r in runs]
    text = f"{over(runs):.2f}"
    if len(each) > 1:
        text += f" ({min(each):.2f}–{max(each):.2f})"
    return f"**{text}**" if over(runs) < 1 else text


def table(cells, samples):
    rows = list(dict.fromkeys(row for row, _ in cells))
    contenders = list(dict.fromkeys(contender for _, contender in cells))
    peers = [c for c in contenders if is_peer(c)]
    peers_by_pointer = [c for c in peers if not is_static(c)]
    medians = {cell: statistics.median(x for run in samples[cell] for x in run) for cell in cells}

    def line(values):
        return "| " + " | ".join(values) + " |"

    yield line(["ns per operation", *contenders, "best peer / ours", "best peer / ours static",
                "ours / floor"])
    yield line(["---"] + ["---:"] * (len(contenders) + 3))
    for row in rows:
        times = [f"{medians[row, c]:.1f}" if (row, c) in medians else "–" for c in contenders]
        yield line([row, *times, ratio(peers_by_pointer, OURS, row, samples),
                    ratio(peers, OURS_STATIC, row, samples),
                    ratio([OURS], "floor", row, samples)])


def main():
    options = arguments()
    programs = [os.path.join(options.build, "perf", name) for name in PROGRAMS]
    missing = [p for p in programs if not os.path.exists(p)]
    if missing:
        sys.exit(f"not built: {', '.join(missing)}; see perf/README.md")
    cells_by_program = {p: cells_of(p, options) for p in programs}
    samples = collections.defaultdict(lambda: [[] for _ in range(options.runs)])
    for run in range(options.runs):
        for program, cells in cells_by_program.items():
            if not cells:
                continue
            print(f"run {run + 1} of {options.runs}: {program}", file=sys.stderr)
            for cell, time in measure(program, options):
                samples[cell][run].append(time)
    print("\n".join(table([c for cells in cells_by_program.values() for c in cells], samples)))


if __name__ == "__main__":
    main()
