# SPDX-License-Identifier: MIT
"""Small faults in C++ sources: what differs from the text in one place.

They are found by the look of a line, so it has to be formatted as clang-format does. Some will not
compile, and some make no difference; that is for others to find out.
"""

import dataclasses
import hashlib
import pathlib
import random
import re

# Nothing is executed in there.
UNMUTATED = ("fastalloc.hpp", "fwd.hpp", "export.hpp")

# What is alike in name and place is swapped: a pattern, and what it becomes.
SWAPS = {
    "condition": [
        (r" == ", " != "), (r" != ", " == "), (r"(?<=[\w)\]]) && ", " || "), (r" \|\| ", " && "),
    ],
    "bound": [
        (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "),
        (r" - 1\b", ""), (r" \+ 1\b", ""),
    ],
    "operator": [
        (r" \+ ", " - "), (r" - ", " + "), (r"(?<=[\w)]) \* ", " / "), (r" / ", " * "),
        (r" << ", " >> "), (r" >> ", " << "), (r" & ", " | "), (r" \| ", " & "),
        (r" \+= ", " -= "), (r" -= ", " += "), (r" &= ", " |= "), (r" \|= ", " &= "),
        (r"\+\+", "--"), (r"--(?=\w)", "++"), (r"~(?=\w+\b(?!\())", ""),
        (r"std::min(?=[({])", "std::max"), (r"std::max(?=[({])", "std::min"),
    ],
    "constant": [
        (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r"(?<![\w.'])0(?![\w.'])", "1"),
        (r"(?<![\w.'])1(?![\w.'])", "2"), (r"(?<![\w.'])([2-9]\d*|1\d+)(?=[^\w.'])", r"(\1 + 1)"),
    ],
    "order": [
        (r"memory_order_(?:acquire|release|acq_rel|seq_cst)", "memory_order_relaxed"),
    ],
    "return": [
        # Of what looks like a bool.
        (r"(?<=bool )(.*\breturn )(.+);", r"\1!(\2);"),
        (r"\breturn (!.+|.* (?:[=!<>]=|[<>]|&&|\|\|) .*);", r"return !(\1);"),
    ],
    "dropped": [
        # A statement that has no declaration, and does not end the function.
        (r"^(\s+)(?!return|using|throw|break|continue|goto|static|friend|delete|else|case|if|for|while)"
         r"(?:\+\+|--)?[\w:]+(?:(?:\.|->|::)\w+|\[[^\]]*\])*"
         r"(?:(?:<[\w:, ]+>)?\(.*\)| [-+|&^/*%]?= .*|\+\+|--);$", r"\1;"),
    ],
}

# Lines that are no code, or code that only compilers see.
NO_CODE = re.compile(r"\s*(//|\*|#|static_assert|template|requires|using|friend|extern|assert\(|"
                     r"\[\[maybe_unused\]\] const auto watch)|.*(= delete|= default)")


@dataclasses.dataclass(frozen=True)
class Mutant:
    file: str
    line: int  # from 1
    kind: str
    before: str
    after: str

    @property
    def name(self):
        """The same as long as the line is, wherever it goes."""
        text = f"{self.file}\n{self.before}\n{self.after}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def diff(self):
        return f"{self.file}:{self.line}: {self.kind}\n-{self.before}\n+{self.after}"

    def applied_to(self, text):
        lines = text.split("\n")
        assert lines[self.line - 1] == self.before
        lines[self.line - 1] = self.after
        return "\n".join(lines)


def code_of(line):
    """The part of a line that is code."""
    return line.split("  // ")[0].split("  ///<")[0]


def with_condition_negated(code):
    """Returns the line with the condition of its `if` or `while` negated; None if it has none."""
    start = re.search(r"\b(?:if|while) \(", code)
    if start is None:
        return None
    depth = 1
    for end in range(start.end(), len(code)):
        depth += {"(": 1, ")": -1}.get(code[end], 0)
        if depth == 0:
            condition = code[start.end():end]
            if ";" in condition or re.search(r"\w \w+ = ", condition):  # declares something
                return None
            return f"{code[:start.end()]}!({condition}){code[end:]}"
    return None


def mutants_of_line(file, number, line):
    code = code_of(line)
    if NO_CODE.match(code):
        return
    rest = line[len(code):]
    if negated := with_condition_negated(code):
        yield Mutant(file, number, "condition", line, negated + rest)
    for kind, swaps in SWAPS.items():
        for pattern, replacement in swaps:
            for match in re.finditer(pattern, code):
                after = code[:match.start()] + match.expand(replacement) + code[match.end():] + rest
                if after != line and not in_string(code, match.start()):
                    yield Mutant(file, number, kind, line, after)


def in_string(code, place):
    return code[:place].replace('\\"', "").count('"') % 2 == 1


def all_mutants(root):
    """Returns all mutants of include/ and src/, by kind, in an order that depends on nothing."""
    by_kind = {kind: [] for kind in SWAPS}
    seen = set()
    for folder in ("include", "src"):
        for path in sorted((pathlib.Path(root) / folder).rglob("*.[ch]pp")):
            if path.name in UNMUTATED:
                continue
            file = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
                for mutant in mutants_of_line(file, number, line):
                    if mutant.name not in seen:
                        seen.add(mutant.name)
                        by_kind[mutant.kind].append(mutant)
    return by_kind


def in_turn(by_kind, seed):
    """Yields all mutants, one of each kind in turn, shuffled."""
    shuffled = random.Random(seed)
    queues = [sorted(mutants, key=lambda m: m.name) for _, mutants in sorted(by_kind.items())]
    for queue in queues:
        shuffled.shuffle(queue)
    while any(queues):
        for queue in queues:
            if queue:
                yield queue.pop()
