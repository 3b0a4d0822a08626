"""What must hold after every fault, when everything runs again: each unit exactly once or not at all, the ledger true,
the schema that of an undisturbed run, nothing locked, no invalid index, nothing owed, no report of a sanitizer."""
import glob
import json
import os
import sqlite3
import sys

import world as worlds

sys.path.insert(0, os.path.join(worlds.SOURCE, "tests/support"))
import approved  # noqa: E402

# Columns and indexes of the application's tables; the tool's own are in a schema of their own.
PG_SCHEMA = """SELECT coalesce(json_agg(x ORDER BY x), '[]') FROM (
 SELECT format('%s.%s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) AS x
   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
 UNION ALL SELECT format('%s valid=%s ready=%s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready)
   FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace) t"""
PG_LEDGER = """SELECT coalesce(json_agg(json_build_array(position, kind, direction, revision_id, unit_number,
 encode(previous, 'hex'), encode(head, 'hex')) ORDER BY position), '[]') FROM drover.ledger"""
PG_HEADS = "SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM drover.revision WHERE is_head"
PG_LINES = "SELECT coalesce(json_agg(unit ORDER BY unit), '[]') FROM lines"
PG_LOCKS = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database =
 (SELECT oid FROM pg_database WHERE datname = current_database())"""
LITE_LEDGER = ("SELECT position, kind, direction, revision_id, unit_number, lower(hex(previous)), lower(hex(head)) "
               "FROM drover_ledger ORDER BY position")
LITE_SCHEMA = ("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'drover_%' "
               "AND tbl_name NOT LIKE 'drover_%' ORDER BY 1")
LITE_HEADS = "SELECT id FROM drover_revision WHERE is_head ORDER BY id"
KIND_DONE, KIND_INTENT, KIND_FAILED = 1, 2, 4
HEADS = {"up": ["four"], "down": []}


def ask_sqlite(path, text):
    with sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=20) as db:
        rows = db.execute(text).fetchall()
    db.close()
    return rows


class Oracle:
    def __init__(self, world):
        self.world, self.rows, self.schemas, self.log_at = world, 0, {}, {}
        self.approved = approved.Approved([text for _, text in worlds.chain_files(world.engine)])

    def look(self, has_lines):
        """What is in the target now: (lines or None, ledger rows, heads, schema)."""
        world = self.world
        if world.engine == "postgresql":
            wanted = [PG_LEDGER, PG_HEADS, PG_SCHEMA] + ([PG_LINES] if has_lines else [])
            answer = world.cluster.ask(world.database, "; ".join(wanted)).split("\n")
            values = [json.loads(line) for line in "\n".join(answer).replace("\n ", " ").split("\n")]
            return values[3] if has_lines else None, values[0], values[1], values[2]
        lines = [r[0] for r in ask_sqlite(world.database, "SELECT unit FROM lines ORDER BY unit")] if has_lines else None
        return (lines, [list(r) for r in ask_sqlite(world.database, LITE_LEDGER)],
                [r[0] for r in ask_sqlite(world.database, LITE_HEADS)],
                [r[0] for r in ask_sqlite(world.database, LITE_SCHEMA)])

    # -------------------------------------------------------------------------------- each check

    def ledger(self, expected, rows):
        previous = "0" * 64
        for place, row in enumerate(rows, 1):
            if row[0] != place or row[5] != previous:
                raise worlds.Failed(f"the ledger's row {place} does not follow the one before")
            previous = row[6]
        new, self.rows = rows[self.rows:], len(rows)
        done = [row[3] for row in new if row[1] == KIND_DONE]
        if done != expected:
            raise worlds.Failed(f"the ledger says that these units were done: {' '.join(done)}")
        units = [(row[3], row[4]) for row in new if row[1] == KIND_DONE]
        if len(set(units)) != len(units):
            raise worlds.Failed(f"the ledger has a unit twice: {units}")
        is_open = None
        for row in new:
            if row[1] == KIND_INTENT and is_open not in (None, (row[3], row[4])):
                raise worlds.Failed("an intent follows one that is open")
            is_open = (row[3], row[4]) if row[1] == KIND_INTENT else None
        if is_open:
            raise worlds.Failed(f"the intent of {is_open} was never closed")

    def schema(self, place, found):
        undisturbed = self.schemas.setdefault(place, found)
        if found != undisturbed:
            raise worlds.Failed("the schema is not that of an undisturbed run: " +
                                "; ".join(sorted(set(found) ^ set(undisturbed))))

    def locks(self):
        world = self.world
        if world.engine == "postgresql":
            world.until(lambda: world.cluster.ask(world.database, PG_LOCKS) == "0", "advisory locks to go", 20)
            return
        ask_sqlite(world.database, "BEGIN EXCLUSIVE")
        problems = ask_sqlite(world.database, "PRAGMA integrity_check")
        if problems != [("ok",)]:
            raise worlds.Failed(f"integrity_check: {problems}")

    def settle(self):
        """Until the agent owes nothing: no worker, no run, no task, an empty outbox."""
        world, state = self.world, f"{self.world.folder}/agents/{worlds.AGENT}/state/agent.db"
        owed = "SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM task) + (SELECT count(*) FROM outbox)"

        def is_quiet():
            return not world.victims("worker") and ask_sqlite(state, owed)[0][0] == 0 and not world.victims("worker")
        world.until(is_quiet, "the agent to have said everything", 60)

    def statements(self):
        """O1: what the server was sent by the agent's role, against what was approved."""
        world = self.world
        if world.engine != "postgresql":
            return
        rows, self.log_at = world.cluster.statements(self.log_at)
        bad = self.approved.strangers(rows, world.database)
        if bad:
            raise worlds.Failed("O1: the server was sent what nobody approved: " + "; ".join(bad[:5]))

    def sanitizers(self):
        for path in glob.glob(self.world.folder + "/log/*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    if "ERROR: AddressSanitizer" in line or "runtime error:" in line:
                        raise worlds.Failed(line.strip())

    def check(self, goal):
        """After a leg of the canonical chain."""
        self.compare(goal, worlds.LINES[goal], HEADS[goal], worlds.DONE[goal])

    def compare(self, place, lines, heads, done):
        """`place` names where the target is, `done` the revisions whose units the leg did, in order."""
        self.settle()
        found_lines, rows, found_heads, schema = self.look(lines is not None)
        if found_lines != lines:
            raise worlds.Failed(f"the units left these lines: {found_lines}, not {lines}")
        if found_heads != heads:
            raise worlds.Failed(f"the heads are {found_heads}")
        self.ledger(done, rows)
        self.schema(place, schema)
        self.locks()
        self.statements()
        self.sanitizers()

    def story(self):
        """The coordinator's log, at the end."""
        self.world.must("log", "--verify", "--quiet")
