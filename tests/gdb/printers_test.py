#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What gdb shows of the values in known_values.cpp, in the program and in its core file. Skipped
where gdb is missing, has no Python, or may not trace a program.

Usage: printers_test.py PRINTERS PROGRAM
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
# A small core file; messages that are known; nothing from elsewhere.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "LC_ALL": "C", "DEBUGINFOD_URLS": ""}
MARK, END = "@@ ", "@@"

RESOURCES = ["fixed", "growing", "drop_in", "unused", "synchronized", "lock_free", "many_threads",
             "counted"]

# What is shown has to match, from the beginning.
EXPECTED = {
    "growth_none": r"fastalloc::growth_strategy: none$",
    "growth_linear": r"fastalloc::growth_strategy: linear, 10 slots a step$",
    "growth_exponential": r"fastalloc::growth_strategy: exponential, factor 1\.5$",
    "growth_custom": r"fastalloc::growth_strategy: by a function$",
    "config_small": r"fastalloc::pool_config: slot size left out = {slot_size = left out, "
                    r"alignment = left out, capacity = 1 slot, max_capacity = left out, "
                    r"growth = left out, pre_initialize = false, larger_requests = left out}$",
    "config_full": r"fastalloc::pool_config: slots of 48 bytes = {slot_size = 48 bytes, "
                   r"alignment = 16 bytes, capacity = 100 slots, max_capacity = 400 slots, "
                   r"growth = linear, 50 slots a step, pre_initialize = true, "
                   r"larger_requests = refuse}$",
    "classes[0]": r"fastalloc::pool_config: slots of 16 bytes = {slot_size = 16 bytes, "
                  r"alignment = 16 bytes, by the slot size, capacity = 100 slots, ",

    "fixed": r"fastalloc::basic_fixed_pool_resource<.*>: capacity 140, available 70, in use 70 "
             r"slots; upstream {&upstream} = {\[16 bytes\] = 1 slab, capacity 100, "
             r"\d+ free in slabs, \d+ cached in magazines, \[64 bytes\] = 1 slab, capacity 40, "
             r"0 free in slabs, 0 cached in magazines}$",
    "growing": r"fastalloc::basic_growing_pool_resource<.*>: capacity 128, available 63, "
               r"in use 65 slots; upstream 0x[0-9a-f]+ = {\[32 bytes\] = 2 slabs, capacity 128, ",
    "drop_in": r"fastalloc::basic_growing_pool_resource<.*>: .*, in use 7 slots; .* = "
               r"{\[24 bytes\] = 1 slab, .*, \[64 bytes aligned to 16\] = .*, \[224 bytes\] = .*, "
               r"\[64 bytes aligned to 64\] = ",
    "unused": r"fastalloc::basic_growing_pool_resource<fastalloc::stack_index>: capacity 0, "
              r"available 0, in use 0 slots; upstream 0x[0-9a-f]+$",
    "thread_local_resource":
        r"fastalloc::basic_thread_local_pool_resource<.*>: capacity 200, available 195, in use 5 "
        r"slots; pools of 1 thread and 1 that ended; .* = {\[16 bytes\] = 2 slabs, capacity 200, ",
    "synchronized": r"fastalloc::basic_synchronized_pool_resource<.*>: capacity 256, .* in use 5 "
                    r"slots; rows of 2 threads; .* = {\[32 bytes\] = 1 slab, capacity 256, ",
    "lock_free": r"fastalloc::basic_lock_free_pool_resource<.*>: .* in use 7 slots; "
                 r"rows of 2 threads; .* = {\[32 bytes\] = \d slabs?, ",
    "many_threads": r"fastalloc::basic_synchronized_pool_resource<.*>: .* in use 40 slots; "
                    r"rows of 40 threads; ",

    "counted": r"fastalloc::basic_lock_free_pool_resource<std::atomic, fastalloc::counting_statistics>"
               r": capacity 256, .* in use 4 slots; rows of 1 thread; ",

    "owned": r"fastalloc::owned_handle<.*>: object {owned.object_}, pool {&pool} = "
             r"{object = {x = 1, y = 2}}$",
    "owned_empty": r"fastalloc::owned_handle<.*>: empty$",
    "owned_with_key": r"fastalloc::owned_handle<.*>: object {owned_with_key.object_}, "
                      r"pool {&pool}, ticket 0x[0-9a-f]+: 1 owner, observed, generation 0 = "
                      r"{object = {x = 3, y = 4}}$",
    "owned_part": r"fastalloc::owned_handle<.*>: a part of an object {owned_part.object_}, "
                  r"pool {&pool_of_both} = {object = {.*number = 8}}$",
    "shared": r"fastalloc::shared_handle<.*>: object {shared.object_}, pool {&pool}, "
              r"ticket {shared.ticket_}: 2 owners, observed, generation 0 = "
              r"{object = {x = 1, y = 2}}$",
    "shared_alone": r"fastalloc::shared_handle<.*>: object .*, pool {&pool}, ticket 0x[0-9a-f]+: "
                    r"1 owner = {object = {x = 5, y = 6}}$",
    "shared_empty": r"fastalloc::shared_handle<.*>: empty$",
    "weak": r"fastalloc::weak_handle<.*>: alive object {shared.object_}, pool {&pool}, "
            r"ticket {shared.ticket_}: 2 owners, observed, generation 0 = "
            r"{object = {x = 1, y = 2}}$",
    "weak_dead": r"fastalloc::weak_handle<.*>: dead object 0x[0-9a-f]+ of generation 0, "
                 r"pool {&pool}, ticket {weak_dead.ticket_} is at generation 1$",
    "knows_itself": r"fastalloc::shared_handle<.*>: object .* = {object = {itself = "
                    r"fastalloc::weak_handle<.*>: alive .*{\.\.\.}",
    "weak_empty": r"fastalloc::weak_handle<.*>: empty$",
    "key": r"fastalloc::object_key: ticket number 16, generation 0$",
    "key_empty": r"fastalloc::object_key: names no object$",
    "key_later": r"fastalloc::later::object_key: ticket number 5, generation 6$",

    "pool": r"fastalloc::object_pool<.*>: 4 objects in use, 0 kept, lazy, owns its resource = "
            r"{resource = fastalloc::basic_growing_pool_resource<.*>: capacity 64, available 60, ",
    "recycling": r"fastalloc::object_pool<.*>: 3 objects in use, 2 kept, recycling, "
                 r"owns its resource = ",
    "drawing": r"fastalloc::object_pool<.*>: 1 object in use, 1 kept, deferred, "
               r"draws on a resource of others = {resource = fastalloc::basic_lock_free_pool",
    "counted_objects": r"fastalloc::object_pool<.*>: 1 object in use, 0 kept, lazy, "
                       r"draws on a resource of others = ",
    "eager": r"fastalloc::object_pool<.*>: 1 object in use, 3 kept, eager, owns its resource = ",

    # A reference is shown as what it refers to.
    "bad_fixed.zeroed": r".*fastalloc::basic_fixed_pool_resource<.*>: <not constructed: ",
    "bad_growing.zeroed": r".*fastalloc::basic_growing_pool_resource<.*>: <not constructed: ",
    "bad_thread_local.zeroed": r".*fastalloc::basic_thread_local_pool_resource<.*>: <not constr",
    "bad_synchronized.zeroed": r".*fastalloc::basic_synchronized_pool_resource<.*>: <not constr",
    "bad_lock_free.zeroed": r".*fastalloc::basic_lock_free_pool_resource<.*>: <not constructed: ",
    "bad_pool.zeroed": r".*fastalloc::object_pool<.*>: <not constructed: ",
    "bad_owned.zeroed": r".*fastalloc::owned_handle<.*>: empty$",
    "bad_shared.zeroed": r".*fastalloc::shared_handle<.*>: empty$",
    "bad_weak.zeroed": r".*fastalloc::weak_handle<.*>: empty$",
    "bad_key.zeroed": r".*fastalloc::object_key: names no object$",
    "bad_config.zeroed": r".*fastalloc::pool_config: slot size left out = ",
    "bad_growth.zeroed": r".*fastalloc::growth_strategy: none$",
    "bad_key.random": r".*fastalloc::object_key: ticket number \d+, generation \d+$",
    "bad_key.filled": r".*fastalloc::object_key: ticket number \d+, generation \d+$",
}
for kind in ("fixed", "growing", "thread_local", "synchronized", "lock_free", "pool", "owned",
             "shared", "weak", "config", "growth"):
    for memory in ("random", "filled"):
        EXPECTED[f"bad_{kind}.{memory}"] = (
            r".*fastalloc::.*: <(Cannot access memory at address 0x[0-9a-f]+|-?\d+ classes|.*::kind is \d+)>$")

# In the program, after an assignment to what a stray write may have changed.
MAGAZINE = "growing.only_pool_.magazine_"
SLABS = "growing.only_pool_.reserve_->slabs"
BROKEN = [
    (f"{MAGAZINE}.top = {MAGAZINE}.high + 1", "growing",
     r".*: capacity 128, .*, a magazine is being changed, or broken}$"),
    (f"{SLABS}.geometry_.stride_ = 0", "growing", r".*: <slots 0 bytes apart, aligned to 16>$"),
    (f"{SLABS}.geometry_.stride_ = 32", "growing", r".*: capacity 128, "),
    (f"{SLABS}.available_ = 129", "growing", r".*: <129 free slots of 128 in 2 slabs>$"),
    ("thread_local_resource.all_->next->next = thread_local_resource.all_",
     "thread_local_resource", r".*: <a list goes round in a circle>$"),
    ("fixed.router_.classes_.listed._M_extent._M_extent_value = 100000", "fixed",
     r".*: <100000 classes>$"),
    ("shared.ticket_->state.word_._M_i = 0", "shared", r".*: <its object has no owner"),
    ("weak_dead.ticket_ = 8", "weak_dead", r".*: <Cannot access memory at address 0x"),
    ("owned.object_ = 8", "owned", r".*: object 0x8, .* = {object = <Cannot access memory"),
]


def gdb(*commands, arguments=()):
    options = [option for command in commands for option in ("-ex", command)]
    result = subprocess.run(["gdb", "--batch", "-nx", *options, *arguments], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False,
                            env={**os.environ, **ENVIRONMENT})
    return result.stdout


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def fail(*lines):
    print("FAILED:", *lines, sep="\n", file=sys.stderr)
    sys.exit(1)


def showing(expression):
    return [f"echo \\n{MARK}{expression}\\n", f"output {expression}", f"echo \\n{END}\\n"]


def shown_in(output):
    """Returns [(expression, what gdb shows of it)]."""
    parts = re.findall(rf"^{MARK}(.*)\n((?:.*\n)*?){END}$", output, flags=re.MULTILINE)
    return [(expression, " ".join(text.split())) for expression, text in parts]


def address_in(text):
    return re.findall(r"0x[0-9a-f]+", text)[0]


def check(expression, shown, pattern, addresses):
    for name, address in addresses.items():
        pattern = pattern.replace("{" + name + "}", address)
    if not re.match(pattern, shown):
        fail(expression, f"shows   {shown}", f"and not {pattern}")


def main(printers, program):
    try:
        if "has Python" not in gdb("python print('has Python')"):
            skip("this gdb has no Python")
    except FileNotFoundError:
        skip("gdb is not installed")

    pointers = {name for pattern in EXPECTED.values()
                for name in re.findall(r"{(&\w+|\w+\.\w+_)}", pattern)}
    show_all = [command for expression in [*sorted(pointers), *EXPECTED]
                for command in showing(expression)]
    setup = ["set width 0", "set print thread-events off", f"source {printers}"]
    with tempfile.TemporaryDirectory() as folder:
        core = pathlib.Path(folder, "core")
        break_all = [command for assignment, expression, _ in BROKEN
                     for command in (f"set variable {assignment}", *showing(expression))]
        output = gdb(*setup, "set disable-randomization off", "break stop_here", "run", "up",
                     *show_all, f"generate-core-file {core}", *break_all, "kill",
                     arguments=[program])
        if re.search("ptrace: Operation not permitted|Could not trace the inferior", output):
            skip("gdb may not trace a program here")
        of_core = gdb(*setup, f"core-file {core}", "frame function main", *show_all,
                      arguments=[program])

    shown = shown_in(output)
    count = len(shown) - len(BROKEN)
    if count != len(pointers) + len(EXPECTED):
        fail("the program did not stop where it should", output)
    shown, broken = dict(shown[:count]), shown[count:]
    addresses = {name: address_in(shown[name]) for name in pointers}
    for expression, pattern in EXPECTED.items():
        check(expression, shown[expression], pattern, addresses)
    for name in RESOURCES:
        told = re.search(rf"^{name}: (.*)$", output, re.MULTILINE)[1]
        if f": {told}; " not in shown[name]:
            fail(name, f"shows   {shown[name]}", f"and is  {told}")
    for (assignment, expression, pattern), (_, text) in zip(BROKEN, broken):
        check(f"{expression} after {assignment}", text, pattern, addresses)

    shown_of_core = dict(shown_in(of_core))
    for expression, text in shown.items():
        if text not in shown_of_core.get(expression, ""):
            fail(f"{expression}, in a core file", f"shows   {shown_of_core.get(expression)}",
                 f"and not {text}", of_core)
    print(f"{len(shown)} values, {len(broken)} broken ones, and the same in a core file")


main(*sys.argv[1:])
