#!/usr/bin/env python3
"""Writes one chain of migrations in the shapes of eight tools, and what psql would run for them.

import_chains.py FOLDER [BIG-BYTES]: FOLDER/FORMAT/... for each format, and FOLDER/psql/NN.up.sql and NN.down.sql, which
are the same statements in the same order. The chain holds what makes converters stumble.
"""
import os
import sys

NO_DOWN = None


def step(name, up, down, transaction=True, verify=None, crlf=False, bom=False):
    return {"name": name, "up": up, "down": down, "transaction": transaction, "verify": verify, "crlf": crlf,
            "bom": bom}


def chain(big_bytes):
    """The steps: lists of statements, each with its semicolon."""
    rows = "".join(f"INSERT INTO big VALUES ({i}, '{'x' * 990}');\n" for i in range(max(1, big_bytes // 1024)))
    copy = ("COPY people (id, name, note) FROM stdin;\n"
            "1\tAlice\tit's \"odd\"; -- no comment\n"
            "2\tB\\tob\t\\N\n"
            "3\tÇağrı 漢字 😀\tback\\\\slash $$ and \\x41\\101\n"
            "4\t\\r\\n\t\\v\\b.\n")
    return [
        step("create people", ["-- it's a \"comment\" with $$ and ; and /* inside\n"
                               "CREATE TABLE people (\n  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
                               "  name text NOT NULL, -- the person's name; don't split here\n  note text\n);"], NO_DOWN),
        step("create accounts", ["CREATE TABLE accounts (id int PRIMARY KEY, owner bigint REFERENCES people (id) "
                                 "ON DELETE CASCADE, CHECK (id > 0));"], ["DROP TABLE no_such_table;"]),
        step("copy people", [copy + "\\.\n", "SELECT setval('people_id_seq', 4);"], ["DELETE FROM people;"]),
        step("copy without end", ["CREATE TABLE points (x int, y int);", "COPY points FROM STDIN;\n1\t2\n3\t4\n\\."],
             ["DROP TABLE points;"]),
        step("dollar function", ["CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $body$\nBEGIN\n"
                                 "  -- a ; and a 'quote and $$\n  NEW.note := coalesce(NEW.note, $q$;$q$);\n  RETURN NEW;\n"
                                 "END;\n$body$;"], ["DROP FUNCTION bump();"], verify="SELECT 1 / count(*) FROM pg_proc WHERE proname = 'bump'"),
        step("trigger", ["CREATE TRIGGER people_bump BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION bump();"],
             ["DROP TRIGGER people_bump ON people;"]),
        step("begin atomic", ["CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n  SELECT n + n;\n"
                              "  SELECT CASE WHEN n > 0 THEN n * 2 ELSE -1 END;\nEND;"], ["DROP FUNCTION twice(int);"]),
        step("do block", ["DO $$\nBEGIN\n  FOR i IN 1..3 LOOP\n    EXECUTE format('CREATE TABLE part_%s (id int);', i);\n"
                          "  END LOOP;\nEND\n$$;"], ["DROP TABLE part_1, part_2, part_3;"]),
        step("mood", ["CREATE TYPE mood AS ENUM ('sad', 'ok');", "CREATE TABLE moods (m mood DEFAULT 'ok');"],
             ["DROP TABLE moods;", "DROP TYPE mood;"]),
        step("add value", ["ALTER TYPE mood ADD VALUE 'happy';", "INSERT INTO moods VALUES ('happy');"],
             ["DELETE FROM moods;"], transaction=False),
        step("two concurrent indexes", ["-- the first\nCREATE INDEX CONCURRENTLY people_name ON people (name);",
                                        "CREATE INDEX CONCURRENTLY people_note ON people (note) WHERE note <> ';';",
                                        "ANALYZE people;"],
             ["DROP INDEX CONCURRENTLY people_note;", "DROP INDEX CONCURRENTLY people_name;"], transaction=False),
        step("row security", ["ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;",
                              "CREATE POLICY own ON accounts USING (owner = 1) WITH CHECK (id < 1000);"],
             ["DROP POLICY own ON accounts;", "ALTER TABLE accounts DISABLE ROW LEVEL SECURITY;"]),
        step("extension", ["CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;"], ["DROP EXTENSION btree_gist;"]),
        step("views", ["CREATE VIEW names AS SELECT name FROM people WHERE name <> '';",
                       "CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM people;",
                       "CREATE UNIQUE INDEX counted_n ON counted (n);"],
             ["DROP MATERIALIZED VIEW counted;", "DROP VIEW names;"]),
        step("unicode", ["CREATE TABLE \"größe 漢\" (\"ключ\" int, v text DEFAULT '😀;');",
                         "INSERT INTO \"größe 漢\" VALUES (1, 'é');"], ["DROP TABLE \"größe 漢\";"]),
        step("schema migrations", ["CREATE TABLE schema_migrations (version text PRIMARY KEY, dirty boolean);",
                                   "INSERT INTO schema_migrations VALUES ('mine', false);"], ["DROP TABLE schema_migrations;"]),
        step("partitions", ["CREATE TABLE logs (at date NOT NULL, t text) PARTITION BY RANGE (at);",
                            "CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"],
             ["DROP TABLE logs;"]),
        step("nothing", [], []),
        step("only a comment", ["-- nothing to do: it's \"done\" elsewhere;\n"], []),
        step("big", ["CREATE TABLE big (id int, t text);", rows], ["DROP TABLE big;"]),
        step("generated", ["CREATE DOMAIN price AS numeric CHECK (VALUE >= 0);",
                           "CREATE TABLE goods (a price, b numeric GENERATED ALWAYS AS (a * 2) STORED);"],
             ["DROP TABLE goods;", "DROP DOMAIN price;"]),
        step("comments", ["COMMENT ON TABLE people IS 'it''s; -- \"theirs\"';", "COMMENT ON COLUMN people.name IS E'tab\\there';"],
             ["COMMENT ON COLUMN people.name IS NULL;", "COMMENT ON TABLE people IS NULL;"]),
        step("sequence", ["CREATE SEQUENCE numbers START 5 INCREMENT 5;",
                          "ALTER TABLE accounts ADD COLUMN number int DEFAULT nextval('numbers');"],
             ["ALTER TABLE accounts DROP COLUMN number;", "DROP SEQUENCE numbers;"]),
        step("windows", ["CREATE TABLE windows (\n  id int\n);", "INSERT INTO windows VALUES (1);"], ["DROP TABLE windows;"],
             crlf=True),
        step("mark", ["CREATE TABLE marked (id int);"], ["DROP TABLE marked;"], bom=True),
        step("rename", ["ALTER TABLE windows RENAME COLUMN id TO number;"], ["ALTER TABLE windows RENAME COLUMN number TO id;"]),
        step("local settings", ["SET LOCAL statement_timeout = '5min';", "CREATE TABLE timed (id int);"], ["DROP TABLE timed;"]),
        step("strings", ["CREATE TABLE strings (t text);",
                         "INSERT INTO strings VALUES ('a\n-- not a comment;\n/* nor this'), (E'it\\'s; \\\\'), (U&'\\0041'), ($x$'$x$);"],
             ["DROP TABLE strings;"]),
        step("rule", ["CREATE RULE no_delete AS ON DELETE TO strings DO INSTEAD NOTHING;"], ["DROP RULE no_delete ON strings;"]),
        step("composite", ["CREATE TYPE pair AS (a int, b text);",
                           "CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');"],
             ["DROP AGGREGATE total (int);", "DROP TYPE pair;"]),
        step("exclusion", ["CREATE TABLE rooms (room int, during tsrange, EXCLUDE USING gist (room WITH =, during WITH &&));"],
             ["DROP TABLE rooms;"]),
        step("expression index", ["CREATE INDEX people_lower ON people (lower(name) text_pattern_ops);"], ["DROP INDEX people_lower;"]),
        step("two transactions", ["BEGIN;", "CREATE TABLE first_half (id int);", "COMMIT;", "BEGIN;",
                                  "CREATE TABLE second_half (id int);", "COMMIT;"],
             ["BEGIN;", "DROP TABLE second_half, first_half;", "COMMIT;"], transaction=False),
        step("procedure", ["CREATE PROCEDURE tidy() LANGUAGE plpgsql AS 'BEGIN DELETE FROM timed; END';"],
             ["DROP PROCEDURE tidy();"]),
    ]


class Folder:
    def __init__(self, path):
        self.path = path

    def write(self, name, text, like=None):
        data = text.encode()
        if like is not None and like["crlf"]:
            data = data.replace(b"\n", b"\r\n")
        if like is not None and like["bom"]:
            data = b"\xef\xbb\xbf" + data
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def sql(statements):
    text = "\n".join(statements)
    return text if not text or text.endswith("\\.") else text.rstrip("\n") + "\n"


def slug(s):
    return s["name"].replace(" ", "_")


def write_psql(to, steps):
    for i, s in enumerate(steps, 1):
        # psql 15 takes a last "\\." without newline for data
        to.write(f"{i:02}.up.sql", sql(s["up"]) + "\n", s)
        if s["down"] is not None:
            to.write(f"{i:02}.down.sql", sql(s["down"]), s)


def write_dbmate(to, steps):
    for i, s in enumerate(steps, 1):
        mark = "" if s["transaction"] else " transaction:false"
        text = f"-- migrate:up{mark}\n{sql(s['up'])}"
        if s["down"]:
            text += f"\n-- migrate:down{mark}\n{sql(s['down'])}"
        to.write(f"202401{i:02}000000_{slug(s)}.postgres.sql" if i % 7 == 0 else f"202401{i:02}000000_{slug(s)}.sql", text, s)
    to.write("20240102000000_create_accounts.sqlite.sql", "-- migrate:up\nPRAGMA user_version = 2;\n")
    to.write("mysql/20240102000000_create_accounts.sql", "-- migrate:up\nCREATE TABLE `a` (id int) ENGINE=InnoDB;\n")


def write_pairs(to, steps, mark):
    for i, s in enumerate(steps, 1):
        head = mark if not s["transaction"] else ""
        number = i if i < 9 else i * 11  # 1 8 99 341: in the order of numbers, not of names
        to.write(f"{number}_{slug(s)}.up.sql", head + sql(s["up"]), s)
        if s["down"]:
            to.write(f"{number}_{slug(s)}.down.sql", head + sql(s["down"]), s)


def goose_statements(statements):
    text = ""
    for one in statements:
        framed = "$" in one or "ATOMIC" in one or one.startswith("COPY")
        if framed and one.rstrip().endswith("$;"):
            one = one.rstrip()[:-1] + "\n"  # goose needs no semicolon at the end of what is framed
        text += f"-- +goose StatementBegin\n{one.rstrip()}\n-- +goose StatementEnd\n" if framed else one.rstrip() + "\n"
    return text


def write_goose(to, steps):
    for i, s in enumerate(steps, 1):
        text = "" if s["transaction"] else "-- +goose NO TRANSACTION\n"
        text += "-- +goose Up\n" + goose_statements(s["up"])
        if s["down"]:
            text += "\n-- +goose Down\n" + goose_statements(s["down"])
        to.write(f"{i:05}_{slug(s)}.sql", text, s)


FLYWAY = ["1", "1.1", "1_2", "1.2.0.1", "1.10", "2", "03", "4.0.1", "4_1", "5"]


def write_flyway(to, steps):
    for i, s in enumerate(steps, 1):
        version = FLYWAY[i - 1] if i <= len(FLYWAY) else f"202401{i:02}" if i % 2 else f"202401{i:02}.0"
        folder = "deep/er/" if i % 5 == 0 else ""
        to.write(f"{folder}V{version}__{slug(s)}.sql", sql(s["up"]), s)
        if s["down"]:
            to.write(f"U{version}__{slug(s)}.sql", sql(s["down"]), s)
        if not s["transaction"]:
            to.write(f"{folder}V{version}__{slug(s)}.sql.conf", "executeInTransaction=false\n")
    to.write("B2__baseline.sql", "CREATE TABLE never_run (id int);\n")
    to.write("R__b_again.sql", "CREATE OR REPLACE VIEW again AS SELECT * FROM earlier;\n")
    to.write("R__a_earlier.sql", "CREATE OR REPLACE VIEW earlier AS SELECT 1 AS one;\n")
    to.write("beforeMigrate.sql", "CREATE SCHEMA IF NOT EXISTS before_all;\n")
    to.write("afterMigrate__views.sql", "CREATE OR REPLACE VIEW last_of_all AS SELECT * FROM again;\n")
    to.write("afterEachMigrate.sql", "SELECT 1;\n")


def write_sqitch(to, steps):
    plan = "%syntax-version=1.0.0\n%project=things\n%uri=https://example.com/things\n\n"
    for i, s in enumerate(steps, 1):
        name = s["name"].replace(" ", "-")
        needs = f" [{steps[i - 2]['name'].replace(' ', '-')}]" if i % 3 == 0 else ""
        plan += f"{name}{needs} 2024-01-{(i - 1) % 28 + 1:02}T10:{i:02}:00Z Alice Example <alice@example.com> # {s['name']}\n"
        if i % 10 == 0:
            plan += f"@v{i // 10}.0 2024-01-28T11:{i:02}:00Z Alice Example <alice@example.com> # release\n"

        def framed(statements):
            own = not s["transaction"] or any(x == "BEGIN;" for x in statements)
            body = sql(statements)
            body += "" if body.endswith("\n") or not body else "\n"
            return f"-- Deploy things:{name} to pg\n\n" + (body if own else f"BEGIN;\n\n{body}\nCOMMIT;\n")
        to.write(f"deploy/{name}.sql", framed(s["up"]), s)
        if s["down"] is not None:
            to.write(f"revert/{name}.sql", framed(s["down"]), s)
        verify = s["verify"]
        if verify is not None or i % 4 == 0:
            to.write(f"verify/{name}.sql", f"\\set ON_ERROR_STOP on\nBEGIN;\n{verify or 'SELECT false'};\nROLLBACK;\n")
    to.write("sqitch.plan", plan)
    to.write("sqitch.conf", "[core]\n\tengine = pg\n")


def write_diesel(to, steps):
    for i, s in enumerate(steps, 1):
        folder = f"2024-01-{i:02}-000000_{slug(s)}"
        to.write(f"{folder}/up.sql", sql(s["up"]), s)
        if s["down"]:
            to.write(f"{folder}/down.sql", sql(s["down"]), s)
        if not s["transaction"]:
            to.write(f"{folder}/metadata.toml", "run_in_transaction = false\n")


def write_liquibase(to, steps):
    files, now = {}, ""
    for i, s in enumerate(steps, 1):
        if i == 1 or s["crlf"] or s["bom"] or steps[i - 2]["crlf"] or steps[i - 2]["bom"]:
            now = f"{i:02}_changes.sql"
            files[now] = ("--liquibase formatted sql\n", s)
        extra = "" if s["transaction"] else " runInTransaction:false"
        body = sql(s["up"])
        if any("$" in x for x in s["up"]) and i % 2:
            extra += " splitStatements:false"
        elif "ATOMIC" in body:
            extra += " splitStatements:true endDelimiter:@@"
            body = body.rstrip()[:-1] + " @@\n"
        text = f"\n--changeset alice:{i}{extra}\n--comment: {s['name']}\n{body}"
        text += "" if text.endswith("\n") else "\n"
        for one in s["down"] or []:
            text += f"--rollback {one}\n"
        if i == 5:
            text += "\n--changeset alice:5m dbms:mysql\nCREATE TABLE `x` (id int);\n"
        files[now] = (files[now][0] + text, files[now][1])
    for name, (text, like) in files.items():
        to.write(name, text, like)


def main():
    root, big = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
    small, large = chain(20_000), chain(big)
    write_psql(Folder(f"{root}/psql"), small)
    write_psql(Folder(f"{root}/psql-big"), large)
    write_dbmate(Folder(f"{root}/dbmate"), large)
    write_pairs(Folder(f"{root}/golang-migrate"), small, "")
    write_pairs(Folder(f"{root}/sqlx"), small, "-- no-transaction\n")
    write_goose(Folder(f"{root}/goose"), small)
    write_flyway(Folder(f"{root}/flyway"), small)
    write_sqitch(Folder(f"{root}/sqitch"), small)
    write_diesel(Folder(f"{root}/diesel"), small)
    write_liquibase(Folder(f"{root}/liquibase-sql"), small)
    print(len(small))


if __name__ == "__main__":
    main()
