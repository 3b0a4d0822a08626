#!/usr/bin/env python3
"""Files of at most 500 lines, functions of at most 60, blocks nested at most 4 deep inside a function.

A comment `// size: reason` directly above a function lets that one be larger; on one of the first three
lines of a file, the file.
"""
import re

import source

FILE_LINES = 500
FUNCTION_LINES = 60
NESTING = 4
EXCUSE = re.compile(r"^\s*// size: \S")
WORD_BEFORE = re.compile(r"(\w+)\s*$")


def opens_block(text, at, parents):
    """True when the brace at `at` begins a block of statements; false for an initializer or a type."""
    if parents and not parents[-1]:
        return False
    before = text[:at].rstrip()
    if before.endswith((";", "{", "}", ":")):
        return True
    if not before.endswith(")"):
        word = WORD_BEFORE.search(before)
        return word is not None and word.group(1) in ("else", "do")
    depth = 0
    for i in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[i], 0)
        if depth == 0:
            word = WORD_BEFORE.search(before[:i])
            return word is not None and word.group(1) not in ("return", "sizeof")
    return False


def deepest(body):
    """How deep blocks are nested in a function's body (the body itself counts 0), and the line of it."""
    parents, depth, worst, worst_at = [], -1, 0, 0
    for match in re.finditer(r"[{}]", body):
        if match.group() == "{":
            is_block = not parents or opens_block(body, match.start(), parents)
            parents.append(is_block)
            depth += is_block
            if is_block and depth > worst:
                worst, worst_at = depth, match.start()
        elif parents:
            depth -= parents.pop()
    return worst, body.count("\n", 0, worst_at)


def is_excused(lines, name_line):
    """Looks above the return type, which may take a few lines."""
    at = name_line - 2
    while at >= 0 and lines[at].strip() and not lines[at].lstrip().startswith("//") and lines[at][0] not in "}#":
        at -= 1
    return at >= 0 and EXCUSE.match(lines[at]) is not None


def check(root):
    for path in source.c_paths(root):
        raw = source.read(root, path)
        lines = raw.splitlines()
        if len(lines) > FILE_LINES and not any(EXCUSE.match(line) for line in lines[:3]):
            yield path, len(lines), "sizes", f"{len(lines)} lines, more than {FILE_LINES}: split the module"
        text = source.blank(raw)
        for name, first, last, body in source.functions(text):
            if is_excused(lines, first):
                continue
            if last - first + 1 > FUNCTION_LINES:
                yield path, first, "sizes", f"'{name}' has {last - first + 1} lines, more than {FUNCTION_LINES}"
            depth, offset = deepest(body)
            if depth > NESTING:
                line = last - body.count("\n") + offset
                yield path, line, "sizes", f"'{name}' is nested {depth} deep, more than {NESTING}"


if __name__ == "__main__":
    source.tell(list(check(source.arguments().root)))
