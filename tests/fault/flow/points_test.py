#!/usr/bin/env python3
"""Every failpoint of the lists is reached on both engines by one canonical story: an empty folder, an upgrade and a
downgrade, a person's stop, and one upgrade that is cut off in the middle of a statement outside of a transaction.
Prints who is reached how often. A point that is in no list ends the test too."""
# id: P2
import subprocess
import sys
import threading
import time

import hits
import oracle as oracles
import world as worlds
from cluster import BIN, Cluster

ENGINES = ("postgresql", "sqlite")
APPLIES = {"p": ("postgresql",), "s": ("sqlite",)}  # of the engine's list; everybody else is reached on both


def stop_and_lift(world):
    """A person freezes the environment, and lifts it again."""
    world.must("freeze", "add", worlds.ENVIRONMENT, "--note", "a test", "--yes")
    world.until(lambda: world.hits.count["agent-stop-write"] > 0, "the freeze to reach the agent", 20)
    world.must("freeze", "lift", worlds.ENVIRONMENT, "--yes")


def kill_at(world, held, kind):
    """Waits until a process stands at the point, and kills one."""
    if not held.arrived.wait(worlds.PATIENCE_S):
        raise worlds.Failed(f"{held.name} was not reached")
    world.kill(kind)
    held.gone_on.set()
    world.restart(kind)


def cut_off_in_a_statement(world):
    """Worker and server session end in the middle of CREATE INDEX CONCURRENTLY, which waits for a reader; an invalid
    index stays. On SQLite the worker ends when its approval is used up. Then, in the middle of going on: the agent
    ends when it noted another start, and the worker when it has cleaned up."""
    if world.engine == "sqlite":
        first = world.hits.arm("agent-worker-go")

        def twice():
            first.arrived.wait(worlds.PATIENCE_S)
            again = world.hits.arm("agent-run-attempt")
            kill_at(world, first, "worker")
            kill_at(world, again, "exec")
        return twice
    reader = subprocess.Popen([BIN + "/psql", "-XqAt", "-h", world.cluster.folder, "-U", "postgres", world.database],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    held = world.hits.arm("engine-intent-after")

    def go():
        held.arrived.wait(worlds.PATIENCE_S)
        # A snapshot that is older than the build keeps it waiting.
        reader.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'here', count(*) FROM lines;\n")
        reader.stdin.flush()
        reader.stdout.readline()
        held.gone_on.set()
        world.until(lambda: world.cluster.ask(world.database, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") ==
                    "1", "a half-built index", 30)
        again = world.hits.arm("agent-run-attempt")
        world.kill("worker")
        world.cluster.ask(world.database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                                          "'drover' AND query LIKE 'CREATE INDEX%'")
        reader.stdin.close()
        reader.wait(20)
        again.arrived.wait(worlds.PATIENCE_S)
        cleaned = world.hits.arm("engine-clean-after")
        kill_at(world, again, "exec")
        kill_at(world, cleaned, "worker")
    return go


def story(engine, cluster):
    """Gives how often each point was reached."""
    world = worlds.World(engine, cluster)
    try:
        world.make_trust()
        if not world.start_droverd() or not world.start_exec():
            raise worlds.Failed("the daemons do not start")
        world.make_chain()
        oracle = oracles.Oracle(world)
        for goal in ("up", "down"):
            world.drive(goal)
            oracle.check(goal)
        stop_and_lift(world)
        cutter = threading.Thread(target=cut_off_in_a_statement(world))
        cutter.start()
        world.drive("up")
        cutter.join(10)
        oracle.check("up")
        world.drive("down")
        oracle.check("down")
        oracle.story()
        return world.hits.count
    finally:
        world.close()


def main():
    counts = {}
    for engine in ENGINES:
        cluster = Cluster() if engine == "postgresql" else None
        try:
            counts[engine] = story(engine, cluster)
        finally:
            if cluster:
                cluster.close()
    points = hits.registered(worlds.SOURCE)
    missing = 0
    print(f"{'failpoint':22} {'postgresql':>10} {'sqlite':>7}  where")
    for point in points:
        applies = APPLIES.get(point.letter, ENGINES) if point.list == "engine" else ENGINES
        cells = []
        for engine in ENGINES:
            count = counts[engine][point.name]
            is_missing = engine in applies and count == 0
            missing += is_missing
            cells.append("MISSING" if is_missing else str(count) if count else "-")
        print(f"{point.name:22} {cells[0]:>10} {cells[1]:>7}  {point.where}")
    strange = {name for count in counts.values() for name in count} - {point.name for point in points}
    for name in sorted(strange):
        print(f"'{name}' is in no list")
    for words, bad in (("every_point_is_reached_on_both_engines", missing), ("every_point_is_in_a_list", strange)):
        print(f"[{'  FAILED  ' if bad else '       OK '}] {words}")
    return 1 if missing or strange else 0


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.1f} s")
    sys.exit(code)
