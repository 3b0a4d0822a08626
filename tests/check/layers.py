#!/usr/bin/env python3
"""Layers are a total order: a folder includes, and links, only itself and what stands before it.

base < proto < trust < db < sql < revision < rpc < engine < schema < coordinator/core, coordinator/cli, agent. Core and
cli do not know each other, nor the agent; import is cli's; drover-sqlcheck knows base and the wire format of sql only.
"""
import os
import re

import source

ORDER = ["base", "proto", "trust", "db", "sql", "revision", "rpc", "engine", "schema"]
COMMON = set(ORDER)
TOPS = {
    "coordinator/core": COMMON,
    "coordinator/import": COMMON,
    "coordinator/cli": COMMON | {"coordinator/console", "coordinator/import"},
    "coordinator/console": COMMON,
    "coordinator/sqlcheck": {"base", "sql"},
    "agent": COMMON,
}
LIBRARIES = {"core": "coordinator/core", "cli": "coordinator/cli", "console": "coordinator/console",
             "import": "coordinator/import", "agentlib": "agent"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"\n]+)"', re.M)
FOLDER = re.compile(r"^dr_folder\(([^)]*)\)", re.M)


def layer_of(path):
    """The layer of a file, or of what an include names; None when it has none."""
    path = re.sub(r"^common/", "", path)
    for top in TOPS:
        if path.startswith(top + "/"):
            return top
    first = path.split("/")[0]
    return first if first in COMMON and "/" in path else None


def allowed(layer):
    if layer in TOPS:
        return TOPS[layer] | {layer}
    return set(ORDER[:ORDER.index(layer) + 1])


def is_there(root, name):
    return name.endswith(".pb-c.h") or any(os.path.exists(os.path.join(root, p, name)) for p in ("common", ""))


def check_includes(root):
    for path in source.c_paths(root, ("common", "coordinator", "agent")):
        layer = layer_of(path)
        if layer is None:
            yield path, 1, "layers", "this folder has no place in the order of layers"
            continue
        text = source.blank(source.read(root, path), keep_strings=True)
        for match in INCLUDE.finditer(text):
            name, line = match.group(1), source.line_of(text, match.start())
            other = layer_of(name)
            if other is None:
                yield path, line, "layers", f"write \"{name}\" with its folder"
            elif other not in allowed(layer):
                yield path, line, "layers", f"'{layer}' must not know '{other}': \"{name}\""
            elif not is_there(root, name):
                yield path, line, "layers", f"there is no \"{name}\""


def check_links(root):
    path = "CMakeLists.txt"
    if not os.path.exists(os.path.join(root, path)):
        return
    text = source.read(root, path)
    for match in FOLDER.finditer(text):
        words = match.group(1).split()
        layer = LIBRARIES.get(words[0], words[0])
        if layer not in COMMON and layer not in TOPS:
            continue
        for word in words[2:]:
            other = LIBRARIES.get(word[3:], word[3:]) if word.startswith("dr_") else None
            if other is not None and other not in allowed(layer):
                yield path, source.line_of(text, match.start()), "layers", f"'{layer}' must not link '{other}'"


if __name__ == "__main__":
    args = source.arguments()
    source.tell(list(check_includes(args.root)) + list(check_links(args.root)))
