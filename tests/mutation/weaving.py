# SPDX-License-Identifier: MIT
"""Puts many mutants into one source, each behind a switch, so that one build has them all.

That works where a statement or a condition can be there twice: not in what is evaluated when it is
compiled, not in heads of functions and not in lists of initializers. What is not woven is not tried.
The names of switches are in switch.hpp.
"""

import dataclasses
import re

from mutants import code_of

# A declaration with an initializer, in two parts.
DECLARATION = re.compile(r"((?!return |delete |throw |goto |using |else )(?:const |auto |volatile )*"
                         r"[A-Za-z_][\w:<>, ]*?[ *&]+(?:\w+|\[[\w, ]+\]) =\s+)(.+);", re.DOTALL)
# Evaluated when it is compiled, or only once, or no expression.
NOT_TWICE = re.compile(r"constexpr|constinit|static |thread_local |= \{|\[\[maybe_unused")


@dataclasses.dataclass
class Unit:
    """A statement, or what stands before the block of one: some lines."""
    first: int  # line, from 0
    lines: list

    @property
    def last(self):
        return self.first + len(self.lines) - 1


def depth_of(text):
    text = re.sub(r"'(?:\\.|[^'\\])'|\"(?:\\.|[^\"\\])*\"", "", text)
    return sum(text.count(c) for c in "([") - sum(text.count(c) for c in ")]")


def units_of(text):
    lines = [code_of(line).rstrip() for line in text.split("\n")]
    first, depth = None, 0
    for number, line in enumerate(lines):
        bare = line.strip()
        if first is None:
            if not bare or bare.startswith(("//", "#", "*", "/*")):
                continue
            first, depth = number, 0
        if bare.startswith("//"):
            lines[number] = ""
            continue
        depth += depth_of(line)
        if bare.endswith(("{", "}")) or (bare.endswith((";", ":")) and depth <= 0):
            yield Unit(first, lines[first:number + 1])
            first = None


def split_at_top(text, separator):
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if depth == 0 and c == separator:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def chosen(numbers_and_parts, original):
    """An expression that is one of the parts if its number is switched on."""
    text = f"({original})"
    for number, part in reversed(numbers_and_parts):
        text = f"FASTALLOC_MUTANT({number}) ? ({part}) : {text}"
    return text


def in_expression(variants, original, what="{}"):
    """Weaves variants of an expression that may declare a name. None if they differ elsewhere."""
    declared = DECLARATION.fullmatch(original.strip() + ";")
    if declared is None:
        return chosen([(n, what.format(v)) for n, v in variants], what.format(original))
    if NOT_TWICE.search(original):
        return None
    values = []
    for number, variant in variants:
        same = DECLARATION.fullmatch(variant.strip() + ";")
        if same is None or same[1] != declared[1]:
            return None
        values.append((number, same[2]))
    return declared[1] + chosen(values, declared[2])


def with_condition(head, variants, original):
    """`if (...) {` and `while (...) {`, and with three parts, of which one differs, `for (...) {`."""
    def inside(text):
        match = re.fullmatch(head + r" \((.*)\)( \{| \[\[(?:un)?likely\]\] \{)", text, re.DOTALL)
        return match and split_at_top(match[1], ";")
    parts = inside(original)
    if parts is None:
        return None
    which = None
    values = []
    for number, variant in variants:
        others = inside(variant)
        if others is None or len(others) != len(parts):
            return None
        different = [i for i, part in enumerate(parts) if part != others[i]]
        if len(different) != 1 or which not in (None, different[0]):
            return None
        which = different[0]
        values.append((number, others[which]))
    what = "{}"
    if head == "for" and which == 2:
        what = "void({})"
    woven = in_expression(values, parts[which], what)
    if woven is None:
        return None
    tail = original[original.rindex(")"):] if "[[" not in original else ") {"
    return f"{head} ({';'.join(parts[:which] + [woven] + parts[which + 1:])}{tail}"


def whole(variants, original):
    """One statement, several times."""
    text = "{ " + original + " }"
    for number, variant in reversed(variants):
        text = f"{{ if (FASTALLOC_MUTANT({number})) {{ {variant} }} else {text} }}"
    return text


def woven(unit_text, variants, is_before_else):
    """Returns the text of a unit with all its variants, (number, text) of each; None if it cannot be."""
    prefix = re.match(r"\s*(?:\} )?(?:else )?", unit_text)[0]
    original = unit_text[len(prefix):]
    if any(not variant.startswith(prefix) for _, variant in variants):
        return None
    variants = [(number, variant[len(prefix):]) for number, variant in variants]
    if NOT_TWICE.search(original):
        return None
    if original.endswith("{"):
        for head in ("if", "while", "for"):
            if original.startswith(head + " ("):
                body = with_condition(head, variants, original)
                return None if body is None else prefix + body
        return None
    if original.endswith("}"):
        # A function of one line.
        def parts(text):
            return re.fullmatch(r"((?:[^{]*)\)[^{;]*\{ )([^{}]*;)( \})", text, re.DOTALL)
        line = parts(original)
        if line is None:
            return None
        others = [(number, parts(variant)) for number, variant in variants]
        if any(o is None or o[1] != line[1] for _, o in others):
            return None
        return prefix + line[1] + whole([(n, o[2]) for n, o in others], line[2]) + line[3]
    if not original.endswith(";") or is_before_else:
        return None
    if DECLARATION.fullmatch(original):
        body = in_expression([(n, v[:-1]) for n, v in variants], original[:-1])
        return None if body is None else prefix + body + ";"
    return prefix + whole(variants, original)


def weave(text, mutants):
    """Returns the text with the mutants, {number: mutant}, and of those in it {number: line}."""
    lines = text.split("\n")
    units = list(units_of(text))
    taken = {}
    for place, unit in enumerate(units):
        here = {n: m for n, m in mutants.items() if unit.first <= m.line - 1 <= unit.last}
        if not here:
            continue
        follower = units[place + 1].lines[0].strip() if place + 1 < len(units) else ""
        is_before_else = follower.startswith("else")
        original = "\n".join(unit.lines)
        good = []
        for number, mutant in here.items():
            changed = list(unit.lines)
            changed[mutant.line - 1 - unit.first] = code_of(mutant.after).rstrip()
            variant = "\n".join(changed)
            if woven(original, [(number, variant)], is_before_else) is not None:
                good.append((number, variant))
        result = woven(original, good, is_before_else) if good else None
        if result is None and good:  # each can be, but not all at once
            good = good[:1]
            result = woven(original, good, is_before_else)
        if result is None:
            continue
        # What is woven lies on the lines where it was, so that a compiler's words are understood.
        result = result.replace("\n", " ")
        lines[unit.first:unit.last + 1] = [result] + [""] * (len(unit.lines) - 1)
        taken.update((number, unit.first + 1) for number, _ in good)
    return "\n".join(lines), taken
