#!/usr/bin/env python3
"""All C is as clang-format leaves it."""
import os
import re
import shutil
import subprocess
import sys

import source

FINDING = re.compile(r"^(.*?):(\d+):\d+: error: code should be clang-formatted", re.M)


def check(root):
    paths = source.c_paths(root)
    if not paths:
        return []
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", "--style=file", *paths], cwd=root,
                          capture_output=True, text=True, check=False)
    first = {}
    for path, line in FINDING.findall(done.stderr):
        first.setdefault(os.path.normpath(path), int(line))
    if done.returncode != 0 and not first:
        sys.exit("clang-format failed: " + done.stderr[-2000:])
    return [(p, l, "format", f"type: clang-format -i {p}") for p, l in sorted(first.items())]


if __name__ == "__main__":
    if shutil.which("clang-format") is None:
        sys.exit("clang-format is not installed: deploy/install-packages test")
    source.tell(check(source.arguments().root))
