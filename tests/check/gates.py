#!/usr/bin/env python3
"""Every row of the checklist (G1 to G8) has a proof and a negative test in the table of tests/flow/README.md, and each of
them is a case that is there under this name and carries the row's id."""
import os
import re

import source

TABLE = "tests/flow/README.md"
ROWS = [f"G{n}" for n in range(1, 9)]
CELL = re.compile(r"`([^`]+)`: (.+)$")


def block_of(text, path, case):
    """The lines of a case: from its beginning to the next one's; None when there is no such case."""
    begins = re.compile(r"^## (.*)$" if path.endswith(".flow") else r"^test_begin (\S+).*$", re.M)
    found = list(begins.finditer(text))
    for i, match in enumerate(found):
        if match.group(1) == case:
            return text[match.start():found[i + 1].start() if i + 1 < len(found) else len(text)]
    return None


def fault_of(root, row, cell):
    match = CELL.match(cell)
    if not match:
        return f"'{cell}' is not `FILE`: CASE"
    path = "tests/flow/" + match.group(1)
    if not os.path.isfile(os.path.join(root, path)):
        return f"there is no '{path}'"
    block = block_of(source.read(root, path), path, match.group(2))
    if block is None:
        return f"'{path}' has no case '{match.group(2)}'"
    return "" if re.search(rf"\bid: [A-Z0-9, -]*\b{row}\b", block) else f"'{match.group(2)}' does not carry 'id: {row}'"


def check(root):
    row, seen = None, {}
    for number, line in enumerate(source.read(root, TABLE).splitlines(), 1):
        cells = [c.strip() for c in line.strip("|").split("|")] if line.startswith("|") else []
        row = cells[0] if cells and cells[0] in ROWS else row if cells and not cells[0] else None
        for column, cell in enumerate(cells[2:4] if row and len(cells) == 4 else []):
            if cell:
                seen.setdefault((row, column), number)
                fault = fault_of(root, row, cell)
                if fault:
                    yield TABLE, number, "gates", fault
    for row in ROWS:
        for column, word in enumerate(("proof", "negative test")):
            if (row, column) not in seen:
                yield TABLE, 1, "gates", f"{row} has no {word}"


if __name__ == "__main__":
    source.tell(sorted(set(check(source.arguments().root))))
