"""Symbols of the objects that a build made, by nm: who defines what, and who asks for it."""
import os
import re
import subprocess

IGNORED = re.compile(r"^(__|_GLOBAL_|\.|drover__v1__|lto_|llvm_)")
ROW = re.compile(r"^(?P<file>.*?):\s*(?:[0-9a-f]+)?\s*(?P<kind>[A-Za-z?])\s+(?P<name>\S+)$")


def objects(build):
    """Paths of the objects of our own sources: (object, is it of a test)."""
    for folder, _, files in os.walk(build):
        for name in files:
            if name.endswith(".c.o"):
                path = os.path.join(folder, name)
                inside = os.path.relpath(path, build)
                if ".pb-c." not in name and "CMakeFiles" in inside and "CompilerId" not in inside:
                    yield path, inside.startswith("tests/")


def table(paths):
    """Yields (file, kind, name) of the external symbols of `paths` (objects or libraries)."""
    paths = list(paths)
    for i in range(0, len(paths), 200):
        done = subprocess.run(["nm", "-A", "-g", *paths[i:i + 200]], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            row = ROW.match(line)
            if row and not IGNORED.match(row["name"]):
                yield row["file"], row["kind"], row["name"]


def source_of(path):
    """"common/base/err.c" of an object's path or of "libdr_base.a:err.c.o"."""
    match = re.search(r"\.dir/(.*)\.o$", path)
    return match.group(1) if match else re.sub(r"\.o$", "", path.split("/")[-1].split(":")[-1])
