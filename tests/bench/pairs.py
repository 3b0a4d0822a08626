#!/usr/bin/env python3
"""Times two commands in turn, A B A B ..., and prints the medians (ms) and the median of the pairs' ratios A/B.

pairs.py COUNT 'COMMAND A' 'COMMAND B'
"""
import shlex
import statistics
import subprocess
import sys
import time


def run(words):
    began = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


count, a, b = int(sys.argv[1]), shlex.split(sys.argv[2]), shlex.split(sys.argv[3])
run(a), run(b)
pairs = [(run(a), run(b)) for _ in range(count)]
print(
    f"{statistics.median(p[0] for p in pairs):.1f} {statistics.median(p[1] for p in pairs):.1f} "
    f"{statistics.median(p[0] / p[1] for p in pairs):.2f}"
)
