#!/usr/bin/env python3
"""clang-tidy, with the checks of .clang-tidy, on every file of the product that changed since it was last clean.

What a file is after the preprocessor decides whether it changed; the marks of clean files lie in BUILD/tidy.
`tests/check/tidy.allow` lists findings that were looked at and are wrong, one a line: the file, the check, the reason.
A line that nothing needs is a finding too.
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
ALLOW = "tests/check/tidy.allow"


def read_allowed(root):
    """{(file, check): line}"""
    path = os.path.join(root, ALLOW)
    rows = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                words = line.split(None, 2)
                if len(words) == 3 and not line.startswith("#"):
                    rows[(words[0], words[1])] = number
    return rows


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


def run(root, build, path, row, salt, allowed):
    """Gives the findings of one file, and the rows of `allowed` that it needed."""
    mark = os.path.join(build, "tidy", path.replace("/", "-"))
    key = hashlib.sha256(salt + preprocessed(row)).hexdigest()
    if os.path.exists(mark):
        with open(mark, encoding="utf-8") as file:
            first, *needed = file.read().splitlines()
        if first == key:
            return [], {tuple(line.split()) for line in needed}
    done = subprocess.run([TOOL, "--quiet", "-p", build, path], cwd=root, capture_output=True, text=True,
                          check=False)
    found, needed, told = [], set(), FINDING.findall(done.stdout)
    for file, line, words in told:
        file = os.path.relpath(os.path.join(root, file), root)
        name = re.search(r"\[([^],]+)", words)
        if name and (file, name.group(1)) in allowed:
            needed.add((file, name.group(1)))
        else:
            found.append((file, int(line), "tidy", words))
    if done.returncode != 0 and not told:
        words = " ".join((done.stdout + done.stderr).split())
        return [(path, 1, "tidy", "clang-tidy failed: " + words[:300])], needed
    if not found:
        with open(mark, "w", encoding="utf-8") as file:
            file.write("\n".join([key, *(" ".join(pair) for pair in sorted(needed))]))
    return found, needed


def check(root, build):
    os.makedirs(os.path.join(build, "tidy"), exist_ok=True)
    allowed = read_allowed(root)
    salt = repr(sorted(allowed)).encode()
    with open(os.path.join(root, ".clang-tidy"), "rb") as file:
        salt += file.read()
    findings, needed = set(), set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(run, root, build, path, row, salt, allowed) for path, row in commands(build, root)]
        for job in jobs:
            findings.update(job.result()[0])
            needed.update(job.result()[1])
    findings |= {(ALLOW, line, "tidy", f"nothing needs '{pair[0]} {pair[1]}': remove this line")
                 for pair, line in allowed.items() if pair not in needed}
    return sorted(findings)


if __name__ == "__main__":
    if shutil.which(TOOL) is None:
        sys.exit("clang-tidy is not installed: deploy/install-packages all")
    args = source.arguments(needs_build=True)
    source.tell(check(os.path.abspath(args.root), os.path.abspath(args.build)))
