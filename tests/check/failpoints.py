#!/usr/bin/env python3
"""Every failpoint in the code stands in the list of its folder (failpoints.h), and every row of a list is in the code.

The fault tests take their points from the lists: what is in none is never tested.
"""
import os
import re

import source

FOLDERS = ("common", "agent", "coordinator")
HIT = re.compile(r'\bDR_FAILPOINT\(\s*"([^"]*)"')
ROW = re.compile(r'^DR_[A-Z]+_FAILPOINT\(\s*"([^"]*)"', re.M)


def list_of(path):
    return os.path.join(os.path.dirname(path), "failpoints.h")


def check(root):
    rows, hits = {}, {}
    for path in source.c_paths(root, FOLDERS):
        text = source.blank(source.read(root, path), keep_strings=True)
        found, pattern = (rows, ROW) if path.endswith("/failpoints.h") else (hits, HIT)
        for match in pattern.finditer(text):
            found.setdefault((list_of(path), match.group(1)), []).append((path, source.line_of(text, match.start())))
    for key, places in sorted(hits.items()):
        if key not in rows:
            for path, line in places:
                yield path, line, "failpoints", f"give '{key[1]}' a row in {key[0]}, so that it is tested"
    for key, places in sorted(rows.items()):
        if key not in hits:
            yield *places[0], "failpoints", f"'{key[1]}' is nowhere in the code: drop its row"
        if len(places) > 1:
            yield *places[1], "failpoints", f"'{key[1]}' has two rows"


if __name__ == "__main__":
    source.tell(sorted(set(check(source.arguments().root))))
