#!/usr/bin/env python3
"""Measures drover, the floors and the peers on the same chains, in turn, and adds the rows to a JSON file.

migrate.py --programs BUILD --floors FOLDER --cache PEERS --socket FOLDER --port N --out FILE [--quick|--tiny]
BUILD holds drover, FOLDER the floors and timed, PEERS the npm packages; --socket is the folder of a private cluster
whose superuser is postgres. The role drover's password comes in DROVER_BENCH_PASSWORD. tests/bench/run calls it.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import chains
import peers
import proxy

MEASURES = ("wall", "cpu", "trips", "memory")
MARK = "-- answered --"
LIMIT_SECONDS = 300  # for one run of one tool


def job(name, engine, kind, action, **wanted):
    return {"name": name, "engine": engine, "kind": kind, "action": action, "wanted": wanted}


# wanted: wall, cpu and memory as (word, number): "times" the floor, "plus" ms, "below" MiB; trips: n + number.
JOBS = [
    job("apply 8 revisions", "postgresql", "realistic", "apply", wall=("plus", 40), cpu=("times", 4), trips=("plus n", 15), peers=True),
    job("apply 100 revisions", "postgresql", "small-100", "apply", wall=("times", 1.25), cpu=("times", 4), trips=("plus n", 15), peers=True),
    job("downgrade 100 revisions", "postgresql", "small-100", "down", wall=("times", 1.25), cpu=("times", 4), trips=("plus n", 15), peers=True),
    job("apply 1,000 revisions", "postgresql", "small-1000", "apply", wall=("times", 1.1), cpu=("times", 4), trips=("plus n", 15), peers=True),
    job("no-op upgrade, 1,000 applied", "postgresql", "small-1000", "noop", wall=("times", 1.3), memory=("below", 16), peers=True),
    job("current, 1,000 applied", "postgresql", "small-1000", "current", wall=("times", 1.3), memory=("below", 16), peers=True),
    job("current, 8 applied", "postgresql", "realistic", "current", wall=("times", 1.3), memory=("below", 16), peers=True),
    job("100 CREATEs, dear flush", "postgresql", "creates-100", "apply", wall=("faster", 3), peers=True, flush=True),
    job("one revision of 20 MB", "postgresql", "big-100000", "apply", wall=("times", 1.3), memory=("below", 64)),
    job("apply 8 revisions", "sqlite", "realistic", "apply", wall=("times", 1.3)),
    job("apply 100 revisions", "sqlite", "small-100", "apply", wall=("times", 1.3)),
    job("downgrade 100 revisions", "sqlite", "small-100", "down", wall=("times", 1.3)),
    job("apply 1,000 revisions", "sqlite", "small-1000", "apply", wall=("times", 1.3)),
    job("no-op upgrade, 1,000 applied", "sqlite", "small-1000", "noop", wall=("times", 1.3)),
    job("current, 1,000 applied", "sqlite", "small-1000", "current", wall=("times", 1.3)),
    job("current, 8 applied", "sqlite", "realistic", "current"),
    job("one revision of 20 MB", "sqlite", "big-100000", "apply", wall=("times", 1.3), memory=("below", 64)),
]
TINY = [
    job("apply 8 revisions", "postgresql", "realistic", "apply", wall=("plus", 40), cpu=("times", 4), trips=("plus n", 15), peers=True),
    job("downgrade 8 revisions", "postgresql", "realistic", "down", wall=("times", 1.25), trips=("plus n", 15)),
    job("no-op upgrade, 8 applied", "postgresql", "realistic", "noop", wall=("times", 1.3), memory=("below", 16)),
    job("8 CREATEs, dear flush", "postgresql", "creates-8", "apply", wall=("faster", 3), flush=True),
    job("apply 8 revisions", "sqlite", "realistic", "apply", wall=("times", 1.3)),
]
# Liquibase took 72 s and 5 GB for the big revision, dbmate's SQLite is quadratic in its size, sqitch runs psql.
NOT_BIG = ("liquibase", "dbmate-sqlite", "sqitch", "alembic-sqlite")
# They start a process per revision, or Java: not with --quick for long chains.
SLOW = ("sqitch", "liquibase", "psql -1")
OWN = ("floor", "floor, last flush only", "drover")  # measured in every round


class Broken(Exception):
    pass


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, pathlib.Path(work)
        self.password = os.environ.get("DROVER_BENCH_PASSWORD", "")
        self.session = None
        self.places = {}
        self.serial = 0
        self.old = []  # databases to drop
        self.applied = {}  # what a database holds: its engine and name to the kind of chain

    # --- databases

    def admin(self, sql):
        """Lines that the superuser's one session answers; a process for each question would cost more than the runs."""
        if self.session is None:
            words = ["psql", "-X", "-q", "-A", "-t", "-h", self.options.socket, "-U", "postgres", "-d", "postgres"]
            self.session = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.session.stdin.write(f"{sql};\n\\echo {MARK}\n")
        self.session.stdin.flush()
        lines = []
        for line in self.session.stdout:
            if line.strip() == MARK:
                break
            lines.append(line.strip())
        errors = [line for line in lines if line.startswith(("ERROR:", "FATAL:", "psql:"))]
        if errors:
            raise Broken("; ".join(errors))
        return [line for line in lines if not line.startswith("NOTICE:")]

    def dear_flush(self, is_dear):
        for setting in (f"commit_delay = {5000 if is_dear else 0}", f"commit_siblings = {0 if is_dear else 5}"):
            self.admin(f"ALTER SYSTEM SET {setting}")
        self.admin("SELECT pg_reload_conf()")

    def place(self, engine, tool):
        """Where the tool works now; one object for each tool and engine."""
        key = (engine, tool.name)
        if key not in self.places:
            name = "b_" + "".join(c if c.isalnum() else "_" for c in tool.name)
            host = str(self.work / f"{name}.db") if engine == "sqlite" else self.options.socket
            self.places[key] = peers.Place(engine, name, host, self.options.port, self.password)
        return self.places[key]

    def empty(self, place):
        """A new database. The old one goes at the job's end: DROP DATABASE makes a checkpoint, which takes seconds."""
        if place.engine == "sqlite":
            # sqitch keeps its registry in a file of its own beside the database.
            own = [*self.work.glob("sqitch.db*")] if place.name == "b_sqitch" else []
            for path in [*self.work.glob(f"{place.name}.db*"), *own]:
                path.unlink()
            return
        self.serial += 1
        self.old.append(place.name)
        place.name = f"{place.name.split('_no_')[0]}_no_{self.serial}"
        self.admin(f"CREATE DATABASE {place.name} OWNER drover")

    def sweep(self):
        for name in self.old:
            self.admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.old = []

    def tables(self, place):
        if place.engine == "sqlite":
            with sqlite3.connect(place.host) as db:
                return {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        words = ["psql", "-X", "-q", "-A", "-t", "-h", self.options.socket, "-U", "postgres", "-d", place.name]
        sql = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        return set(subprocess.run([*words, "-c", sql], capture_output=True, text=True, check=True).stdout.split())

    # --- runs

    def run(self, tool, action, place, kind):
        """One run: wall and cpu in ms, memory in MiB."""
        if action in ("apply", "down"):
            self.applied.pop((place.engine, place.name), None)
        folder = self.chain(kind, place.engine, tool)
        result, log = self.work / "timed", self.work / "log"
        words = tool.command(action, place, self.count(kind))
        with open(log, "wb") as out:
            environment = os.environ | {"npm_config_update_notifier": "false"} | tool.environment(place)
            subprocess.run(
                [str(pathlib.Path(self.options.floors) / "timed"), str(result), *words],
                cwd=folder, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment, timeout=LIMIT_SECONDS, check=True,
            )
        wall, user, system, memory, status = map(int, result.read_text().split())
        if status != 0:
            tail = log.read_bytes()[-600:].decode(errors="replace")
            raise Broken(f"{tool.name} {action} {kind} on {place.engine} ended with {status}: {tail}")
        if action == "apply":
            self.applied[(place.engine, place.name)] = kind
        return {"wall": wall / 1000, "cpu": (user + system) / 1000, "memory": memory / 1024}

    def count(self, kind):
        return {"realistic": 8, "big": 1}.get(kind.split("-")[0]) or int(kind.split("-")[1])

    def chain(self, kind, engine, tool):
        top = self.work / "chains" / f"{kind}-{engine}"
        folder = top / tool.folder
        if not folder.exists():
            folder.mkdir(parents=True)
            tool.write(folder, chains.revisions(kind, engine), engine)
        return folder

    def prepare(self, job, tool, place):
        """Brings the database to where the action starts."""
        if job["action"] == "apply":
            self.empty(place)
        elif job["action"] == "down" or self.applied.get((place.engine, place.name)) != job["kind"]:
            self.empty(place)
            self.run(tool, "apply", place, job["kind"])
        self.calm(place)

    def calm(self, place):
        """Waits until the server has ended the sessions of the run before: their locks are theirs until then."""
        for _ in range(200):
            if place.engine == "sqlite" or not self.admin(f"SELECT pid FROM pg_stat_activity WHERE datname = '{place.name}'"):
                return
            time.sleep(0.02)

    def check(self, job, tool, place, made):
        """A tool that did other work than the floor is not compared with it."""
        here = self.tables(place)
        if tool.name == "floor":
            return {name for name in here if "floor_version" not in name}
        left = made & here if job["action"] == "down" else made - here
        if made is not None and left:
            raise Broken(f"{tool.name} did not do the same work: {sorted(left)[:3]}")
        return made

    def trial(self, job, tool, place):
        """A run that is not counted: it warms up, and a proxy counts its round trips (None: it cannot)."""
        self.prepare(job, tool, place)
        if place.engine != "postgresql" or tool.name == "liquibase" or job["kind"].startswith("big"):
            self.run(tool, job["action"], place, job["kind"])
            return None
        with proxy.Proxy(self.options.socket, self.options.port) as between:
            self.run(tool, job["action"], dataclasses.replace(place, host=between.folder), job["kind"])
            time.sleep(0.05)
            return between.trips

    def warm_up(self, job, tool, place):
        # A client that the machine stops between two sends is counted too high: the lower of two counts is right.
        counts = [self.trial(job, tool, place) for _ in range(2 if tool.name in OWN else 1)]
        return None if counts[0] is None else min(counts)

    # --- a job

    def tools(self, job):
        programs, floors, cache = self.options.programs, self.options.floors, self.options.cache
        chosen = [peers.Floor(programs=floors), peers.Drover(programs=programs)]
        if job["wanted"].get("flush"):
            chosen.append(peers.Floor(programs=floors, late=True))
        if self.options.tiny:
            return chosen
        others = [peer(cache) for peer in peers.PEERS]
        if self.options.quick:
            others = [tool for tool in others if tool.name in ("alembic", "dbmate", "psql -1")]
        if job["wanted"].get("flush"):
            others += [peers.Alembic(cache, each=True), peers.NodePgMigrate(cache, each=True)]
        return chosen + others

    def usable(self, job, tool):
        if job["engine"] not in tool.engines:
            return "has no such engine"
        if job["kind"].startswith("big") and (tool.name in NOT_BIG or f"{tool.name}-{job['engine']}" in NOT_BIG):
            return "not run"
        if self.options.quick and "1000" in job["kind"] and tool.name in SLOW:
            return "not run"
        if tool.missing():
            return tool.missing()
        if tool.command(job["action"], self.place(job["engine"], tool), 1) is None:
            return "has no such action"
        return None

    def has_enough(self, job, tool, entry, seconds):
        """Whether a peer sits out the rest of a job: its budget is spent and it has run often enough for a median."""
        is_slow = tool.name in SLOW or (tool.name == "dbmate" and job["action"] == "down")  # it goes down one step a process
        least = min(self.options.least, 2) if is_slow else self.options.least
        return seconds > self.options.budget and len(entry["runs"]) >= least

    def measure(self, job):
        """All runs of a job, in rounds of one run of each tool."""
        tools = self.tools(job)
        row = {key: job[key] for key in ("name", "engine", "kind", "action", "wanted")}
        row["count"], row["tools"] = self.count(job["kind"]), {}
        for tool in tools:
            why = self.usable(job, tool)
            row["tools"][tool.name] = {"why": why} if why else {"runs": [], "rounds": []}
        if job["wanted"].get("flush"):
            self.dear_flush(True)
        spent = dict.fromkeys(row["tools"], 0.0)
        made = None
        for round_number in range(-1, self.options.pairs):
            for tool in tools:
                entry = row["tools"][tool.name]
                is_peer = tool.name not in OWN
                if "why" in entry or (is_peer and self.has_enough(job, tool, entry, spent[tool.name])):
                    continue
                began = time.monotonic()
                try:
                    place = self.place(job["engine"], tool)
                    if round_number == -1 and tool.name in SLOW and ("1000" in job["kind"] or job["action"] == "down"):
                        continue  # half a minute for a warm-up is too dear
                    if round_number == -1:
                        entry["trips"] = self.warm_up(job, tool, place)
                        made = self.check(job, tool, place, made)
                    else:
                        self.prepare(job, tool, place)
                        entry["runs"].append(self.run(tool, job["action"], place, job["kind"]))
                        entry["rounds"].append(round_number)
                except (Broken, subprocess.SubprocessError) as error:
                    print(f"bench: {error}", file=sys.stderr)
                    row["tools"][tool.name] = {"why": "failed"}
                spent[tool.name] += time.monotonic() - began
        if job["wanted"].get("flush"):
            self.dear_flush(False)
        self.sweep()
        return summarize(row)


def summarize(row):
    floor = row["tools"]["floor"]
    if "why" in floor:
        return row
    by_round = dict(zip(floor["rounds"], floor["runs"]))
    drover = row["tools"]["drover"]
    own = dict(zip(drover.get("rounds", []), drover.get("runs", [])))
    for entry in row["tools"].values():
        if "why" in entry:
            continue
        pairs = [(by_round[r], run) for r, run in zip(entry["rounds"], entry["runs"]) if r in by_round]
        rivals = [(own[r], run) for r, run in zip(entry["rounds"], entry["runs"]) if r in own]
        for key in ("wall", "cpu", "memory"):
            entry[key] = round(statistics.median(run[key] for run in entry["runs"]), 3)
            entry[key + " ratio"] = round(statistics.median(run[key] / max(base[key], 0.001) for base, run in pairs), 3)
            if rivals:
                entry[key + " of drover's"] = round(statistics.median(run[key] / max(base[key], 0.001) for base, run in rivals), 3)
        # The pair's difference, for a bound in ms.
        entry["wall difference"] = round(statistics.median(run["wall"] - base["wall"] for base, run in pairs), 3)
        if entry.get("trips") and floor.get("trips"):
            entry["trips ratio"] = round(entry["trips"] / floor["trips"], 3)
        entry["pairs"] = len(pairs)
        del entry["rounds"]
        entry["runs"] = [{k: round(v, 2) for k, v in run.items()} for run in entry["runs"]]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("programs", "floors", "cache", "socket", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--only", help="jobs whose name has this text")
    parser.add_argument("--pairs", type=int, help="rounds of each job")
    parser.add_argument("--budget", type=float, help="seconds after which a peer sits out a job's other rounds")
    parser.add_argument("--least", type=int, help="rounds that each peer runs all the same")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    pairs, budget, least = (1, 1, 1) if options.tiny else (5, 4, 3) if options.quick else (15, 10, 5)
    options.pairs, options.budget, options.least = options.pairs or pairs, options.budget or budget, options.least or least
    # The port names the socket, too; every client looks here for what its address leaves out.
    os.environ["PGPORT"] = str(options.port)
    # Debian's psql is a wrapper in Perl that takes longer than psql.
    os.environ["PATH"] = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin") + os.pathsep + os.environ["PATH"]
    work = tempfile.mkdtemp(prefix="drover-bench-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    try:
        bench = Bench(options, work)
        for job in TINY if options.tiny else JOBS:
            if options.only and options.only not in f"{job['engine']}: {job['name']}":
                continue
            print(f"bench: {job['engine']}: {job['name']}", file=sys.stderr, flush=True)
            rows.append(bench.measure(job))
            pathlib.Path(options.out).write_text(json.dumps({"rows": rows}, indent=1) + "\n")
        bench.old += [place.name for place in bench.places.values() if place.engine == "postgresql"]
        bench.sweep()
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
