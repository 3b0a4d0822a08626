#!/usr/bin/env python3
"""clang-tidy, with the checks of .clang-tidy, on every file of the product that changed since it was last clean.

What a file is after the preprocessor decides whether it changed; the marks of clean files lie in BUILD/tidy.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import source

FINDING = re.compile(r"^(.*?):(\d+):\d+: (?:error|warning): (.*)$", re.M)
TOOL = "clang-tidy"


def commands(build, root):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        rows = json.load(file)
    seen = set()
    for row in rows:
        path = os.path.relpath(row["file"], root)
        if not path.startswith(("..", "tests/")) and not source.SKIPPED.search(path) and path not in seen:
            seen.add(path)
            yield path, row


def preprocessed(row):
    words = shlex.split(row["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    drop = {words.index(w) for w in ("-o", "-c", "-MF", "-MT") if w in words}
    drop |= {i + 1 for i in drop if words[i] in ("-o", "-MF", "-MT")}
    words = [w for i, w in enumerate(words) if i not in drop and w != "-MD"]
    return subprocess.run([*words, "-E", "-P"], cwd=row["directory"], capture_output=True, check=True).stdout


def run(root, build, path, row, salt):
    mark = os.path.join(build, "tidy", path.replace("/", "-"))
    key = hashlib.sha256(salt + preprocessed(row)).hexdigest()
    if os.path.exists(mark) and open(mark, encoding="ascii").read() == key:
        return []
    done = subprocess.run([TOOL, "--quiet", "-p", build, path], cwd=root, capture_output=True, text=True,
                          check=False)
    found = [(os.path.relpath(os.path.join(root, p), root), int(l), "tidy", words)
             for p, l, words in FINDING.findall(done.stdout)]
    if done.returncode != 0 and not found:
        words = " ".join((done.stdout + done.stderr).split())
        return [(path, 1, "tidy", "clang-tidy failed: " + words[:300])]
    if not found:
        with open(mark, "w", encoding="ascii") as file:
            file.write(key)
    return found


def check(root, build):
    os.makedirs(os.path.join(build, "tidy"), exist_ok=True)
    with open(os.path.join(root, ".clang-tidy"), "rb") as file:
        salt = file.read()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(run, root, build, path, row, salt) for path, row in commands(build, root)]
        return sorted({finding for job in jobs for finding in job.result()})


if __name__ == "__main__":
    if shutil.which(TOOL) is None:
        sys.exit("clang-tidy is not installed: deploy/install-packages all")
    args = source.arguments(needs_build=True)
    source.tell(check(os.path.abspath(args.root), os.path.abspath(args.build)))
