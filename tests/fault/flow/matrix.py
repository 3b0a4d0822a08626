"""The matrix: one canonical upgrade and downgrade with real daemons, times every failpoint, times every process that
can be killed there. The process that is at the point stands still, somebody is killed with SIGKILL (the cluster with
`-m immediate`), everything is let go and started again, and then the oracle looks.

The killer that applies at a point is found, not listed: a run without faults notes at each hit who is there. The
process at the point is killed at each of its hits, everybody else at one.
"""
import collections
import os
import random
import sys
import threading
import time
import traceback

import hits
import oracle as oracles
import world as worlds
from cluster import Cluster

GOALS = ("up", "down")
KINDS = ("worker", "exec", "net", "droverd", "backend", "cluster")
CASES_PER_WORLD = 60  # the story of a rollout stays short
HITS_MAX = 12         # of one point in one leg, at which its own process is killed
LEGS_MAX = 120        # of one matrix in a run of all tests; DROVER_FAULT_LEGS=0 takes every one

Case = collections.namedtuple("Case", "goal point nth kind")


class Stage:
    """A world with its oracle; made anew after a failure."""

    def __init__(self, engine, cluster):
        self.engine, self.cluster, self.world, self.cases = engine, cluster, None, 0

    def open(self):
        self.close()
        self.cases = 0
        self.world = worlds.World(self.engine, self.cluster)
        self.world.make_trust()
        if not self.world.start_droverd() or not self.world.start_exec():
            raise worlds.Failed("the daemons do not start")
        self.world.make_chain()
        self.oracle = oracles.Oracle(self.world)
        for goal in GOALS:
            self.world.drive(goal)
            self.oracle.check(goal)

    def close(self):
        if self.world:
            self.world.close()
        self.world = None

    def refresh(self):
        if self.world is None or self.cases >= CASES_PER_WORLD:
            if self.world:
                self.oracle.story()
            self.open()
        self.cases += 1


def trace(stage):
    """One leg each way without faults: [goal][point] = (hits, who was there at the first)."""
    world, found = stage.world, {goal: {} for goal in GOALS}
    for goal in GOALS:
        seen, lock = found[goal], threading.Lock()

        def note(name, _pid, seen=seen, lock=lock):
            there = {kind for kind in KINDS if world.victims(kind)}
            with lock:
                count, before = seen.get(name, (0, set()))
                seen[name] = (count + 1, before or there)
        world.hits.on_hit = note
        world.drive(goal)
        stage.oracle.check(goal)
        world.hits.on_hit = None
    return found


def some_of(count, most):
    """At most `most` of the hits 1 to `count`, the first and the last among them."""
    if count <= most:
        return range(1, count + 1)
    return sorted({1 + i * (count - 1) // (most - 1) for i in range(most)})


def plan(points, found, kinds, most):
    """The cases, in pairs of up and down, so that each begins where the one before ended."""
    cases = {goal: [] for goal in GOALS}
    for goal in GOALS:
        for point in points:
            count, there = found[goal].get(point.name, (0, set()))
            mine = hits.owner(point)
            for kind in (k for k in kinds if k in there):
                if kind == mine:
                    cases[goal] += [Case(goal, point, nth, kind) for nth in some_of(count, most)]
                else:
                    cases[goal].append(Case(goal, point, count // 2 + 1, kind))
    return cases


def sample(cases, most, seed):
    """At most `most` of the cases, half of them upwards: each point once before any point twice, chosen by the seed."""
    chance = random.Random(seed)
    for goal in GOALS:
        left = collections.defaultdict(list)
        for case in chance.sample(cases[goal], len(cases[goal])):
            left[case.point.name].append(case)
        taken = []
        while left and len(taken) < most // len(GOALS):
            for name in chance.sample(sorted(left), len(left)):
                taken.append(left[name].pop())
                if not left[name]:
                    del left[name]
        taken = set(taken[:most // len(GOALS)])
        cases[goal] = [case for case in cases[goal] if case in taken]
    return cases


def choose(cases, legs):
    """All cases where they are few enough, else a sample; says which."""
    def count():
        return sum(map(len, cases.values()))
    total, most = count(), int(os.environ.get("DROVER_FAULT_LEGS") or legs)
    seed = int(os.environ.get("DROVER_FAULT_SEED") or random.SystemRandom().randrange(1 << 32))
    if 0 < most < total:
        cases = sample(cases, most, seed)
        tell(f"{count()} of {total} legs this time, seed {seed}: DROVER_FAULT_SEED={seed} takes the same, "
             "DROVER_FAULT_LEGS=0 takes all")
    else:
        tell(f"all {total} legs")
    return cases


def leg(stage, case):
    """One case. Gives what came of it: the kind of victim that was killed, or '-' when the point was not reached, and
    what the agent asked for."""
    world, said, failure = stage.world, [], []
    world.calm()

    def drive():
        try:
            said.extend(world.drive(case.goal))
        except Exception as error:  # told by the thread that waits
            failure.append(error)
    held = world.hits.arm(case.point.name, case.nth) if case else None
    person = threading.Thread(target=drive)
    person.start()
    result = "-"
    while held and person.is_alive() and not held.arrived.wait(0.01):
        pass
    if held and held.arrived.is_set():
        result = case.kind if world.kill(case.kind) else "none"
        held.gone_on.set()
        if result == case.kind:
            world.restart(case.kind)
    world.hits.disarm()
    person.join(worlds.PATIENCE_S + 30)
    if failure:
        raise failure[0]
    stage.oracle.check(case.goal)
    return result, said


def tell(words):
    print(words, flush=True)


class Report:
    """Prints cases as cmocka does, one for each goal and point, and the table at the end."""

    def __init__(self):
        self.rows, self.bad, self.waits = {}, 0, collections.Counter()

    def add(self, case, result, seconds):
        row = self.rows.setdefault((case.goal, case.point.name), collections.Counter())
        row[result] += 1
        if os.environ.get("DROVER_FAULT_VERBOSE"):
            tell(f"  {case.goal:4} {case.point.name}@{case.nth} {case.kind}: {result} {seconds:.2f} s")

    def failed(self, case, stage, error):
        self.bad += 1
        self.add(case, "FAILED", 0)
        tell(f"FAILED {case.goal} {case.point.name}@{case.nth}, kill {case.kind}: {error}")
        if not isinstance(error, worlds.Failed):
            traceback.print_exception(error)
        if stage.world:
            os.system(f"tail -n 12 {stage.world.folder}/log/alice {stage.world.folder}/log/drover*")

    def end(self):
        for (goal, name), row in sorted(self.rows.items()):
            word = "  FAILED  " if row["FAILED"] else "       OK "
            tell(f"[{word}] {goal}_{name.replace('-', '_')}")
            tell("    killed: " + ", ".join(f"{kind} {count}" for kind, count in sorted(row.items())))
        total = sum(sum(row.values()) for row in self.rows.values())
        reached = total - sum(row["-"] + row["none"] for row in self.rows.values())
        tell(f"{total} legs, {reached} with a kill, {self.bad} failed")
        for words, count in self.waits.most_common():
            tell(f"  the agent said {count} times that it has to be asked again: {words}")


def run(engine, kinds, only=None, most=HITS_MAX, legs=LEGS_MAX):
    """All cases of an engine with victims of these kinds. Gives the exit code."""
    cluster = Cluster() if engine == "postgresql" else None
    stage, report = Stage(engine, cluster), Report()
    try:
        stage.open()
        points = [p for p in hits.registered(worlds.SOURCE) if p.list != "rpc" and (not only or p.name in only)]
        cases = choose(plan(points, trace(stage), kinds, most), legs)
        for place in range(max(len(cases[goal]) for goal in GOALS)):
            for goal in GOALS:
                # The shorter list goes on without a fault, to where the longer one begins.
                case = cases[goal][place] if place < len(cases[goal]) else Case(goal, hits.Point("none", "", "", ""), 1, "")
                one(stage, case, report)
        stage.oracle.story()
    except Exception as error:
        report.bad += 1
        traceback.print_exception(error)
    finally:
        stage.close()
        if cluster:
            cluster.close()
    report.end()
    return 1 if report.bad or not report.rows else 0


def one(stage, case, report):
    began = time.monotonic()
    try:
        stage.refresh() if stage.world is None or case.goal == "up" else None
        result, said = leg(stage, case)
        report.waits.update(said)
        if case.kind:
            report.add(case, result, time.monotonic() - began)
    except Exception as error:
        report.failed(case, stage, error)
        stage.close()
        stage.open()
        if case.goal == "up":  # the next case goes down
            stage.world.drive("up")
            stage.oracle.check("up")


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2].split(","), sys.argv[3:]))
