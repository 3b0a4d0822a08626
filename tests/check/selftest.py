#!/usr/bin/env python3
"""Runs one check, or all, on its small bad tree in fixtures/NAME and demands exactly the findings that `expected` lists.

A check that passes everything would pass the repository too; this is what tells.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def compile_all(tree, build):
    """Objects where CMake would put them, a library of them, and the list of commands."""
    cc, rows, objects = os.environ.get("CC", "cc"), [], []
    for folder, _, files in os.walk(tree):
        for name in sorted(files):
            if not name.endswith(".c"):
                continue
            source = os.path.join(folder, name)
            inside = os.path.relpath(source, tree)
            prefix = "tests/" if inside.startswith("tests/") else ""
            target = os.path.join(build, prefix + "CMakeFiles/x.dir", inside + ".o")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            command = [cc, "-c", source, "-o", target]
            subprocess.run([*command, "-w"], check=True, capture_output=True)
            rows.append({"file": source, "directory": build, "command": " ".join(command)})
            objects.append(target)
    if objects:
        subprocess.run(["ar", "rcs", os.path.join(build, "libdr_fixture.a"), *objects], check=True)
    with open(os.path.join(build, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(rows, file)


def unmask(path):
    """The fixture is kept with marks in its words, so that they stand nowhere in the repository."""
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("~", "")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def test(name):
    fixture = os.path.join(HERE, "fixtures", name)
    with open(os.path.join(fixture, "expected"), encoding="utf-8") as file:
        expected = set(file.read().split())
    with tempfile.TemporaryDirectory() as build:
        # A copy outside of the repository: what lies in `fixtures` is skipped by every check.
        tree = os.path.join(build, "tree")
        shutil.copytree(fixture, tree)
        os.remove(os.path.join(tree, "expected"))
        if name == "words":
            unmask(os.path.join(tree, "deploy/x.sh"))
        if name in ("names", "unused", "tidy"):
            compile_all(tree, build)
        if name == "decoder":
            shutil.copy(os.path.join(fixture, "drover-sqlcheck"), build)
        done = subprocess.run([sys.executable, os.path.join(HERE, name + ".py"), "--root", tree, "--build", build],
                              capture_output=True, text=True, check=False)
    found = {line.split(": ")[0] for line in done.stdout.splitlines()}
    if done.returncode == 1 and found == expected:
        print(f"ok      {name}: {len(expected)} findings")
        return True
    print(f"FAILED  {name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    for line in sorted(expected ^ found):
        print(f"  {'missing' if line in expected else 'too much'}: {line}")
    return False


if __name__ == "__main__":
    results = [test(name) for name in sys.argv[1:]]
    sys.exit(0 if results and all(results) else 1)
