#!/usr/bin/env python3
"""Exported symbols of our static libraries begin with dr_ (generated code excepted)."""
import glob
import os
import sys

import source
import symbols


def check(build):
    libraries = [p for p in sorted(glob.glob(os.path.join(build, "libdr_*.a")))
                 if os.path.basename(p) != "libdr_proto.a"]
    if not libraries:
        sys.exit(f"there is no libdr_*.a in '{build}'")
    for file, kind, name in symbols.table(libraries):
        if kind.upper() not in "UVW?" and not name.startswith("dr_"):
            yield symbols.source_of(file), 1, "names", f"'{name}' is exported and does not begin with dr_"


if __name__ == "__main__":
    source.tell(sorted(set(check(source.arguments(needs_build=True).build))))
