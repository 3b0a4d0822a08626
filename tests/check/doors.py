#!/usr/bin/env python3
"""One door per foreign library: its headers are included in few named files and nowhere else."""
import fnmatch
import re

import source

# header, as it begins: the files that may include it
DOORS = {
    "nng/": ("common/rpc/stream*",),
    # A bench measures drover against the bare libraries.
    "libpq-fe.h": ("common/db/pg*", "tests/support/pgcluster*", "tests/bench/*"),
    "sqlite3.h": ("common/db/sqlite*", "tests/bench/*"),
    "pg_query": ("coordinator/sqlcheck/*",),
    "confuse.h": ("common/base/conf.c",),
    "libsmartcols/": ("coordinator/cli/print*",),
    "sodium": ("common/base/secret.c", "common/base/file.c", "common/trust/*", "common/rpc/noise*",
               "common/revision/digest.c"),
    "microhttpd.h": ("coordinator/console/*", "coordinator/core/metrics*"),
    "linux/landlock.h": ("agent/confine.c",),
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+[<"]([^>"\n]+)[>"]', re.M)


def check(root):
    for path in source.c_paths(root):
        text = source.blank(source.read(root, path), keep_strings=True)
        for match in INCLUDE.finditer(text):
            for header, files in DOORS.items():
                if not match.group(1).startswith(header):
                    continue
                # Tests may drive a library directly against the module that they test.
                mirrored = [re.sub(r"^(common/)?", "tests/*/", f) for f in files]
                if not any(fnmatch.fnmatch(path, f) for f in (*files, *mirrored)):
                    yield (path, source.line_of(text, match.start()), "doors",
                           f"<{match.group(1)}> belongs in {' or '.join(files)}")


if __name__ == "__main__":
    source.tell(list(check(source.arguments().root)))
