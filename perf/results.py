# SPDX-License-Identifier: MIT
"""What was measured, and whom it was measured against."""

import json
import math
import statistics

REFERENCES = {"floor", "inline_lifo", "monotonic"}  # what stands beside the race
TIME = "nanoseconds"  # per operation; everything else is named as the programs' counters


def is_peer(contender):
    return contender not in REFERENCES and not contender.startswith("fastalloc")


def is_peer_by_pointer(contender):
    return is_peer(contender) and not contender.endswith("_static")


def is_libstdcxx(contender):
    return contender.startswith("libstdc++")


class Results:
    """Samples of quantities, by program, row and contender, each in a list for each run."""

    def __init__(self):
        self.cells = {}

    def add(self, cell, quantity, run, sample):
        runs = self.cells.setdefault(cell, {}).setdefault(quantity, [])
        while len(runs) <= run:
            runs.append([])
        runs[run].append(sample)

    def save(self, path):
        """A cell a line, with as many digits as say something."""
        def rounded(samples):
            return {q: [[float(f"{x:.5g}") for x in run] for run in runs]
                    for q, runs in samples.items()}

        lines = (json.dumps([*cell, rounded(samples)]) for cell, samples in self.cells.items())
        with open(path, "w") as file:
            file.write("[\n" + ",\n".join(lines) + "\n]\n")

    def load(self, path):
        """Takes a cell that is there already from the file."""
        with open(path) as file:
            for program, row, contender, samples in json.load(file):
                self.cells[program, row, contender] = samples

    def rows(self, program):
        return list(dict.fromkeys(r for p, r, _ in self.cells if p == program))

    def contenders(self, *programs):
        return list(dict.fromkeys(c for p, _, c in self.cells if p in programs))

    def quantities(self, program, row):
        return list(dict.fromkeys(q for (p, r, _), samples in self.cells.items()
                                  if (p, r) == (program, row) for q in samples))

    def median(self, program, row, contender, quantity=TIME, run=None):
        """Of all runs, or of one; None if nothing was measured."""
        runs = self.cells.get((program, row, contender), {}).get(quantity, [])
        samples = [x for r in (runs if run is None else runs[run:run + 1]) for x in r]
        return statistics.median(samples) if samples else None

    def best(self, program, row, is_above, run=None):
        """The fastest of those contenders, as (time, contender); None if there is none."""
        times = [(self.median(program, row, c, run=run), c)
                 for c in self.contenders(program) if is_above(c)]
        return min((t for t in times if t[0] is not None), default=None)

    def ratio(self, program, row, is_above, below):
        """The fastest of those above by the one below, and that in each run; None if one of them
        is not there."""
        def over(run=None):
            best, mine = (self.best(program, row, is_above, run),
                          self.median(program, row, below, run=run))
            return best[0] / mine if best and mine else None

        whole = over()
        runs = len(self.cells[program, row, below][TIME]) if whole else 0
        return (whole, [r for r in map(over, range(runs)) if r]) if whole else None

    def mean_ratio(self, program, is_above, below):
        """The geometric mean over the rows, and how many they are; None if they are none."""
        ratios = [r[0] for row in self.rows(program)
                  if (r := self.ratio(program, row, is_above, below))]
        return (math.prod(r ** (1 / len(ratios)) for r in ratios), len(ratios)) if ratios else None
