#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the programs of perf/ several times, interleaved, and prints Markdown tables."""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile

REFERENCES = {"floor", "inline_lifo"}  # what stands beside the race


def is_peer(contender):
    return contender not in REFERENCES and not contender.startswith("fastalloc")


def is_peer_by_pointer(contender):
    return is_peer(contender) and not contender.endswith("_static")


# The programs of each table, and its ratios: title, the best of whom is divided, and by whom.
TABLES = [
    (["single_thread", "containers"],
     [("best peer / ours", is_peer_by_pointer, "fastalloc"),
      ("best peer / ours static", is_peer, "fastalloc_static"),
      ("ours / floor", "fastalloc".__eq__, "floor")]),
    (["threads"],
     [("best peer / synchronized", is_peer, "fastalloc_synchronized"),
      ("best peer / lock-free", is_peer, "fastalloc_lock_free"),
      ("best peer / allocator", is_peer, "fastalloc_allocator"),
      ("synchronized / growing", "fastalloc_synchronized".__eq__, "fastalloc_growing")]),
    (["handles"],
     [("best peer / fixed", is_peer, "fastalloc_fixed"),
      ("best peer / growing", is_peer, "fastalloc_growing"),
      ("best peer / lock-free", is_peer, "fastalloc_lock_free")]),
    (["statistics"],
     [(f"{kind} / none", kind.__eq__, "none") for kind in ("counting", "timing", "adaptor")]),
]

MIN_TIME = 0.03
MIN_TIME_THREADS = 0.1  # many times what the system gives a thread at once

# These replace malloc in the whole process, so each has processes of its own.
PRELOADED = {"threads": {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4"}}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="Meson build folder in which the programs are built")
    parser.add_argument("--filter", default=".", help="rows to run, a regular expression")
    parser.add_argument("--program", action="append", help="only this one; may be repeated",
                        choices=[name for names, _ in TABLES for name in names])
    parser.add_argument("--runs", type=int, default=5, help="processes of each program")
    parser.add_argument("--repetitions", type=int, default=3, help="of each cell in a process")
    parser.add_argument("--min-time", type=float, help="seconds for a repetition, if not "
                        f"{MIN_TIME}, or of the threads {MIN_TIME_THREADS}")
    parser.add_argument("--quick", action="store_true", help="1 run, 3 shorter repetitions")
    result = parser.parse_args()
    if result.quick:
        result.runs, result.repetitions, result.min_time = 1, 3, 0.01
    return result


class Process:
    """How a program is started: as it is, or with another malloc."""

    def __init__(self, path, malloc=None, library=None):
        self.path = path
        self.malloc = malloc
        self.min_time = MIN_TIME_THREADS if os.path.basename(path) == "threads" else MIN_TIME
        self.command = [path, *([f"--malloc={malloc}"] if malloc else [])]
        self.environment = {**os.environ, **({"LD_PRELOAD": library} if library else {})}

    def run(self, *arguments):
        return subprocess.run([*self.command, *arguments], env=self.environment,
                              capture_output=True, text=True)

    def execute(self, *arguments):
        finished = self.run(*arguments)
        if finished.returncode != 0:
            sys.exit(f"{self}\n{finished.stderr}")
        return finished

    def __str__(self):
        return " ".join(self.command)


def processes_of(program, options):
    path = os.path.join(options.build, "perf", program)
    return [Process(path),
            *(Process(path, *preloaded) for preloaded in PRELOADED.get(program, {}).items())]


def is_there(process):
    """Whether the malloc is installed; all others are, or the programs themselves say it."""
    if not process.malloc or process.run("--benchmark_list_tests").returncode == 0:
        return True
    print(f"perf: no rows of {process.malloc}, which cannot be preloaded", file=sys.stderr)
    return False


def cell_of(name):
    """The row and contender in a name, to which Google Benchmark appends what clock it reads."""
    row, contender = name.removesuffix("/manual_time").rsplit("/", 1)
    return row, contender


def cells_of(process, options):
    """The row and contender of each cell, in the order of registration."""
    listing = process.execute("--benchmark_list_tests", f"--benchmark_filter={options.filter}")
    if not process.malloc:
        for line in listing.stderr.splitlines():
            if line.startswith("perf:"):  # for instance that a peer is missing
                print(line, file=sys.stderr)
    return [cell_of(line) for line in listing.stdout.split() if "/" in line]


def measure(process, options):
    """Yields (cell, nanoseconds per operation) of each repetition of one process."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        process.execute(f"--benchmark_filter={options.filter}",
                        "--benchmark_enable_random_interleaving=true",
                        f"--benchmark_repetitions={options.repetitions}",
                        f"--benchmark_min_time={options.min_time or process.min_time}",
                        f"--benchmark_out={out}", "--benchmark_out_format=json")
        with open(out) as file:
            for b in json.load(file)["benchmarks"]:
                if b["run_type"] == "iteration":
                    yield cell_of(b["run_name"]), 1e9 / b["items_per_second"]


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


def table(cells, ratios, samples):
    rows = list(dict.fromkeys(row for row, _ in cells))
    contenders = list(dict.fromkeys(contender for _, contender in cells))
    medians = {cell: statistics.median(x for run in samples[cell] for x in run) for cell in cells}

    def line(values):
        return "| " + " | ".join(values) + " |"

    yield line(["ns per operation", *contenders, *(title for title, _, _ in ratios)])
    yield line(["---"] + ["---:"] * (len(contenders) + len(ratios)))
    for row in rows:
        times = [f"{medians[row, c]:.1f}" if (row, c) in medians else "–" for c in contenders]
        yield line([row, *times, *(ratio(filter(is_above, contenders), below, row, samples)
                                   for _, is_above, below in ratios)])


def main():
    options = arguments()
    tables = [([p for p in programs if p in (options.program or programs)], ratios)
              for programs, ratios in TABLES]
    processes = {p: processes_of(p, options) for programs, _ in tables for p in programs}
    missing = [ps[0].path for ps in processes.values() if not os.path.exists(ps[0].path)]
    if missing:
        sys.exit(f"not built: {', '.join(missing)}; see perf/README.md")
    cells_by_process = {process: cells_of(process, options)
                        for ps in processes.values() for process in filter(is_there, ps)}
    samples = collections.defaultdict(lambda: [[] for _ in range(options.runs)])
    for run in range(options.runs):
        for process, cells in cells_by_process.items():
            if not cells:
                continue
            print(f"run {run + 1} of {options.runs}: {process}", file=sys.stderr)
            for cell, time in measure(process, options):
                samples[cell][run].append(time)
    for programs, ratios in tables:
        # Preloaded mallocs first, so that ours stand beside the ratios.
        cells = [cell for p in programs
                 for process in sorted(processes[p], key=lambda process: not process.malloc)
                 for cell in cells_by_process.get(process, [])]
        if cells:
            print("\n".join(table(cells, ratios, samples)), end="\n\n")


if __name__ == "__main__":
    main()
