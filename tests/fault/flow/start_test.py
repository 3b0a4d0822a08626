#!/usr/bin/env python3
"""The beginning of a world, on SQLite: droverd and the agent start for the first time, revisions are submitted and
signed, files are fetched, an upgrade runs. Whoever stands at a point is killed there, at every hit; the people go on
as they would, and so do the daemons."""
# id: C01 C03 P6
import os
import signal
import sys
import threading
import time
import traceback

import hits
import oracle as oracles
import world as worlds

LISTS = ("core", "trust", "agent")
# Hits of these in a rollout are the matrix's; here those of the beginning.
HITS_MAX = {"core-commit": 8, "core-committed": 8, "core-replied": 5}
HITS_DEFAULT = 2
SKIPPED = ("agent-worker-", "agent-net-", "agent-state-", "agent-run-", "agent-reported", "agent-attested",
           "agent-stop-", "core-pushed")


def begin(world, after_start):
    """Until the target is at the head; every step as often as it takes."""
    for kind, start in (("droverd", world.start_droverd), ("exec", world.start_exec)):
        world.until(start, kind + " to start")
        after_start.add(kind)
    world.make_chain()
    world.drive("up")


def case(template, name, nth):
    """False when the point has no such hit."""
    world = worlds.World("sqlite")
    try:
        world.take_trust(template)
        held, started, failure = world.hits.arm(name, nth), set(), []

        def people():
            try:
                begin(world, started)
            except Exception as error:  # told by the thread that waits
                failure.append(error)
        thread = threading.Thread(target=people)
        thread.start()
        while thread.is_alive() and not held.arrived.wait(0.01):
            pass
        if held.arrived.is_set():
            kind = next((k for k in ("droverd", "exec") if held.pid in world.victims(k)), None)
            os.kill(held.pid, signal.SIGKILL)
            held.gone_on.set()
            if kind in started:
                getattr(world, kind).wait(30)
                world.restart(kind)
        thread.join(worlds.PATIENCE_S + 60)
        world.hits.disarm()
        if failure:
            raise failure[0]
        oracles.Oracle(world).check("up")
        world.must("log", "--verify", "--quiet")
        return held.arrived.is_set()
    except Exception:
        os.system(f"tail -n 12 {world.folder}/log/*")
        raise
    finally:
        world.close()


def main():
    template, bad, total = worlds.World("sqlite", listens=False), 0, 0
    began = time.monotonic()
    try:
        template.make_trust()
        for point in hits.registered(worlds.SOURCE):
            if point.list not in LISTS or point.name.startswith(SKIPPED):
                continue
            kills, words = 0, "       OK "
            try:
                for nth in range(1, HITS_MAX.get(point.name, HITS_DEFAULT) + 1):
                    kills += case(template, point.name, nth)
                if kills == 0:
                    raise worlds.Failed(f"{point.name} was never reached")
            except Exception as error:
                traceback.print_exception(error)
                words, bad = "  FAILED  ", bad + 1
            total += kills
            print(f"[{words}] start_{point.name.replace('-', '_')}\n    killed {kills} times", flush=True)
    finally:
        template.close()
    print(f"{total} kills, {bad} failed, {time.monotonic() - began:.0f} s")
    return 1 if bad or not total else 0


sys.exit(main())
