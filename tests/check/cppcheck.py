#!/usr/bin/env python3
"""cppcheck on the product's own C. An exception stands beside the code: // cppcheck-suppress ID ; reason

What it is told to leave: headers that it does not see, and uninitialized variables, where it misreads arrays of
function pointers and clang-tidy's analyzer sees more.
"""
import os
import re
import shutil
import subprocess
import sys

import source

FINDING = re.compile(r"^([^:\n]+):(\d+): (.*)$", re.M)


def check(root, build):
    cache = os.path.join(build, "cppcheck")
    os.makedirs(cache, exist_ok=True)
    paths = [p for p in source.c_paths(root, ("common", "coordinator", "agent")) if p.endswith(".c")]
    command = ["cppcheck", "--quiet", "--std=c11", "--language=c", "--enable=warning,portability", "--inline-suppr",
               "--suppress=missingInclude", "--suppress=preprocessorErrorDirective",
               "--suppress=uninitvar", "--suppress=normalCheckLevelMaxBranches", "--suppress=unknownMacro", "--suppress=internalAstError",
               "--template={file}:{line}: {id}: {message}", "--error-exitcode=3", f"--cppcheck-build-dir={cache}",
               f"-j{os.cpu_count()}", "-D_GNU_SOURCE", "-I.", "-Icommon", f"-I{build}", *paths]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    found = [(p, int(l), "cppcheck", words) for p, l, words in FINDING.findall(done.stderr)]
    if done.returncode != 0 and not found:
        sys.exit("cppcheck failed: " + done.stderr[-2000:])
    return sorted(set(found))


if __name__ == "__main__":
    if shutil.which("cppcheck") is None:
        sys.exit("cppcheck is not installed: deploy/install-packages all")
    args = source.arguments(needs_build=True)
    source.tell(check(os.path.abspath(args.root), os.path.abspath(args.build)))
