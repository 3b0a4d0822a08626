#!/usr/bin/env python3
"""A short soak with a fixed seed on each engine; `tests/run --soak MINUTES` runs a long one."""
# id: C25
import os
import sys

import soak

SECONDS = 20
SEED = int(os.environ.get("DROVER_SEED", "20261"))

sys.exit(max([soak.run(engine, SECONDS, SEED) for engine in ("sqlite", "postgresql")]))
