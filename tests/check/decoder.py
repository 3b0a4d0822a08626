#!/usr/bin/env python3
"""drover-sqlcheck decodes with the protobuf-c of the system, not with the copy that libpg_query exports."""
import os
import re
import subprocess
import sys

import source


def check(build):
    program = os.path.join(build, "drover-sqlcheck")
    if not os.path.exists(program):
        sys.exit(f"there is no '{program}'")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    match = re.search(r"^protobuf-c (\S+)$", told, re.M)
    if match is None:
        return [("coordinator/sqlcheck/main.c", 1, "decoder", "--version prints no line 'protobuf-c VERSION'")]
    wanted = subprocess.run(["pkg-config", "--modversion", "libprotobuf-c"], capture_output=True, text=True,
                            check=True).stdout.strip()
    if match.group(1) != wanted:
        return [("CMakeLists.txt", 1, "decoder",
                 f"drover-sqlcheck runs protobuf-c {match.group(1)}, the system has {wanted}: link it first")]
    return []


if __name__ == "__main__":
    source.tell(check(source.arguments(needs_build=True).build))
