#!/usr/bin/env python3
"""Nothing in the project names the place where it was written: paths, tools, package mirrors."""
import os
import re

import source

# Written so that no line of this list is found by itself.
WORDS = {
    r"/wor[k]/": "a path of one machine",
    r"/roo[t]/|/hom[e]/[a-z]+/": "a path of one machine",
    r"https?://(registry|proxy|mirror)[.][a-z.]+": "a package mirror",
    r"[.]{2}/share[d]\b": "a folder outside the project",
}
# Lock files name where packages come from.
EXEMPT = re.compile(r"(^LICENSE|package-lock\.json)$")
SIZE_MAX = 2_000_000


def check(root):
    rules = [(re.compile(p, re.I), why) for p, why in WORDS.items()]
    for path in source.paths(root):
        full = os.path.join(root, path)
        if EXEMPT.search(path) or os.path.islink(full) or os.path.getsize(full) > SIZE_MAX:
            continue
        text = source.read(root, path)
        if "\0" in text:
            continue
        for rule, why in rules:
            for match in rule.finditer(text):
                yield path, source.line_of(text, match.start()), "words", f"'{match.group()}' is {why}"


if __name__ == "__main__":
    source.tell(sorted(check(source.arguments().root)))
