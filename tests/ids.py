#!/usr/bin/env python3
"""Lists the ids that tests carry (comments `id: C1 V3`), each with its test and the result of the last run.

A test in C carries its ids in a comment directly above its function; a flow script in a comment at its head.
`ids.py --count FILE` prints "passed failed" of one JUnit file, counting each cmocka case by itself.
"""
import glob
import os
import re
import sys
import xml.etree.ElementTree as ET

CASE = re.compile(r"\[\s+(OK|FAILED|SKIPPED)\s+\] ([A-Za-z0-9_]+)\s*$", re.M)
ID = re.compile(r"\bid: ((?:[A-Z]+-?\d+[a-z]?[ ,]*)+)")
FUNCTION = re.compile(r"^([a-z][a-z0-9_]*)\(", re.M)


def cases(path):
    """Yields (ctest name, case or None, passed) of one JUnit file."""
    for test in ET.parse(path).getroot().iter("testcase"):
        good = test.get("status") == "run"
        output = test.findtext("system-out") or ""
        seen = {}
        for result, name in CASE.findall(output):
            seen[name] = seen.get(name, True) and result == "OK"
        for name, passed in seen.items():
            yield test.get("name"), name, passed
        if not seen or (not good and all(seen.values())):
            yield test.get("name"), None, good


def registered(root):
    """Yields (id, file, function or None) for every id that a test carries."""
    for path in sorted(glob.glob(root + "/**/*", recursive=True)):
        if "/fixtures/" in path or not os.path.isfile(path) or not re.search(r"(_test\.c|\.flow|_test\.sh|_test\.py)$", path):
            continue
        text = open(path, encoding="utf-8", errors="replace").read()
        for match in ID.finditer(text):
            function = FUNCTION.search(text, match.end()) if path.endswith(".c") else None
            for word in re.split(r"[ ,]+", match.group(1).strip()):
                yield word, path, function.group(1) if function else None


def main():
    if sys.argv[1:2] == ["--count"]:
        rows = list(cases(sys.argv[2]))
        print(sum(1 for r in rows if r[2]), sum(1 for r in rows if not r[2]))
        return 0
    results = {}
    for path in sorted(glob.glob("build/results/*.xml")):
        for test, case, passed in cases(path):
            for key in ((test, case), (test, None)):
                results[key] = results.get(key, True) and passed
    missing = 0
    key = lambda r: (re.sub(r"\d+.*", "", r[0]), int(re.search(r"\d+", r[0]).group()), r[1])
    for word, path, function in sorted(registered("tests"), key=key):
        test = re.sub(r"^tests/", "", re.sub(r"(_test)?\.(c|flow|sh|py)$", "", path))
        result = results.get((test, function), results.get((test, None)))
        text = {True: "passed", False: "FAILED", None: "not run"}[result]
        missing += result is not True
        print(f"{word:8} {text:8} {test}{' ' + function if function else ''}")
    return 1 if missing else 0


sys.exit(main())
