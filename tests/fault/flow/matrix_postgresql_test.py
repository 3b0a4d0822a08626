#!/usr/bin/env python3
"""The matrix on PostgreSQL: a worker, exec, net or droverd is killed at every failpoint, upwards and downwards. What a
coordinator and exec keep does not depend on the engine: of many hits the SQLite matrix takes all, this one some."""
# id: C01 C02 C03 C20 P2
import sys

import matrix

sys.exit(matrix.run("postgresql", ("worker", "exec", "net", "droverd"), most=4))
