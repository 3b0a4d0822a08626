"""A proxy for PostgreSQL's socket that counts round trips: how often a client speaks after it was answered.

Each answer is held for a moment, so that a client which does not wait for it is not counted as if it did.
"""
import pathlib
import select
import shutil
import socket
import tempfile
import threading
import time

HOLD_SECONDS = 0.001


class Proxy:
    """with Proxy(folder of the server's socket, its port) as proxy: proxy.folder is a host for clients; then proxy.trips."""

    def __init__(self, upstream, port):
        name = f".s.PGSQL.{port}"
        self.upstream = str(pathlib.Path(upstream) / name)
        self.folder = tempfile.mkdtemp(prefix="drover-proxy-")
        self.trips = self.connections = 0
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(pathlib.Path(self.folder) / name))
        self.listener.listen(64)

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        shutil.rmtree(self.folder)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.upstream)
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.carry, args=(client, server), daemon=True).start()

    def carry(self, client, server):
        trips, answered = 0, True
        try:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if client in ready:
                    data = client.recv(1 << 16)
                    # A lone Terminate asks for no answer.
                    if not data or data == b"X\0\0\0\4":
                        break
                    trips += answered
                    answered = False
                    server.sendall(data)
                    continue
                if not answered:
                    time.sleep(HOLD_SECONDS)
                    if select.select([client], [], [], 0)[0]:
                        continue
                data = server.recv(1 << 16)
                if not data:
                    break
                answered = True
                client.sendall(data)
        except OSError:
            pass
        client.close()
        server.close()
        with self.lock:
            self.trips += trips
