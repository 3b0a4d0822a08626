"""A small world for faults: one droverd, one agent with one target, one person, a canonical chain on one engine. All
of it lives in one temporary folder; every process can be killed and started again."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import hits

SOURCE, BUILD = os.environ["DROVER_SOURCE"], os.environ["DROVER_BUILD"]
TARGET, ENVIRONMENT, AGENT = "staging/w", "staging", "ag"
PATIENCE_S = 90
PREPARES_MAX = 10  # asked of one agent process; of more than 20 it lets the next wait for a minute

# Who ends the test from outside leaves no daemon behind.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

# Every unit writes a line, so that one that ran twice shows.
OUTSIDE = {
    "postgresql": ("CREATE INDEX CONCURRENTLY a_id ON a (id);", "DROP INDEX CONCURRENTLY a_id;"),
    "sqlite": ("VACUUM;", "VACUUM;"),
}
CHAIN = ("one", "two", "three", "four")
LINES = {"up": ["1", "2a", "2b", "4"], "down": None}
# (revision, unit) in the order in which they are done; units are numbered in the plan of a revision.
DONE = {
    "up": ["one", "two", "two", "three", "four"],
    "down": ["four", "three", "two", "one"],
}


def chain_files(engine):
    up, down = OUTSIDE[engine]
    bodies = {
        "one": "-- drover:up\nCREATE TABLE a (id integer);\nCREATE TABLE lines (unit text);\n"
               "INSERT INTO lines VALUES ('1');\n\n-- drover:down\nDROP TABLE lines;\nDROP TABLE a;\n",
        "two": "-- drover:up\nINSERT INTO lines VALUES ('2a');\n\n-- drover:up\nINSERT INTO lines VALUES ('2b');\n\n"
               "-- drover:verify \"three lines\"\nSELECT count(*) = 3 FROM lines;\n\n"
               "-- drover:down\nDELETE FROM lines WHERE unit IN ('2a', '2b');\n",
        "three": f"-- drover:up transaction=off\n{up}\n\n-- drover:down transaction=off\n{down}\n",
        "four": "-- drover:up\nINSERT INTO lines VALUES ('4');\n\n-- drover:down\nDELETE FROM lines WHERE unit = '4';\n",
    }
    parent = ""
    for name in CHAIN:
        header = (f"-- drover:revision 1\n-- Revision {name}\n--\n-- Revision ID: {name}\n-- Revises: {parent}\n"
                  f"-- Engine: {engine}\n-- Destructive: the way back drops rows\n-- Reversible: lossy, rows go\n\n")
        yield name, header + bodies[name]
        parent = name


class Failed(Exception):
    """What must not be; the case ends."""


class World:
    def __init__(self, engine, cluster=None, listens=True):
        self.engine, self.cluster = engine, cluster
        self.folder = tempfile.mkdtemp(prefix="drover-fault.")
        os.chmod(self.folder, 0o711)
        self.hits = hits.Hits(self.folder + "/hits") if listens else None
        self.droverd = self.exec = None
        self.agent_address = None  # where the agent dials, if not droverd itself
        self.cuts = self.prepares = 0
        for name in ("revisions", "log", "agents"):
            os.mkdir(os.path.join(self.folder, name))
        for name, text in chain_files(engine):
            with open(f"{self.folder}/revisions/{name}.sql", "w", encoding="utf-8") as file:
                file.write(text)
        if engine == "postgresql":
            self.database = cluster.new_database()
            self.url = cluster.url(self.database)
        else:
            self.database = self.folder + "/app.db"
            self.url = "sqlite:" + self.database
            subprocess.run(["sqlite3", self.database, "VACUUM"], check=True)

    # ------------------------------------------------------------------------------------- people

    def drover(self, *words, timeout=PATIENCE_S):
        """Runs drover as alice. Gives (exit code, output, words of the error)."""
        env = dict(os.environ, DROVER_PERSON="alice", DROVER_KEY=self.folder + "/keys/alice.key",
                   DROVER_TRANSPORT=self.folder + "/keys/alice.transport", DROVER_TRUST=self.folder + "/trust-alice")
        env.pop("DROVER_URL", None)
        run = subprocess.run([BUILD + "/drover", *words], cwd=self.folder, env=env, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=timeout, check=False)
        with open(self.folder + "/log/alice", "a", encoding="utf-8") as file:
            file.write(f"$ drover {' '.join(words)}\n{run.stdout[-3000:]}{run.stderr}({run.returncode})\n")
        return run.returncode, run.stdout, run.stderr

    def must(self, *words):
        code, out, err = self.drover(*words)
        if code != 0:
            raise Failed(f"'drover {' '.join(words)}' ended with {code}: {err or out}")
        return out

    def make_trust(self):
        """Keys, project, agent, signed root and fleet. Nothing runs yet."""
        self.must("key", "new", "alice", "--dir", "keys", "--no-passphrase", "--quiet")
        self.must("init", "--name", "w", "--people", "keys/alice.pub", "--environments", ENVIRONMENT, "--coordinator",
                  "tcp://127.0.0.1:0", "--quiet")
        home = f"{self.folder}/agents/{AGENT}"
        subprocess.run([BUILD + "/drover-agent", "key", "new", "--dir", home, "--name", AGENT], check=True,
                       stdout=subprocess.DEVNULL)
        kind = "sqlite" if self.engine == "sqlite" else "postgresql:" + self.database
        self.must("sign", "trust/root.1.drv")
        self.must("agent", "add", AGENT, "-e", ENVIRONMENT, "--public-key", home + "/agent.pub", "--target",
                  f"{TARGET}={kind}", "--quiet")
        fleet = max(glob.glob(self.folder + "/trust/fleet.*.drv"), key=lambda name: int(name.split(".")[-2]))
        self.must("sign", fleet)
        self.edit("droverd.conf", "fleet", os.path.relpath(fleet, self.folder))
        with open(self.folder + "/drover.conf", encoding="utf-8") as file:
            conf = file.read()
        values = dict(re.findall(r'^(\w+) = "(.*)"', conf, re.M))
        with open(home + "/agent.conf", "w", encoding="utf-8") as file:
            file.write(f'agent = "{AGENT}"\nenvironment = "{ENVIRONMENT}"\ncoordinator = "tcp://127.0.0.1:0"\n'
                       f'coordinator_key = "{values["coordinator_key"]}"\nroot = "{self.folder}/trust/root.1.drv"\n'
                       f'root_sha256 = "{values["root_sha256"]}"\nstate = "state"\nkey = "agent.key"\n'
                       f'transport_key = "agent.transport"\ntarget "{TARGET}" {{ url = "{self.url}" }}\n')

    def take_trust(self, other):
        """What `make_trust` made for another world."""
        shutil.copytree(other.folder, self.folder, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("hits", "log", "app.db*"))
        path = f"{self.folder}/agents/{AGENT}/agent.conf"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(other.folder, self.folder))

    def edit(self, name, key, value):
        path = os.path.join(self.folder, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(rf'^{key} = ".*"', f'{key} = "{value}"', text, flags=re.M))

    def make_chain(self):
        """Submitted and signed, however often it takes."""
        def is_signed():
            return "in the chain" in self.drover("approve", "chain", "--yes")[1]
        self.until(lambda: self.drover("submit", "--quiet")[0] == 0, "the revisions to be submitted")
        self.until(is_signed, "the chain to be signed")

    # ------------------------------------------------------------------------------------ daemons

    def start(self, kind, name, args):
        """Starts a daemon and gives the line that it says when it is ready, '' when it ended before."""
        read, write = os.pipe()
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        if self.hits:
            env["DROVER_FAILPOINT_SOCKET"] = self.hits.path
        with open(f"{self.folder}/log/{name}", "ab") as log:
            process = subprocess.Popen([f"{BUILD}/{name}", *args, "--ready-fd", str(write)], cwd=self.folder, env=env,
                                       pass_fds=(write,), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(write)
        setattr(self, kind, process)
        with os.fdopen(read) as pipe:
            return pipe.readline()

    def start_droverd(self):
        line = self.start("droverd", "droverd", ["--config", "droverd.conf"])
        if line.startswith("ready "):
            address = "tcp://127.0.0.1:" + line.split()[1]
            self.edit("droverd.conf", "listen", address)
            self.edit("drover.conf", "coordinator", address)
            self.edit(f"agents/{AGENT}/agent.conf", "coordinator", self.agent_address or address)
        return line != ""

    def start_exec(self):
        self.cuts = self.prepares = 0
        return self.start("exec", "drover-agent", ["--config", f"agents/{AGENT}/agent.conf"]) != ""

    def children(self, word):
        try:
            with open(f"/proc/{self.exec.pid}/task/{self.exec.pid}/children", encoding="utf-8") as file:
                pids = [int(pid) for pid in file.read().split()]
        except OSError:
            return []
        found = []
        for pid in pids:
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                    if file.read().split("\0")[2:3] == [word]:
                        found.append(pid)
            except OSError:
                pass
        return found

    def victims(self, kind):
        """Processes of a kind that are there now."""
        if kind in ("exec", "droverd"):
            process = getattr(self, kind)
            return [process.pid] if process and process.poll() is None else []
        if kind in ("worker", "net"):
            return self.children(kind)
        return self.cluster.backends(self.database) if self.engine == "postgresql" else []

    def kill(self, kind):
        """kill -9, or `-m immediate` for the cluster. False when nothing of that kind is there."""
        pids = self.victims(kind)
        if not pids:
            return False
        if kind == "cluster":
            self.cluster.stop()
            return True
        for pid in pids[:1] if kind == "backend" else pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if kind in ("exec", "droverd"):
            getattr(self, kind).wait(30)
        self.cuts += kind in ("net", "droverd")
        return True

    def restart(self, kind):
        """Starts what nobody else starts."""
        if kind == "cluster":
            self.cluster.start()
        elif kind == "droverd" and not self.start_droverd():
            raise Failed("droverd does not start again")
        elif kind == "exec" and not self.start_exec():
            raise Failed("the agent does not start again")

    def calm(self):
        """A fresh agent where the old one has come to wait: each cut within a few seconds makes it wait longer before it
        dials again, and of many PREPAREs the newest waits."""
        if self.cuts > 2 or self.prepares > PREPARES_MAX:
            self.kill("exec")
            self.restart("exec")

    # --------------------------------------------------------------------------------------- legs

    def until(self, condition, what, patience_s=PATIENCE_S):
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                raise Failed("waited in vain for " + what)
            time.sleep(0.02)

    def target_of(self, rollout):
        code, out, _ = self.drover("rollout", "show", rollout, "--output", "json")
        if code != 0:
            return None, None
        shown = json.loads(out)
        return shown["stages"][0], shown["stages"][0]["targets"][0]

    def begin_rollout(self, goal, revision):
        """`revision` None: to the head, or to the base."""
        words = ["upgrade", revision or "head"] if goal == "up" else ["downgrade", revision or "base"]
        words += [] if goal == "up" or revision else ["--confirm", "base"]
        self.prepares += 1
        code, out, err = self.drover(*words, "--yes", "--wait", "--timeout", "60s", "--output", "json")
        found = re.search(r'"id": "(R-\d+)"', out) or re.search(r"\b(R-\d+)\b", err)
        if code in (0, 8) and found:
            return found.group(1)
        code, out, _ = self.drover("rollout", "list", "--output", "json")
        if code == 0:
            for rollout in json.loads(out)["rollouts"]:
                if rollout["state"] not in ("applied", "reverted", "aborted"):
                    return rollout["id"]
        time.sleep(0.02)
        return None

    def drive(self, goal, revision=None, patience_s=PATIENCE_S, accepts=False):
        """What a person does until the target is where it shall be: asks for it, looks, signs, and asks again where
        the agent says that it has to be asked. Gives the words that the agent gave for each such time. With `accepts`
        this person signs over the flags of a READY too."""
        wanted = "applied" if goal == "up" else "reverted"
        deadline, rollout, said, signed = time.monotonic() + patience_s, None, [], None
        while time.monotonic() < deadline:
            rollout = rollout or self.begin_rollout(goal, revision)
            stage, target = self.target_of(rollout) if rollout else (None, None)
            if target is None:
                continue
            if target["state"] == wanted:
                return said
            if stage["state"] == "aborted":
                rollout = None
                continue
            if target["state"] in ("failed", "refused", "unready"):
                said.append(target["reason"])
                self.prepares += 1
                self.drover("rollout", "retry", rollout)
            elif target["state"] == "ready" and signed != target["ready_sha256"]:
                code, _, err = self.drover("approve", rollout, "-e", ENVIRONMENT, "--yes")
                flags = re.search(r"--ack (\S+)", err)
                if code != 0 and flags and accepts:
                    said.append("flags " + flags.group(1))
                    code = self.drover("approve", rollout, "-e", ENVIRONMENT, "--yes", "--ack", flags.group(1))[0]
                if code == 0:
                    signed = target["ready_sha256"]
            if target["state"] != "ready" or stage["approval_complete"] or signed == target["ready_sha256"]:
                self.drover("rollout", "watch", rollout, "--timeout", "20s")
        raise Failed(f"{goal}: {rollout} is not {wanted} after {patience_s} s: {target and target['state']}, "
                     f"{target and target['reason']}")

    def close(self):
        for process in (self.exec, self.droverd):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        if self.hits:
            self.hits.close()
        shutil.rmtree(self.folder, ignore_errors=True)
