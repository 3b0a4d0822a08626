"""A soak: a random but seeded sequence of actions against a small model of what must be true. After each leg
everything runs again, and the oracle compares the target with the model. On a violation the seed and the steps are
printed.

soak.py ENGINE SECONDS SEED
"""
import os
import random
import signal
import sys
import threading
import time
import traceback

import hits
import oracle as oracles
import world as worlds
from cluster import Cluster
from relay import Relay

LEGS_PER_WORLD = 40
REVISIONS_MAX = 12


class Model:
    """What must be true: how many revisions the chain has, and at which of them the target is (0: none)."""

    def __init__(self, engine):
        self.engine, self.chain, self.at = engine, 0, 0
        self.outside = {}  # number -> is outside of a transaction

    @staticmethod
    def name(number):
        return f"r{number:02}"

    def lines(self):
        return [f"{n:02}" for n in range(1, self.at + 1) if not self.outside[n]] if self.at else None

    def heads(self):
        return [self.name(self.at)] if self.at else []

    def path(self, to):
        """Revisions whose units a leg does, in order: every revision has one unit each way."""
        numbers = range(self.at + 1, to + 1) if to > self.at else range(self.at, to, -1)
        return [self.name(n) for n in numbers]

    def text(self, number):
        parent = self.name(number - 1) if number > 1 else ""
        header = (f"-- drover:revision 1\n-- Revision {number}\n--\n-- Revision ID: {self.name(number)}\n"
                  f"-- Revises: {parent}\n-- Engine: {self.engine}\n-- Destructive: the way back drops rows\n"
                  f"-- Reversible: lossy, rows go\n\n")
        if self.outside[number]:
            up = f"CREATE INDEX CONCURRENTLY i{number} ON lines (unit);" if self.engine == "postgresql" else "VACUUM;"
            down = f"DROP INDEX CONCURRENTLY i{number};" if self.engine == "postgresql" else "VACUUM;"
            return header + f"-- drover:up transaction=off\n{up}\n\n-- drover:down transaction=off\n{down}\n"
        first = number == 1
        up = "CREATE TABLE lines (unit text);\n" if first else f"CREATE TABLE t{number} (id integer);\n"
        down = "DROP TABLE lines;\n" if first else f"DELETE FROM lines WHERE unit = '{number:02}';\nDROP TABLE t{number};\n"
        return header + f"-- drover:up\n{up}INSERT INTO lines VALUES ('{number:02}');\n\n-- drover:down\n{down}"


class Soak:
    def __init__(self, engine, seed, cluster):
        self.engine, self.cluster, self.random, self.steps = engine, cluster, random.Random(f"{engine} {seed}"), []
        self.points = [p.name for p in hits.registered(worlds.SOURCE) if p.list != "rpc"]
        self.world = self.relay = None
        self.legs = self.kills = 0

    def step(self, words):
        self.steps.append(words)
        if os.environ.get("DROVER_FAULT_VERBOSE"):
            print("  " + words, flush=True)

    # ------------------------------------------------------------------------------------ a world

    def open(self):
        self.close()
        self.steps = ["a new world"]
        self.world, self.model = worlds.World(self.engine, self.cluster), Model(self.engine)
        for name in os.listdir(self.world.folder + "/revisions"):
            os.remove(f"{self.world.folder}/revisions/{name}")
        self.world.make_trust()
        self.world.until(self.world.start_droverd, "droverd to start")
        with open(self.world.folder + "/droverd.conf", encoding="utf-8") as file:
            port = int(file.read().split('listen = "tcp://127.0.0.1:')[1].split('"')[0])
        self.relay = Relay(port)
        self.world.edit(f"agents/{worlds.AGENT}/agent.conf", "coordinator", f"tcp://127.0.0.1:{self.relay.port}")
        self.world.agent_address = f"tcp://127.0.0.1:{self.relay.port}"
        self.world.until(self.world.start_exec, "the agent to start")
        self.oracle = oracles.Oracle(self.world)
        self.oracle.approved = oracles.approved.Approved([])

    def close(self):
        if self.relay:
            self.relay.close()
        if self.world:
            self.world.close()
        self.world = self.relay = None

    # ----------------------------------------------------------------------------------- actions

    def submit(self):
        """One to three new revisions, submitted and signed."""
        for _ in range(self.random.randint(1, 3)):
            number = self.model.chain = self.model.chain + 1
            self.model.outside[number] = number > 1 and self.random.random() < 0.3
            text = self.model.text(number)
            with open(f"{self.world.folder}/revisions/{self.model.name(number)}.sql", "w", encoding="utf-8") as file:
                file.write(text)
            self.oracle.approved.text.append(oracles.approved.plain(text))
        self.step(f"submit and sign up to {self.model.name(self.model.chain)}")
        return self.world.make_chain

    def leg(self):
        """Up or down to another revision."""
        to = self.random.choice([n for n in range(self.model.chain + 1) if n != self.model.at])
        goal = "up" if to > self.model.at else "down"
        self.step(f"{goal} from {self.model.at} to {to}")
        revision = self.model.name(to) if to else None
        return lambda: self.world.drive(goal, revision, accepts=True), to

    def disturb(self, is_over):
        """One disturbance while people are at work."""
        what = self.random.choice(["kill", "kill", "point", "point", "cut", "stop", "term", "pause"])
        kinds = ["worker", "exec", "net", "droverd"] + (["backend", "cluster"] if self.cluster else [])
        kind, delay = self.random.choice(kinds), self.random.random() * 0.5
        point, nth = self.random.choice(self.points), self.random.randint(1, 6)
        if what == "point":
            self.step(f"kill {kind} at {point}@{nth}")
            held = self.world.hits.arm(point, nth)
            while not is_over() and not held.arrived.wait(0.01):
                pass
            if held.arrived.is_set():
                self.kill(kind)
            self.world.hits.disarm()
            held.gone_on.set()
            self.revive()
            return
        time.sleep(delay)
        if what == "kill":
            self.step(f"kill {kind} after {delay:.2f} s")
            self.kill(kind)
        elif what == "cut":
            self.step(f"cut the agent's connection after {delay:.2f} s")
            self.relay.cut()
        elif what == "stop":
            self.step(f"hold {kind} for {delay:.2f} s")
            self.hold(kind, delay)
        elif what == "term":
            kind = self.random.choice(["exec", "droverd"])
            self.step(f"end {kind} gently after {delay:.2f} s")
            for pid in self.world.victims(kind):
                os.kill(pid, signal.SIGTERM)
                getattr(self.world, kind).wait(90)
        else:
            self.step(f"pause and resume what is open after {delay:.2f} s")
            self.pause()
        self.revive()

    def kill(self, kind):
        self.kills += self.world.kill(kind)

    def revive(self):
        """Starts what is down."""
        if self.cluster and self.cluster.process.poll() is not None:
            self.cluster.start()
        for kind in ("droverd", "exec"):
            if not self.world.victims(kind):
                self.world.restart(kind)

    def hold(self, kind, seconds):
        if kind in ("backend", "cluster"):
            return
        pids = self.world.victims(kind)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            time.sleep(seconds if number == signal.SIGSTOP else 0)

    def pause(self):
        for word in ("pause", "resume"):
            for number in range(self.legs + 1, self.legs + 3):
                self.world.drover("rollout", word, f"R-{number}")

    # -------------------------------------------------------------------------------------- turn

    def people(self, act):
        """People at work, disturbed up to three times."""
        failure = []

        def work():
            try:
                act()
            except Exception as error:  # told by the thread that waits
                failure.append(error)
        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(self.random.randint(0, 3)):
            self.disturb(lambda: not thread.is_alive())
        thread.join(worlds.PATIENCE_S * 3)
        if failure:
            raise failure[0]
        if thread.is_alive():
            raise worlds.Failed("people still wait")

    def turn(self):
        if self.world is None or self.legs >= LEGS_PER_WORLD or self.model.chain > REVISIONS_MAX:
            if self.world:
                self.oracle.story()
            self.legs = 0
            self.open()
        if self.model.chain == 0 or self.random.random() < 0.15:
            self.people(self.submit())
            return
        self.world.calm()
        act, to = self.leg()
        done = self.model.path(to)
        self.people(act)
        self.legs += 1
        self.model.at = to
        self.oracle.compare(to, self.model.lines(), self.model.heads(), done)


def run(engine, seconds, seed):
    cluster = Cluster() if engine == "postgresql" else None
    soak, end, turns = Soak(engine, seed, cluster), time.monotonic() + seconds, 0
    try:
        while time.monotonic() < end:
            soak.turn()
            turns += 1
        soak.oracle.story()
        print(f"[       OK ] soak_{engine}\n    {turns} turns, {soak.kills} kills, seed {seed}", flush=True)
        return 0
    except Exception as error:
        print(f"[  FAILED  ] soak_{engine}\nviolated with seed {seed} on {engine}, turn {turns + 1}: {error}")
        if not isinstance(error, worlds.Failed):
            traceback.print_exception(error)
        print("the steps in this world:\n" + "\n".join(f"  {n:3} {words}" for n, words in enumerate(soak.steps, 1)))
        if soak.world:
            sys.stdout.flush()
            os.system(f"tail -n 25 {soak.world.folder}/log/alice {soak.world.folder}/log/drover*")
        return 1
    finally:
        soak.close()
        if cluster:
            cluster.close()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
