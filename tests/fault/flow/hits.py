"""Failpoints: the lists that the code must come from, and the socket that every process tells of its hits."""
import collections
import os
import re
import socket
import threading

LISTS = {
    "engine": "common/engine/failpoints.h",
    "agent": "agent/failpoints.h",
    "core": "coordinator/core/failpoints.h",
    "trust": "common/trust/failpoints.h",
    "rpc": "common/rpc/failpoints.h",
}
ROW = re.compile(r'^DR_([A-Z]+)_FAILPOINT\(\s*"([a-z-]+)",\s*\'([a-z])\',\s*"([^"]*)"\)', re.M)

Point = collections.namedtuple("Point", "name list letter where")


def registered(root):
    """All rows of all lists, in their order."""
    points = []
    for name, path in LISTS.items():
        with open(os.path.join(root, path), encoding="utf-8") as file:
            points += [Point(row[2], name, row[3], row[4]) for row in ROW.finditer(file.read())]
    return points


def owner(point):
    """The process that stands still at a point: worker, exec, net or droverd; None: more than one may."""
    if point.list == "engine":
        return "worker"
    if point.list == "agent":
        return {"e": "exec", "n": "net", "w": "worker"}[point.letter]
    return "droverd" if point.list == "core" else None


class Held:
    """A process that stands at a failpoint until it is let go, or killed."""

    def __init__(self, name, nth):
        self.name, self.nth = name, nth
        self.pid, self.seen = 0, 0
        self.arrived, self.gone_on = threading.Event(), threading.Event()


class Hits:
    """Listens for hits. `count` has how often each point was hit, `armed` the one that is held."""

    def __init__(self, path):
        self.path, self.count, self.armed, self.on_hit = path, collections.Counter(), None, None
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection:
            line = connection.recv(256).decode()
            if not line.endswith("\n"):
                return
            name, pid = line.split()
            if self.on_hit:
                self.on_hit(name, int(pid))
            with self.lock:
                self.count[name] += 1
                held = self.armed
                if held is None or held.name != name:
                    return
                held.seen += 1
                if held.seen != held.nth:
                    return
                held.pid = int(pid)
                self.armed = None
            held.arrived.set()
            held.gone_on.wait(120)

    def arm(self, name, nth=1):
        with self.lock:
            self.armed = Held(name, nth)
            return self.armed

    def disarm(self):
        with self.lock:
            held, self.armed = self.armed, None
        if held:
            held.gone_on.set()

    def close(self):
        self.disarm()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
