#!/usr/bin/env python3
"""Nothing is exported that no other file needs: it would be static, or gone. Tests do not count as users.

`tests/check/unused.allow` lists the exceptions, one a line: the symbol, spaces, the reason. A line that is no
longer needed is a finding too.
"""
import os
import sys

import source
import symbols

ALLOW = "tests/check/unused.allow"


def read_allowed(root):
    path = os.path.join(root, ALLOW)
    rows = {}
    if os.path.exists(path):
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            words = line.split(None, 1)
            if words and not line.startswith("#"):
                rows[words[0]] = (number, words[1].strip() if len(words) > 1 else "")
    return rows


def check(root, build):
    ours = [path for path, is_test in symbols.objects(build) if not is_test]
    if not ours:
        sys.exit(f"there are no objects in '{build}'")
    defined, wanted = {}, set()
    for file, kind, name in symbols.table(ours):
        if kind == "U":
            wanted.add(name)
        elif kind.upper() not in "VW?" and name != "main":
            defined[name] = symbols.source_of(file)
    allowed = read_allowed(root)
    for name, path in sorted(defined.items()):
        if name not in wanted and name not in allowed:
            yield path, 1, "unused", f"'{name}' is exported and no other file uses it: make it static or remove it"
    for name, (line, reason) in allowed.items():
        if not reason:
            yield ALLOW, line, "unused", f"'{name}' is allowed without a reason"
        if name in wanted or name not in defined:
            yield ALLOW, line, "unused", f"'{name}' is {'used' if name in wanted else 'gone'}: remove this line"


if __name__ == "__main__":
    args = source.arguments(needs_build=True)
    source.tell(sorted(check(args.root, args.build)))
