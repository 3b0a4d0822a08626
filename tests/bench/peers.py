"""The tools that the bench runs: what each wants written to disk, and the command for each action.

A command is a list of words or None where the tool has no such action. place is a Place: where the database is.
"""
import dataclasses
import hashlib
import pathlib
import shutil
import sys

TIME = "2026-01-01T00:00:00Z"


@dataclasses.dataclass
class Place:
    """A database: engine, name, and for PostgreSQL the socket's folder, for SQLite the file."""

    engine: str
    name: str
    host: str
    port: int = 0
    password: str = ""

    @property
    def url(self):
        return f"postgresql://drover@/{self.name}?host={self.host}" if self.engine == "postgresql" else f"sqlite:{self.host}"


def body(statements):
    return "".join(s + ";\n" for s in statements)


# --- rendering; the chain is a list of (name, up statements, down statements)


def write_plain(folder, chain, engine):
    for name, up, down in chain:
        (folder / f"{name}.up.sql").write_text(body(up))
        (folder / f"{name}.down.sql").write_text(body(down))


def write_drover(folder, chain, engine):
    (folder / "revisions").mkdir()
    (folder / "drover.conf").write_text('project = "bench"\n')
    parent = ""
    for name, up, down in chain:
        identity = "r" + name[:4]
        (folder / "revisions" / f"{name}.sql").write_text(
            f"-- drover:revision 1\n-- {name[5:]}\n--\n-- Revision ID: {identity}\n-- Revises:{parent}\n"
            f"-- Engine: {engine}\n-- Reversible: yes\n\n-- drover:up\n{body(up)}\n-- drover:down\n{body(down)}"
        )
        parent = f" {identity}"


ALEMBIC_ENV = """import os
from alembic import context
from sqlalchemy import create_engine, pool
engine = create_engine(os.environ["BENCH_URL"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration="BENCH_EACH" in os.environ)
    with context.begin_transaction():
        context.run_migrations()
"""


def write_alembic(folder, chain, engine):
    (folder / "scripts" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text("[alembic]\nscript_location = scripts\n")
    (folder / "scripts" / "env.py").write_text(ALEMBIC_ENV)

    def calls(statements):
        # One call of the driver for all statements is the fastest that PostgreSQL's allows; SQLite's takes one each.
        texts = [body(statements)] if engine == "postgresql" else statements
        return "".join(f"    run({text!r})\n" for text in texts)

    parent = None
    for name, up, down in chain:
        (folder / "scripts" / "versions" / f"{name}.py").write_text(
            f"from alembic import op\n\nrevision = {name[:4]!r}\ndown_revision = {parent!r}\n\n\n"
            f"def run(text):\n    op.get_bind().exec_driver_sql(text)\n\n\n"
            f"def upgrade():\n{calls(up)}\n\ndef downgrade():\n{calls(down)}"
        )
        parent = name[:4]


def write_sqitch(folder, chain, engine):
    kind = "pg" if engine == "postgresql" else "sqlite"
    (folder / "deploy").mkdir()
    (folder / "revert").mkdir()
    (folder / "sqitch.conf").write_text(f"[core]\n\tengine = {kind}\n")
    plan, parent = ["%syntax-version=1.0.0", "%project=bench", ""], ""
    for name, up, down in chain:
        (folder / "deploy" / f"{name}.sql").write_text(f"BEGIN;\n{body(up)}COMMIT;\n")
        (folder / "revert" / f"{name}.sql").write_text(f"BEGIN;\n{body(down)}COMMIT;\n")
        plan.append(f"{name} {parent}{TIME} Alice <alice@example.com> # {name}")
        parent = f"[{name}] "
    (folder / "sqitch.plan").write_text("\n".join(plan) + "\n")


def write_dbmate(folder, chain, engine):
    for name, up, down in chain:
        (folder / f"20260101{int(name[:4]):06d}_{name[5:]}.sql").write_text(
            f"-- migrate:up\n{body(up)}\n-- migrate:down\n{body(down)}"
        )


def write_node_pg_migrate(folder, chain, engine):
    for name, up, down in chain:
        (folder / f"{1767225600000 + int(name[:4])}_{name[5:]}.sql").write_text(
            f"-- Up Migration\n{body(up)}\n-- Down Migration\n{body(down)}"
        )


def write_graphile_migrate(folder, chain, engine):
    (folder / "migrations" / "committed").mkdir(parents=True)
    (folder / ".gmrc").write_text("{}\n")
    (folder / "migrations" / "current.sql").write_text("")
    previous = ""
    for name, up, _ in chain:
        text = body(up).strip()
        digest = "sha1:" + hashlib.sha1(((previous + "\n" + text).strip() + "\n").encode()).hexdigest()
        (folder / "migrations" / "committed" / f"{int(name[:4]):06d}.sql").write_text(
            f"--! Previous: {previous or '-'}\n--! Hash: {digest}\n\n{text}\n"
        )
        previous = digest


def write_liquibase(folder, chain, engine):
    parts = ["--liquibase formatted sql\n"]
    for name, up, down in chain:
        rollback = "".join(f"--rollback {line}\n" for line in body(down).splitlines())
        parts.append(f"\n--changeset bench:{name} splitStatements:{str(engine == 'sqlite').lower()}\n{body(up)}{rollback}")
    (folder / "changes.sql").write_text("".join(parts))


# --- running


class Tool:
    name = ""
    write = staticmethod(write_plain)
    engines = ("postgresql", "sqlite")
    each = False  # a transaction per revision is this tool's default

    def __init__(self, cache=None, programs=None):
        self.cache = pathlib.Path(cache or ".")
        self.programs = pathlib.Path(programs or ".")

    @property
    def folder(self):
        return self.write.__name__[len("write_") :]

    def missing(self):
        """Why the tool cannot be run, or None."""
        return None

    def environment(self, place):
        return {}

    def command(self, action, place, count):
        raise NotImplementedError


class Floor(Tool):
    name = "floor"

    def __init__(self, cache=None, programs=None, late=False):
        super().__init__(cache, programs)
        self.late = late
        if late:
            self.name = "floor, last flush only"

    def command(self, action, place, count):
        mode = {"apply": "apply", "down": "down"}.get(action, "status")
        if place.engine == "sqlite":
            return [str(self.programs / "floor_sqlite"), mode, place.host, "."]
        return [str(self.programs / "floor_pg"), mode, place.url, "."] + (["--late-flush"] if self.late else [])


class Drover(Tool):
    name = "drover"
    write = staticmethod(write_drover)

    def command(self, action, place, count):
        words = {
            "apply": ["upgrade", "head", "--quiet"],
            "noop": ["upgrade", "head", "--quiet"],
            "current": ["current"],
            "down": ["downgrade", "base", "--yes", "--quiet", "--confirm", place.name if place.engine == "postgresql" else pathlib.Path(place.host).name],
        }[action]
        return [str(self.programs / "drover"), *words, "--url", place.url]


class Alembic(Tool):
    name = "alembic"
    write = staticmethod(write_alembic)

    def __init__(self, cache=None, programs=None, each=False):
        super().__init__(cache, programs)
        self.each = each
        if each:
            self.name = "alembic, each its transaction"

    def missing(self):
        return None if shutil.which("alembic") else "not installed"

    def environment(self, place):
        url = place.url.replace("postgresql://", "postgresql+psycopg2://")
        values = {"BENCH_URL": url if place.engine == "postgresql" else f"sqlite:///{place.host}"}
        return values | {"BENCH_EACH": "1"} if self.each else values

    def command(self, action, place, count):
        return ["alembic", *{"down": ["downgrade", "base"], "current": ["current"]}.get(action, ["upgrade", "head"])]


class Sqitch(Tool):
    name = "sqitch"
    write = staticmethod(write_sqitch)

    def missing(self):
        return None if shutil.which("sqitch") else "not installed"

    def environment(self, place):
        own = {"SQITCH_FULLNAME": "Alice", "SQITCH_EMAIL": "alice@example.com", "SQITCH_USER_CONFIG": "none", "SQITCH_SYSTEM_CONFIG": "none"}
        return own | ({"PGHOST": place.host, "PGUSER": "drover"} if place.engine == "postgresql" else {})

    def command(self, action, place, count):
        target = f"db:pg:{place.name}" if place.engine == "postgresql" else f"db:sqlite:{place.host}"
        return ["sqitch", *{"down": ["revert", "-y"], "current": ["status"]}.get(action, ["deploy"]), target]


class Dbmate(Tool):
    name = "dbmate"
    write = staticmethod(write_dbmate)

    @property
    def program(self):
        found = sorted(self.cache.glob("node_modules/@dbmate/*/bin/dbmate"))
        return str(found[0]) if found else ""

    def missing(self):
        return None if self.program else "not installed"

    def environment(self, place):
        url = f"postgres://drover@/{place.name}?host={place.host}&sslmode=disable"
        return {"DATABASE_URL": url if place.engine == "postgresql" else f"sqlite:{place.host}"}

    def command(self, action, place, count):
        words = [self.program, "--no-dump-schema", "--migrations-dir", "."]
        if action == "down":
            return ["sh", "-c", 'n=$1; shift; while [ "$n" -gt 0 ]; do "$@" rollback || exit; n=$((n - 1)); done', "sh", str(count), *words]
        return words + ["status" if action == "current" else "migrate"]


class NodePgMigrate(Tool):
    name = "node-pg-migrate"
    write = staticmethod(write_node_pg_migrate)
    engines = ("postgresql",)

    def __init__(self, cache=None, programs=None, each=False):
        super().__init__(cache, programs)
        self.each = each
        if each:
            self.name = "node-pg-migrate, each its transaction"

    def missing(self):
        return None if (self.cache / "node_modules/.bin/node-pg-migrate").exists() and shutil.which("node") else "not installed"

    def environment(self, place):
        return {"DATABASE_URL": f"socket://drover:@{place.host}/?db={place.name}"}

    def command(self, action, place, count):
        words = [str(self.cache / "node_modules/.bin/node-pg-migrate")]
        if action == "current":
            return None
        words += ["down", str(count)] if action == "down" else ["up"]
        return words + ["-m", ".", "--verbose=false"] + (["--single-transaction=false"] if self.each else [])


class GraphileMigrate(Tool):
    name = "graphile-migrate"
    write = staticmethod(write_graphile_migrate)
    engines = ("postgresql",)

    def missing(self):
        return None if (self.cache / "node_modules/.bin/graphile-migrate").exists() and shutil.which("node") else "not installed"

    def environment(self, place):
        url = f"socket://drover:@{place.host}/?db={place.name}"
        return {"DATABASE_URL": url, "SHADOW_DATABASE_URL": url + "_shadow", "ROOT_DATABASE_URL": f"socket://drover:@{place.host}/?db=postgres"}

    def command(self, action, place, count):
        if action == "down":
            return None
        return [str(self.cache / "node_modules/.bin/graphile-migrate"), "status" if action == "current" else "migrate"]


class Liquibase(Tool):
    """Java cannot use the socket's folder: it goes by TCP on the loopback, with a password. The npm package lacks a
    library that its SQLite driver wants."""

    name = "liquibase"
    write = staticmethod(write_liquibase)
    engines = ("postgresql",)

    @property
    def home(self):
        return self.cache / "node_modules/liquibase/dist/liquibase"

    def missing(self):
        return None if (self.home / "liquibase").exists() and shutil.which("java") else "not installed"

    def command(self, action, place, count):
        words = ["sh", str(self.home / "liquibase"), "--changeLogFile=changes.sql"]
        if place.engine == "postgresql":
            words += [f"--url=jdbc:postgresql://127.0.0.1:{place.port}/{place.name}", "--username=drover", f"--password={place.password}"]
        else:
            words += [f"--url=jdbc:sqlite:{place.host}"]
        return words + {"down": ["rollbackCount", str(count)], "current": ["status"]}.get(action, ["update"])


PSQL_LOOP = """ask() { "$psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
ask -c 'CREATE TABLE IF NOT EXISTS version (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())' 2>/dev/null || exit
if [ "$way" = up ]; then order= change="INSERT INTO version (name) VALUES"; else order=-r change="DELETE FROM version WHERE name ="; fi
for file in $(ls $order *."$way".sql); do ask -1 -f "$file" -c "$change ('${file%.*.sql}')" || exit; done
"""


class Psql(Tool):
    """psql -1 for each file, as scripts do it."""

    name = "psql -1"
    engines = ("postgresql",)

    def missing(self):
        return None if shutil.which("psql") else "not installed"

    def environment(self, place):
        return {"PGHOST": place.host, "PGUSER": "drover", "PGDATABASE": place.name, "psql": shutil.which("psql")}

    def command(self, action, place, count):
        if action not in ("apply", "down"):
            return None
        return ["env", "way=" + ("up" if action == "apply" else "down"), "sh", "-c", PSQL_LOOP]


PEERS = (Alembic, Sqitch, Dbmate, NodePgMigrate, GraphileMigrate, Liquibase, Psql)
WRITERS = {tool.write.__name__[len("write_") :]: tool.write for tool in (Floor, Drover, *PEERS)}

if __name__ == "__main__":
    sys.exit(__doc__)
