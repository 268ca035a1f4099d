#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the programs of perf/ several times, interleaved, or takes what was measured before, and
prints Markdown tables, and draws charts if asked to."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

from results import TIME, Results, is_libstdcxx, is_peer, is_peer_by_pointer

OURS = [("best peer / ours", is_peer_by_pointer, "fastalloc"),
        ("best peer / ours static", is_peer, "fastalloc_static")]
# Programs that ask about time, and the ratios in their tables: title, the best of whom is divided,
# and by whom.
TIMES = [
    (["single_thread", "batches"], [*OURS, ("ours / floor", "fastalloc".__eq__, "floor")]),
    (["containers", "structures", "short_lived"], OURS),
    (["programs"], [*OURS, ("best peer / allocator", is_peer, "fastalloc_allocator")]),
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
# Programs that ask about something else, and the counters that tell it, as columns are ordered.
COUNTERS = {
    "memory": ["upstream_per_live_byte", "resident_per_live_byte", "before_mib", "peak_mib",
               "freed_mib", "trimmed_mib", "steady_mib"],
    "latency": ["p50", "p90", "p99", "p99_9", "p99_99", "max", "clock", "minor_faults",
                "major_faults", "voluntary", "involuntary"],
}
PROGRAMS = [name for names, _ in TIMES for name in names] + list(COUNTERS)

MIN_TIME = 0.03
MIN_TIME_THREADS = 0.1  # many times what the system gives a thread at once

# These replace malloc in the whole process, so each has processes of its own.
PRELOADED = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4"}
WITHOUT_PRELOADED = {"handles", "statistics"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", nargs="?",
                        help="Meson build folder in which the programs are built")
    parser.add_argument("--filter", default=".", help="rows to run, a regular expression")
    parser.add_argument("--program", action="append", choices=PROGRAMS,
                        help="only this one; may be repeated")
    parser.add_argument("--runs", type=int, default=5, help="processes of each program")
    parser.add_argument("--repetitions", type=int, default=3, help="of each cell in a process")
    parser.add_argument("--min-time", type=float, help="seconds for a repetition, if not "
                        f"{MIN_TIME}, or of the threads {MIN_TIME_THREADS}")
    parser.add_argument("--quick", action="store_true", help="1 run, 3 shorter repetitions")
    parser.add_argument("--save", metavar="FILE", help="keep what was measured")
    parser.add_argument("--load", metavar="FILE", action="append", default=[],
                        help="what was kept before; may be repeated, and go with a build")
    parser.add_argument("--charts", metavar="FOLDER", help="draw charts there, as SVG")
    result = parser.parse_args()
    if not result.build and not result.load:
        parser.error("neither a build folder nor a file to load")
    if result.quick:
        result.runs, result.repetitions, result.min_time = 1, 3, 0.01
    return result


# Measuring ---------------------------------------------------------------------------------------

class Process:
    """How a program is started: as it is, or with another malloc."""

    def __init__(self, path, malloc=None, library=None):
        self.path = path
        self.program = os.path.basename(path)
        self.malloc = malloc
        self.min_time = MIN_TIME_THREADS if self.program == "threads" else MIN_TIME
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
    """Preloaded mallocs first, so that in tables ours stand beside the ratios."""
    path = os.path.join(options.build, "perf", program)
    if not os.path.exists(path):
        message = f"perf: not built: {path}; see perf/README.md"
        if options.program:
            sys.exit(message)
        print(message, file=sys.stderr)
        return []
    preloaded = {} if program in WITHOUT_PRELOADED else PRELOADED
    return [*(Process(path, *p) for p in preloaded.items()), Process(path)]


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
    """The cells that the process has, in the order of registration."""
    listing = process.execute("--benchmark_list_tests", f"--benchmark_filter={options.filter}")
    if not process.malloc:
        for line in listing.stderr.splitlines():
            if line.startswith("perf:"):  # for instance that a peer is missing
                print(line, file=sys.stderr)
    return [(process.program, *cell_of(line)) for line in listing.stdout.split() if "/" in line]


# What Google Benchmark says of a repetition beside our counters.
NOT_COUNTERS = {"family_index", "per_family_instance_index", "repetitions", "repetition_index",
                "threads", "iterations", "real_time", "cpu_time", "items_per_second"}


def measure(process, options):
    """Yields (cell, quantity, sample) of each repetition of one process."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.json")
        process.execute(f"--benchmark_filter={options.filter}",
                        "--benchmark_enable_random_interleaving=true",
                        f"--benchmark_repetitions={options.repetitions}",
                        f"--benchmark_min_time={options.min_time or process.min_time}",
                        f"--benchmark_out={out}", "--benchmark_out_format=json")
        with open(out) as file:
            for b in json.load(file)["benchmarks"]:
                if b["run_type"] != "iteration":
                    continue
                cell = (process.program, *cell_of(b["run_name"]))
                if b.get("error_occurred"):
                    print(f"perf: {'/'.join(cell)}: {b['error_message']}", file=sys.stderr)
                    continue
                if "items_per_second" in b:
                    yield cell, TIME, 1e9 / b["items_per_second"]
                for name, value in b.items():
                    if name not in NOT_COUNTERS and isinstance(value, (int, float)):
                        yield cell, name, value


def measure_all(results, options):
    processes = [process for program in options.program or PROGRAMS
                 for process in processes_of(program, options)]
    cells = {process: cells_of(process, options) for process in filter(is_there, processes)}
    if not any(cells.values()):
        sys.exit("perf: there are no such rows; a filter is compared with ROW/CONTENDER")
    # In the order of registration, not that of random interleaving.
    for cell in (cell for there in cells.values() for cell in there):
        results.cells[cell] = {}
    for run in range(options.runs):
        for process, there in cells.items():
            if not there:
                continue
            print(f"run {run + 1} of {options.runs}: {process}", file=sys.stderr)
            for cell, quantity, sample in measure(process, options):
                results.add(cell, quantity, run, sample)


# Tables ------------------------------------------------------------------------------------------

def show(title, columns, lines):
    """Prints a table. Each line has its name and a text for each column."""
    def line(values):
        print("| " + " | ".join(values) + " |")

    line([title, *columns])
    line(["---"] + ["---:"] * len(columns))
    for name, *values in lines:
        line([name, *values])
    print()


def number(value):
    """With as many digits as say something."""
    if value is None:
        return "–"
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.{0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2}f}"


def ratio_text(ratio):
    """With its range over the runs; bold below 1."""
    if ratio is None:
        return "–"
    whole, runs = ratio
    text = f"{whole:.2f}"
    if len(runs) > 1:
        text += f" ({min(runs):.2f}–{max(runs):.2f})"
    return f"**{text}**" if whole < 1 else text


def show_times(results, program, ratios):
    contenders = results.contenders(program)
    show("ns per operation", [*contenders, *(title for title, _, _ in ratios)],
         ([row, *(number(results.median(program, row, c)) for c in contenders),
           *(ratio_text(results.ratio(program, row, is_above, below))
             for _, is_above, below in ratios)]
          for row in results.rows(program)))


def show_means(results):
    """How many times as fast we are as the best peer of each row, and as libstdc++'s pool."""
    lines = []
    races = ((program, *ratio) for programs, ratios in TIMES for program in programs
             for ratio in ratios if ratio[0].startswith("best peer / "))
    for program, title, is_above, below in races:
        if best := results.mean_ratio(program, is_above, below):
            standard = results.mean_ratio(program, is_libstdcxx, below)
            lines.append([f"{program}, {title.removeprefix('best peer / ')}", f"{best[0]:.2f}",
                          f"{standard[0]:.2f}" if standard else "–", str(best[1])])
    if lines:
        show("geometric mean over the rows", ["best peer", "libstdc++'s pool", "rows"], lines)


def show_counters(results, program):
    """A table for each row, but for rows that differ by a number at their end: for each counter."""
    families = {}
    for row in results.rows(program):
        families.setdefault(re.sub(r"\d+$", "", row), []).append(row)
    for rows in families.values():
        quantities = [q for q in COUNTERS[program] if q in results.quantities(program, rows[0])]
        if len(rows) == 1:
            show(rows[0], quantities,
                 ([c, *(number(results.median(program, rows[0], c, q)) for q in quantities)]
                  for c in results.contenders(program)))
            continue
        for q in quantities:
            contenders = [c for c in results.contenders(program)
                          if any(results.median(program, row, c, q) for row in rows)]
            show(q, contenders, ([row, *(number(results.median(program, row, c, q))
                                         for c in contenders)] for row in rows))


def main():
    options = arguments()
    if options.charts:
        import charts  # now, not after an hour of measuring: it may be missing what it needs
    results = Results()
    for path in options.load:
        results.load(path)
    if options.build:
        measure_all(results, options)
    if options.save:
        results.save(options.save)
    for programs, ratios in TIMES:
        for program in filter(results.rows, programs):
            show_times(results, program, ratios)
    show_means(results)
    for program in COUNTERS:
        show_counters(results, program)
    if options.charts:
        charts.draw_all(results, options.charts, TIMES)


if __name__ == "__main__":
    main()
