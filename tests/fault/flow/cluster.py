"""A private PostgreSQL cluster on a socket, which can be stopped in the middle of anything."""
import csv
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

BIN = os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin")
SETTINGS = {
    "listen_addresses": "", "fsync": "off", "max_connections": "40", "shared_buffers": "16MB", "autovacuum": "off",
    "logging_collector": "on", "log_destination": "csvlog", "log_directory": "logs", "log_statement": "all",
    "log_file_mode": "0644", "log_rotation_age": "0", "log_rotation_size": "0", "lc_messages": "C",
}


def server_user():
    """PostgreSQL refuses root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {}


class Cluster:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="drover-fault-pg.")
        user = server_user()
        if user:
            os.chown(self.folder, user["user"], user["group"])
        os.chmod(self.folder, 0o755)
        self.data, self.process, self.databases = os.path.join(self.folder, "data"), None, 0
        self.log = os.path.join(self.data, "logs")
        subprocess.run([BIN + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                        "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **user)
        self.start()
        self.sql("postgres", "CREATE ROLE drover LOGIN")

    def start(self):
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen(
            [BIN + "/postgres", "-D", self.data, "-c", "unix_socket_directories=" + self.folder, *options],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.folder + "/stderr", "ab"), **server_user())
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL does not start: " + open(self.folder + "/stderr").read()[-2000:])
            time.sleep(0.005)

    def is_ready(self):
        try:
            with open(self.data + "/postmaster.pid", encoding="utf-8") as file:
                lines = file.read().split("\n")
            return lines[0] == str(self.process.pid) and len(lines) > 7 and lines[7].strip() == "ready"
        except OSError:
            return False

    def stop(self, how=signal.SIGQUIT):
        """SIGQUIT is `-m immediate`."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, database, text, check=True):
        run = subprocess.run([BIN + "/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "postgres",
                              "-d", database, "-c", text], capture_output=True, text=True, timeout=60, check=False)
        if check and run.returncode != 0:
            raise RuntimeError(run.stderr)
        return run.stdout.strip() if run.returncode == 0 else None

    def ask(self, database, text):
        """As `sql`, and a server that comes back after a crash is waited for."""
        deadline = time.monotonic() + 60
        while True:
            answer = self.sql(database, text, check=False)
            if answer is not None:
                return answer
            if time.monotonic() > deadline:
                return self.sql(database, text)
            time.sleep(0.02)

    def new_database(self):
        self.databases += 1
        name = f"w{self.databases}"
        self.ask("postgres", f"CREATE DATABASE {name} OWNER drover")
        return name

    def url(self, database):
        return f"postgresql://drover@/{database}?host={self.folder}"

    def backends(self, database):
        """Server processes of the agent's sessions, by the title that they give themselves."""
        title, found = f"postgres: drover {database} ", []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    if file.read(200).startswith(title):
                        found.append(int(path.split("/")[2]))
            except OSError:
                pass
        return found

    def statements(self, since):
        """Rows of the server's log from `since` on, (file, offset) for each: (user, database, application, message),
        and where to go on."""
        rows, after = [], dict(since)
        for path in sorted(glob.glob(self.log + "/*.csv")):
            with open(path, newline="", encoding="utf-8", errors="replace") as file:
                file.seek(since.get(path, 0))
                text = file.read()
                whole = text.rfind("\n") + 1
                after[path] = since.get(path, 0) + len(text[:whole].encode("utf-8", errors="replace"))
            for row in csv.reader(text[:whole].splitlines(keepends=True)):
                if len(row) > 22:
                    rows.append((row[1], row[2], row[22], row[13]))
        return rows, after
