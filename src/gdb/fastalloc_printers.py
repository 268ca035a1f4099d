# SPDX-License-Identifier: MIT
"""Shows resources, handles, pools and configurations of fastalloc in gdb by what they stand for.

gdb loads this file by itself where it loads the shared library: it is installed as
DATADIR/gdb/auto-load/LIBDIR/libfastalloc.so.VERSION-gdb.py, and gdb looks there if its own data
directory is in DATADIR, or as `add-auto-load-scripts-directory` and `add-auto-load-safe-path` say.
A program that is linked to the static library needs

    (gdb) source .../fastalloc_printers.py

What resources look like is in the debug information of the library. Where it has none, as most
libraries that are installed, a program has it that is compiled with

    g++ -g -femit-class-debug-always        clang++ -g -fstandalone-debug

Memory is read, and no function of the program called: so all of this works on a core file, and
wherever the program has stopped. What is in the middle of a change is shown as it is. Members are
found by name, in whatever base class they are. `print/r` shows what there really is.
"""

import gdb
import gdb.printing

# The enumerators of the library's types, in their order.
GROWTHS = ["none", "linear", "exponential", "custom"]
INITIALIZATIONS = ["lazy", "eager", "recycling", "deferred"]
LARGER_REQUESTS = ["to_upstream", "refuse"]
POSSESSIONS = ["of_its_thread", "left", "trimmed"]

LARGEST_MAGAZINE = 8192  # slots; detail::largest_magazine

# More than these cannot be.
MOST_CLASSES = 1 << 16
MOST_SLOTS = 1 << 48  # of a class


class Inconsistent(Exception):
    """What is in memory is not what a living object looks like."""


# Values ------------------------------------------------------------------------------------------


def strip(type_):
    return type_.strip_typedefs().unqualified()


def is_pointer(value):
    return strip(value.type).code == gdb.TYPE_CODE_PTR


def leaves(value):
    """Yields the numbers, pointers and arrays of an object, bases first."""
    type_ = strip(value.type)
    if type_.code not in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        yield value
        return
    for field in type_.fields():
        if hasattr(field, "bitpos"):  # others are static
            yield from leaves(value[field])


def word(value):
    """Returns the number or pointer in an atomic, or whatever else wraps one."""
    for leaf in leaves(value):
        return leaf
    raise gdb.error(f"{strip(value.type)} is empty")


def number(value):
    return int(word(value))


def plain(atomics):
    """Returns a pointer to the first of several std::atomic as one to what is in it. Debug
    information may lack such a type, where nothing but pointers to it are used."""
    atomic = strip(strip(atomics.type).target())
    return atomics.cast(atomic.template_argument(0).pointer())


def elements(array):
    """Returns the elements of an array, or of a std::array."""
    inner = word(array)
    return [inner[i] for i in range(strip(inner.type).range()[1] + 1)]


def count_in_span(span):
    return number(next(leaf for leaf in leaves(span) if not is_pointer(leaf)))


def count_in_vector(vector):
    begin, end = [leaf for leaf in leaves(vector) if is_pointer(leaf)][:2]
    return int(end - begin)


def held(optional):
    """Returns what a std::optional holds; None if it is empty."""
    payload = member(optional, "_M_payload")
    if payload is not None:
        return payload["_M_payload"]["_M_value"] if payload["_M_engaged"] else None
    return optional["__val_"] if optional["__engaged_"] else None


def member(value, name):
    """Returns the member; None if there is none of that name."""
    try:
        return value[name]
    except gdb.error:
        return None


def enumerator(value, names):
    """Returns the name. What clang++ says of enumerations in templates leaves their names out."""
    if not 0 <= int(value) < len(names):
        raise Inconsistent(f"{strip(value.type)} is {int(value)}")
    return names[int(value)]


def listed(head):
    """Yields what is in a list."""
    seen = set()
    while head:
        if int(head) in seen:
            raise Inconsistent("a list goes round in a circle")
        seen.add(int(head))
        yield head.dereference()
        head = head["next"]


def hexadecimal(value):
    return hex(int(value))


def plural(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# Resources ---------------------------------------------------------------------------------------


class SlotClass:
    """What the slabs of one class have, and magazines in front of them. Numbers of slots.

    `stride` is the size of a slot; in a build with full checks also of what lies between two.
    """

    def __init__(self, geometry):
        self.stride = int(geometry["stride_"])
        self.alignment = int(geometry["alignment_"])
        self.slabs = self.capacity = self.cached = 0
        self.free = 0  # None: not known
        self.remarks = []
        if not 0 < self.stride < MOST_SLOTS or self.stride % max(self.alignment, 1) != 0:
            raise Inconsistent(f"slots {self.stride} bytes apart, aligned to {self.alignment}")

    def add(self, slabs, capacity, free):
        if max(slabs, free or 0) > capacity or capacity > MOST_SLOTS:
            raise Inconsistent(f"{free} free slots of {capacity} in {plural(slabs, 'slab')}")
        self.slabs += slabs
        self.capacity += capacity
        self.free = None if free is None or self.free is None else self.free + free

    def add_magazine(self, pool):
        top, low, high = (number(pool["magazine_"][name]) for name in ("top", "low", "high"))
        size = word(pool["magazine_"]["low"]).type.sizeof
        if not low <= top <= high or (top - low) % size or high - low > LARGEST_MAGAZINE * size:
            self.remarks.append("a magazine is being changed, or broken")
        else:
            self.cached += (top - low) // size

    def text(self):
        free = "an unknown number" if self.free is None else self.free
        return ", ".join([plural(self.slabs, "slab"), f"capacity {self.capacity}",
                          f"{free} free in slabs", f"{self.cached} cached in magazines",
                          *sorted(set(self.remarks))])


class Resource:
    """What is known of a resource: its classes by number, and a line on its threads."""

    def __init__(self, value):
        self.classes = {}
        self.threads = []
        self.upstream = hexadecimal(pointer_in(value["upstream_"]))
        if self.upstream == "0x0":
            raise Inconsistent("not constructed: there is no upstream")
        if member(value, "shelves_") is not None:
            self._read_shared(value)
        elif member(value, "all_") is not None:
            self._read_thread_local(value)
        else:
            self._read_row(value)

    def total(self, name):
        """Returns None where that is not known."""
        numbers = [getattr(c, name) for c in self.classes.values()]
        return None if None in numbers else sum(numbers)

    def available(self):
        free = self.total("free")
        return None if free is None else free + self.total("cached")

    def in_use(self):
        """Slots on their way between a magazine and a slab may be in both."""
        available = self.available()
        return None if available is None else max(0, self.total("capacity") - available)

    def _read_row(self, value):
        for index, pool in open_pools(value["router_"]):
            slabs = pool["reserve_"]["slabs"]
            entry = self.classes.setdefault(index, SlotClass(slabs["geometry_"]))
            add_slab_set(entry, slabs)
            entry.add_magazine(pool)

    def _read_thread_local(self, value):
        whose = []
        for pools in listed(value["all_"]):
            whose.append(enumerator(pools["whose"], POSSESSIONS))
            self._read_row(pools)
        running = whose.count("of_its_thread")
        self.threads = [f"pools of {plural(running, 'thread')}"]
        if running != len(whose):
            self.threads[0] += f" and {len(whose) - running} that ended"

    def _read_shared(self, value):
        plan = value["plan_"]
        count = count_of_classes(plan["natural_"], count_in_vector(plan["listed_"]))
        shelves = plain(word(value["shelves_"]))
        for index in range(count if shelves else 0):
            shelf = shelves[index]
            if not shelf:
                continue
            depot = shelf["depot"]
            if member(depot, "slabs_") is not None:
                slabs = depot["slabs_"]
                self.classes[index] = SlotClass(slabs["geometry_"])
                add_slab_set(self.classes[index], slabs)
            else:
                self.classes[index] = SlotClass(depot["geometry_"])
                add_atomic_slabs(self.classes[index], depot)
        rows = 0
        for row in of_threads(value["rows_"]):
            rows += 1
            for index, pool in open_pools(row["router"]):
                if index not in self.classes:
                    raise Inconsistent("a thread has a pool of a class that has no slabs")
                self.classes[index].add_magazine(pool)
        self.threads = [f"rows of {plural(rows, 'thread')}"]


def pointer_in(upstream):
    """Some resources wrap their upstream."""
    wrapped = member(upstream, "upstream_")
    return upstream if wrapped is None else wrapped


def count_of_classes(class_map, in_list):
    is_natural = int(class_map["natural_limit"]) != 0
    count = 2 * int(class_map["natural_classes"]) if is_natural else in_list
    if not 0 <= count <= MOST_CLASSES:
        raise Inconsistent(f"{count} classes")
    return count


def open_pools(router):
    """Yields number and pool of each class that is open."""
    classes = router["classes_"]
    count = count_of_classes(classes, count_in_span(classes["listed"]))
    pools = router["pools_"]
    if not pools and count != 0:
        raise Inconsistent(f"{count} classes without pools")
    for index in range(count):
        pool = pools[index]
        if pool["reserve_"]:
            yield index, pool


def add_slab_set(entry, slabs):
    entry.add(int(slabs["slab_count_"]), int(slabs["capacity_"]), int(slabs["available_"]))


def add_atomic_slabs(entry, depot):
    slab_type = type_of_atomic_slabs(depot)
    for slab in listed(word(depot["head_"])):
        capacity = int(slab["bytes"]) // entry.stride
        free = None
        if slab_type is not None:
            free = free_in_bitmap(slab.address.cast(slab_type)["index"], capacity)
        entry.add(1, capacity, free)


def type_of_atomic_slabs(depot):
    """Returns a pointer type; None if no debug information tells: no class has such a member."""
    try:
        found = strip(gdb.lookup_type(f"{strip(depot.type).name}::slab_type"))
        return found.pointer() if found.fields() else None
    except gdb.error:
        return None


def free_in_bitmap(index, capacity):
    if int(index["capacity_"]) != capacity:
        raise Inconsistent(f"a slab of {capacity} slots has {int(index['capacity_'])} bits")
    words = (capacity + 63) // 64
    bits = gdb.selected_inferior().read_memory(int(index["words_"]), words * 8)
    return bin(int.from_bytes(bytes(bits), "little")).count("1")


def of_threads(per_thread):
    """Yields what each thread has there."""
    entries = elements(per_thread["first_"])
    first = len(entries)
    for index, segment in enumerate(elements(per_thread["segments_"])):
        begin = word(segment)
        if begin:  # each segment is twice as large as the one before it
            entries += [begin[i] for i in range(first << index)]
    for entry in entries:
        pointer = word(entry)
        if pointer:
            yield pointer.dereference()


def show_resource(value):
    resource = Resource(value)
    shown = [f"{name} {'unknown' if count is None else count}" for name, count in (
        ("capacity", resource.total("capacity")), ("available", resource.available()),
        ("in use", resource.in_use()))]
    classes = [entry for _, entry in sorted(resource.classes.items())]
    sizes = [entry.stride for entry in classes]
    children = []
    for entry in classes:
        name = f"{entry.stride} bytes"
        if sizes.count(entry.stride) > 1:
            name += f" aligned to {entry.alignment}"
        children.append((f"[{name}]", entry.text()))
    text = ", ".join(shown) + " slots"
    return "; ".join([text, *resource.threads, f"upstream {resource.upstream}"]), children


# Handles -----------------------------------------------------------------------------------------
# Their objects are shown with them, and what those own in turn, down to gdb's `print max-depth`.

# The bits of detail::way_home, and of detail::basic_ticket_state.
PART, TICKET, ALL = 1, 2, 7
OWNERS, OBSERVED, GENERATION_SHIFT = (1 << 30) - 1, 1 << 30, 32


class Ticket:
    def __init__(self, pointer):
        state = number(pointer["state"]["word_"])
        self.owners = state & OWNERS
        self.generation = state >> GENERATION_SHIFT
        self.pool = hexadecimal(pointer["source"]["home_"])
        self.text = plural(self.owners, "owner")
        if state & OBSERVED:
            self.text += f", observed, generation {self.generation}"


def object_of(pointer):
    """Returns the child that shows the object."""
    value = pointer.dereference()
    try:
        value.fetch_lazy()
    except gdb.error as error:
        value = f"<{error}>"
    return [("object", value)]


def show_owned(handle):
    pointer = handle["object_"]
    if not pointer:
        return "empty", []
    way = handle["way_"]
    bits = int(way["word_"])
    target = bits & ~ALL
    if bits & TICKET:
        # Its name differs only in the end, whatever namespaces there are.
        name = strip(way.type).name.replace("way_home", "ticket")
        ticket = Ticket(gdb.Value(target).cast(gdb.lookup_type(name).pointer()))
        text = f"pool {ticket.pool}, ticket {target:#x}: {ticket.text}"
    else:
        text = f"pool {target:#x}"
    part = "a part of an object" if bits & PART else "object"
    return f"{part} {hexadecimal(pointer)}, {text}", object_of(pointer)


def show_shared(handle):
    pointer, ticket = handle["object_"], handle["ticket_"]
    if not ticket:
        return "empty", []
    known = Ticket(ticket)
    if known.owners == 0:
        raise Inconsistent(f"its object has no owner, says ticket {hexadecimal(ticket)}")
    return (f"object {hexadecimal(pointer)}, pool {known.pool}, "
            f"ticket {hexadecimal(ticket)}: {known.text}"), object_of(pointer)


def show_weak(handle):
    pointer, ticket, generation = handle["object_"], handle["ticket_"], int(handle["generation_"])
    if not ticket:
        return "empty", []
    known = Ticket(ticket)
    if known.owners == 0 or known.generation != generation:
        return (f"dead object {hexadecimal(pointer)} of generation {generation}, "
                f"pool {known.pool}, ticket {hexadecimal(ticket)} is at generation "
                f"{known.generation}"), []
    return (f"alive object {hexadecimal(pointer)}, pool {known.pool}, "
            f"ticket {hexadecimal(ticket)}: {known.text}"), object_of(pointer)


def show_key(key):
    slot, generation = int(key["slot_"]), int(key["generation_"])
    if slot == 0:
        return "names no object", []
    return f"ticket number {slot}, generation {generation}", []


# Pools of objects --------------------------------------------------------------------------------


def count_of_kept(kept):
    size = member(kept, "size_")
    if size is not None:
        return number(size)
    return sum(number(stack["size_"]) for stack in of_threads(kept["stacks_"]))


def count_of_handed_out(counter):
    stripes = member(counter, "stripes_")
    if stripes is not None:
        return sum(count_of_handed_out(s["counter"]) for s in elements(stripes)) % 2**64
    counts = member(counter, "counts_")
    if counts is not None:
        return (number(counts["allocations_"]) - number(counts["deallocations_"])) % 2**64
    return number(counter["count_"])


def show_object_pool(pool):
    pointer = pool["resource_"]
    if not pointer:
        raise Inconsistent("not constructed: there is no resource")
    kind = enumerator(pool["kind_"], INITIALIZATIONS)
    kept = count_of_kept(pool["kept_"])
    if kept > MOST_SLOTS:
        raise Inconsistent(f"{kept} objects are kept")
    if held(pool["own_"]) is None:
        count = count_of_handed_out(pool["handed_out_"])
        owner = "draws on a resource of others"
    else:
        taken = Resource(pointer.dereference()).in_use()
        count = None if taken is None else max(0, taken - kept)
        owner = "owns its resource"
    alive = "unknown number of objects" if count is None else plural(count, "object")
    return f"{alive} in use, {kept} kept, {kind}, {owner}", [("resource", pointer.dereference())]


# Configuration -----------------------------------------------------------------------------------


def growth_text(growth):
    kind = enumerator(growth["kind_"], GROWTHS)
    if kind == "linear":
        return f"linear, {plural(int(growth['slots_']), 'slot')} a step"
    if kind == "exponential":
        return f"exponential, factor {float(growth['factor_']):g}"
    return "by a function" if kind == "custom" else kind


def show_growth(growth):
    return growth_text(growth), []


def show_config(config):
    slot_size, alignment = int(config["slot_size_"]), int(config["alignment_"])
    cap, growth = held(config["max_capacity_"]), held(config["growth_"])
    larger = held(config["larger_requests_"])
    if alignment == 0:
        alignment_text = "left out"
    elif config["alignment_is_given_"]:
        alignment_text = f"{alignment} bytes"
    else:
        alignment_text = f"{alignment} bytes, by the slot size"
    return "slot size left out" if slot_size == 0 else f"slots of {slot_size} bytes", [
        ("slot_size", "left out" if slot_size == 0 else plural(slot_size, "byte")),
        ("alignment", alignment_text),
        ("capacity", plural(int(config["capacity_"]), "slot")),
        ("max_capacity", "left out" if cap is None else plural(int(cap), "slot")),
        ("growth", "left out" if growth is None else growth_text(growth)),
        ("pre_initialize", "true" if config["pre_initialize_"] else "false"),
        ("larger_requests", "left out" if larger is None else enumerator(larger, LARGER_REQUESTS)),
    ]


# Printers ----------------------------------------------------------------------------------------


def printer_of(show):
    """Returns a pretty-printer: `show(value)` returns a text, and names and values of children."""

    class Printer:
        def __init__(self, value):
            self._value = value
            self._shown = None

        def _show(self):
            if self._shown is None:
                self._shown = shown(self._value, show)
            return self._shown

        def to_string(self):
            return self._show()[0]

        def children(self):
            return iter(self._show()[1])

    return Printer


def shown(value, show):
    """Returns what `show` does, or a text on what went wrong: no command is to end for it."""
    type_ = None
    try:
        if strip(value.type).code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            value = value.referenced_value()
        type_ = str(strip(value.type)).replace(", fastalloc::no_statistics>", ">")
        text, children = show(value)
        return f"{type_}: {text}", children
    except (Inconsistent, gdb.MemoryError) as error:
        reason = str(error)
    except Exception as error:
        # A member that is not there, for compilers describe a class where they think it is defined.
        reason = f"debug information is missing: {error}"
    return f"{type_}: <{reason}>", []


PRINTERS = {
    show_resource: ["basic_fixed_pool_resource", "basic_growing_pool_resource",
                    "basic_thread_local_pool_resource", "basic_synchronized_pool_resource",
                    "basic_lock_free_pool_resource"],
    show_owned: ["owned_handle"],
    show_shared: ["shared_handle"],
    show_weak: ["weak_handle"],
    show_key: ["object_key"],
    show_object_pool: ["object_pool"],
    show_growth: ["growth_strategy"],
    show_config: ["pool_config"],
}


def collection():
    printers = gdb.printing.RegexpCollectionPrettyPrinter("fastalloc")
    for show, names in PRINTERS.items():
        for name in names:
            # There may be a namespace in between.
            printers.add_printer(name, rf"^fastalloc::(\w+::)*{name}(<.*>)?$", printer_of(show))
    return printers


gdb.printing.register_pretty_printer(gdb.current_objfile(), collection(), replace=True)
