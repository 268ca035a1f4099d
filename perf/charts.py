# SPDX-License-Identifier: MIT
"""Draws what was measured, as SVG files that are the same whenever the numbers are."""

import os
import re
import sys

try:
    import matplotlib
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
except ImportError:
    sys.exit("perf: charts need matplotlib (Debian's python3-matplotlib, which is for "
             f"/usr/bin/python3), and {sys.executable} has none")

from results import REFERENCES, TIME

# Who is drawn, in which colour, as what. Of those with the same label the better one is drawn,
# point by point. Ours are warm and thick, and whatever is reached by its type is dashed.
COLOURS = {
    "glibc": "#8c8c8c", "libstdc++": "#1f4e9c", "Boost": "#2e8b57", "foonathan": "#7d5fb2",
    "mimalloc": "#00a0b0", "TBB": "#6aa5d8", "jemalloc": "#9aa700", "tcmalloc": "#3c3c3c",
    "floor": "#c8c8c8",
    "growing": "#d1001f", "fixed": "#ff8c00", "lock-free": "#a3005c", "synchronized": "#e6b400",
    "thread-local": "#8a4b00", "allocator": "#ff6fa8", "growing, capped": "#ff8080",
    "growing, over pages": "#6b1020",
}
LABELS = {
    "malloc": "glibc", "new_delete": "glibc", "make_unique": "glibc", "make_shared": "glibc",
    "libstdc++_pool": "libstdc++", "libstdc++_synchronized": "libstdc++",
    "boost_pool": "Boost", "boost_synchronized": "Boost", "boost_simple_pool": "Boost",
    "boost_object_pool": "Boost", "boost_simple_pool_static": "Boost, by type",
    "foonathan": "foonathan", "foonathan_log2": "foonathan",
    "foonathan_static": "foonathan, by type",
    "mimalloc": "mimalloc", "tbb": "TBB",
    "jemalloc": "jemalloc", "jemalloc_new_delete": "jemalloc",
    "tcmalloc": "tcmalloc", "tcmalloc_new_delete": "tcmalloc",
    "fastalloc": "fastalloc growing", "fastalloc_static": "fastalloc growing, by type",
    "fastalloc_growing": "fastalloc growing", "fastalloc_growing_max": "fastalloc growing, capped",
    "fastalloc_fixed": "fastalloc fixed", "fastalloc_fixed_static": "fastalloc fixed, by type",
    "fastalloc_pages": "fastalloc growing, over pages",
    "fastalloc_lock_free": "fastalloc lock-free",
    "fastalloc_synchronized": "fastalloc synchronized",
    "fastalloc_thread_local": "fastalloc thread-local",
    "fastalloc_allocator": "fastalloc allocator",
    "floor": "floor",
}

WIDTH = 8.6  # inches, of 72 points: the width of a README

STYLE = {
    "svg.hashsalt": "fastalloc", "svg.fonttype": "none",
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold", "figure.titlesize": 12,
    "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "legend.frameon": False, "figure.facecolor": "white", "savefig.facecolor": "white",
}


class Series:
    """How somebody is drawn."""

    def __init__(self, label):
        self.label = label
        self.is_ours = label.startswith("fastalloc")
        self.by_type = label.endswith(", by type")
        self.colour = COLOURS[label.removeprefix("fastalloc ").removesuffix(", by type")]

    def line(self):
        return {"label": self.label, "color": self.colour, "marker": "o",
                "linestyle": "--" if self.by_type else ":" if self.label == "floor" else "-",
                "linewidth": 2.2 if self.is_ours else 1.2, "markersize": 4 if self.is_ours else 2.5,
                "zorder": 3 if self.is_ours else 2}

    def bar(self):
        return {"label": self.label, "color": self.colour, "alpha": 0.55 if self.by_type else 1}


ALL_SERIES = {label: Series(label) for label in LABELS.values()}


def series_of(results, program, rows, quantity=TIME):
    """Yields (series, its values in these rows, None where there is none), peers first."""
    for label, series in ALL_SERIES.items():
        contenders = [c for c in results.contenders(program) if LABELS.get(c) == label]
        values = []
        for row in rows:
            medians = [results.median(program, row, c, quantity) for c in contenders]
            values.append(min((m for m in medians if m is not None), default=None))
        if any(v is not None for v in values):
            yield series, values


def plain(value, _=None):
    """A number as one says it: 10,000, 0.5, 1M."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value:,.0f}" if value >= 1 and value == round(value) else f"{value:g}"


def logarithmic(axis, subs=(1, 2, 5)):
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", length=0)


def save(figure, folder, name):
    path = os.path.join(folder, name + ".svg")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    print(f"perf: drew {path}", file=sys.stderr)


def legend_below(figure):
    """One for all panels, in the order of the table."""
    handles = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    labels = [label for label in ALL_SERIES if label in handles]
    columns = 4
    rows = -(-len(labels) // columns)
    figure.legend([handles[label] for label in labels], labels, loc="lower center", ncol=columns)
    figure.tight_layout(rect=(0, (0.22 * rows + 0.1) / figure.get_figheight(), 1, 1))


def draw_lines(axes, x, found):
    for series, values in found:
        points = [(a, b) for a, b in zip(x, values) if b is not None]
        axes.plot(*zip(*points), **series.line())


def panels(count, columns, height, title, **options):
    rows = -(-count // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(WIDTH, height * rows + 1.2),
                                   squeeze=False, **options)
    figure.suptitle(title)
    cells = list(grid.flat)
    for unused in cells[count:]:
        unused.set_visible(False)
    return figure, cells[:count]


# Ratios ------------------------------------------------------------------------------------------

def draw_ratios(results, program, ratios, folder):
    """Ratios below 1 are bars to the left of it."""
    def found_in(row):
        return [(ratio, *of) for _, *of in ratios if (ratio := results.ratio(program, row, *of))]

    rows = [row for row in results.rows(program) if found_in(row)]
    most = max((len(found_in(row)) for row in rows), default=0)
    if most == 0:
        return
    thick = 0.8 / most
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.6 + len(rows) * (0.12 + 0.2 * most)))
    for place, row in enumerate(rows):
        found = found_in(row)
        for number, ((whole, runs), is_above, below) in enumerate(found):
            y = place + (number - (len(found) - 1) / 2) * thick
            axes.barh(y, whole - 1, thick * 0.92, left=1, **ALL_SERIES[LABELS[below]].bar())
            axes.plot([min(runs), max(runs)], [y, y], color="black", linewidth=0.8)
            peer = results.best(program, row, is_above)[1]
            axes.annotate(f"{whole:.2f}  {peer}", (max(whole, 1, *runs), y), xytext=(4, 0),
                          textcoords="offset points", va="center", fontsize=7.5)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.8), high * 1.6)  # room for the last name
    logarithmic(axes.xaxis, subs=(1, 1.5, 2, 3, 5) if high / low < 20 else (1, 2, 5))
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("time of the fastest peer, which is named, by ours; lines are ranges of runs")
    figure.suptitle(f"{program}: how many times as fast as the fastest peer")
    legend_below(figure)
    save(figure, folder, f"ratios_{program}")


# Curves ------------------------------------------------------------------------------------------

ORDERS = {"in_order": "freed in the order of allocation", "reverse": "freed in reverse",
          "random": "freed at random", "half_random": "half of them replaced at random"}


def draw_curves(results, folder, program="batches"):
    by_order = {}
    for row in results.rows(program):
        if match := re.fullmatch(r"batch_(\d+)_(\w+)", row):
            by_order.setdefault(match[2], {})[int(match[1])] = row
    if not by_order:
        return
    figure, cells = panels(len(by_order), 2, 3.2, "A block of 64 bytes, by how many are live",
                           sharex=True, sharey=True)
    for axes, (order, rows) in zip(cells, by_order.items()):
        x = sorted(rows)
        draw_lines(axes, x, series_of(results, program, [rows[n] for n in x]))
        axes.set_title(ORDERS.get(order, order))
        axes.set_xscale("log")
        axes.set_yscale("log")
        logarithmic(axes.xaxis, subs=(1,))
        logarithmic(axes.yaxis)
        axes.set_xlabel("live blocks")
        axes.set_ylabel("ns per allocation and deallocation")
        axes.label_outer()
    legend_below(figure)
    save(figure, folder, program)


# Threads -----------------------------------------------------------------------------------------

def draw_threads(results, folder, program="threads"):
    by_row = {}
    for row in results.rows(program):
        if match := re.fullmatch(r"(.+)/t(\d+)", row):
            by_row.setdefault(match[1], {})[int(match[2])] = row
    if not by_row:
        return
    figure, cells = panels(len(by_row), 2, 2.6, "Operations of all threads together", sharex=True)
    for axes, (name, rows) in zip(cells, by_row.items()):
        x = sorted(rows)
        found = series_of(results, program, [rows[n] for n in x])
        draw_lines(axes, x, ((series, [v and 1000 / v for v in values])
                             for series, values in found if series.label != "fastalloc growing"))
        axes.set_title(name)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(x, [str(n) for n in x])
        axes.minorticks_off()
        logarithmic(axes.yaxis)
        axes.set_xlabel("threads")
        axes.set_ylabel("millions per second")
    legend_below(figure)
    save(figure, folder, program)


# Latency -----------------------------------------------------------------------------------------

PERCENTILES = {"p50": "50", "p90": "90", "p99": "99", "p99_9": "99.9", "p99_99": "99.99",
               "max": "max"}


def draw_latency(results, folder, program="latency"):
    rows = results.rows(program)
    if not rows:
        return
    figure, cells = panels(len(rows), 2, 3.0, "How long single operations take", sharey=True)
    for axes, row in zip(cells, rows):
        by_percentile = [dict(series_of(results, program, [row], q)) for q in PERCENTILES]
        draw_lines(axes, range(len(PERCENTILES)),
                   ((series, [found.get(series, [None])[0] for found in by_percentile])
                    for series in by_percentile[0]))
        axes.set_title(row)
        axes.set_yscale("log")
        logarithmic(axes.yaxis, subs=(1,))
        axes.set_xticks(range(len(PERCENTILES)), PERCENTILES.values())
        axes.set_xlabel("percentile")
        axes.set_ylabel("ns, the clock's own included")
    legend_below(figure)
    save(figure, folder, program)


# Memory ------------------------------------------------------------------------------------------

PER_LIVE_BYTE = {"upstream_per_live_byte": "asked of upstream",
                 "resident_per_live_byte": "in memory"}


def draw_memory(results, folder, program="memory"):
    rows = {int(match[1]): row for row in results.rows(program)
            if (match := re.fullmatch(r"live_(\d+)", row))}
    if not rows:
        return
    x = sorted(rows)
    figure, cells = panels(2, 2, 3.4, "Bytes for each byte in use, in blocks of 64")
    for axes, (quantity, title) in zip(cells, PER_LIVE_BYTE.items()):
        draw_lines(axes, x, series_of(results, program, [rows[n] for n in x], quantity))
        axes.set_title(title)
        axes.set_xscale("log")
        axes.set_yscale("log")
        logarithmic(axes.xaxis, subs=(1,))
        logarithmic(axes.yaxis, subs=(1, 1.2, 1.5, 2, 3, 5))
        axes.set_xlabel("live blocks")
        axes.set_ylabel("bytes per live byte")
    legend_below(figure)
    save(figure, folder, program)


STAGES = {"before_mib": "1,000 live", "peak_mib": "all live", "freed_mib": "all freed",
          "trimmed_mib": "asked to give back", "steady_mib": "1,000 live again"}


def draw_spike(results, folder, program="memory"):
    rows = [row for row in results.rows(program) if row.startswith("spike_")]
    for row in rows:
        stages = {q: dict(series_of(results, program, [row], q)) for q in STAGES}
        found = list(stages["peak_mib"])
        figure, cells = panels(len(STAGES), 5, 0.9 + 0.24 * len(found),
                               f"Memory of the process before, in and after a spike of "
                               f"{int(row.removeprefix('spike_')):,} blocks of 64 bytes",
                               sharex=True, sharey=True)
        for axes, (quantity, title) in zip(cells, STAGES.items()):
            for y, series in enumerate(found):
                value = stages[quantity].get(series, [None])[0]
                if value is not None:
                    axes.barh(y, value, 0.75, color=series.colour)
                    axes.annotate(f"{value:.1f}", (max(value, 0), y), xytext=(3, 0),
                                  textcoords="offset points", va="center", fontsize=7)
            axes.set_title(title, fontsize=8.5)
            axes.set_yticks(range(len(found)), [series.label for series in found])
            axes.margins(x=0.35)
            axes.grid(axis="y", visible=False)
            axes.set_xlabel("MiB")
        figure.tight_layout()
        save(figure, folder, row)


def draw_all(results, folder, tables):
    """Effects: a file for each chart of which something was measured."""
    os.makedirs(folder, exist_ok=True)
    for contender in results.contenders("batches", "threads", "latency", "memory"):
        if contender not in LABELS and contender not in REFERENCES:
            print(f"perf: charts.py has no colour for {contender}", file=sys.stderr)
    with matplotlib.rc_context(STYLE):
        for programs, ratios in tables:
            best = [ratio for ratio in ratios if ratio[0].startswith("best peer")]
            for program in programs:
                if best and program not in ("batches", "threads") and results.rows(program):
                    draw_ratios(results, program, best, folder)
        draw_curves(results, folder)
        draw_threads(results, folder)
        draw_latency(results, folder)
        draw_memory(results, folder)
        draw_spike(results, folder)
