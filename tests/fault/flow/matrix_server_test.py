#!/usr/bin/env python3
"""The matrix on PostgreSQL: at every failpoint where the agent has a session, its backend is killed with SIGKILL (the
server starts again by itself) and the whole cluster is stopped with `-m immediate`."""
# id: P2
import sys

import matrix

LEGS_MAX = 40  # a server that starts again costs seconds

sys.exit(matrix.run("postgresql", ("backend", "cluster"), legs=LEGS_MAX))
