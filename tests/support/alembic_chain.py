"""Writes an Alembic environment with all that real chains have and importers stumble over:
alembic_chain.py FOLDER URL [postgresql|sqlite|broken|faults]
"""
import os
import sys

ENV = '''import os
from logging.config import fileConfig
from alembic import context
from sqlalchemy import engine_from_config, pool
config = context.config
fileConfig(config.config_file_name)
%s
def run_migrations_offline():
    context.configure(url=config.get_main_option("sqlalchemy.url"), literal_binds=True,
                      dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()

def run_migrations_online():
    connectable = engine_from_config(config.get_section(config.config_ini_section), prefix="sqlalchemy.",
                                     poolclass=pool.NullPool)
    with connectable.connect() as connection:
        context.configure(connection=connection, render_as_batch=True, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()

if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
'''

INI = """# kept beside the application
[alembic]
script_location = %%(here)s/migrations
%s
sqlalchemy.url = %s

[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = WARN
handlers =
"""

HEAD = '''"""%s

%sRevision ID: %s
Revises: %s
Create Date: 2026-02-13 14:00:00.000000

"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

%s
%s
'''


def body(lines):
    return "\n".join("    " + line if line else "" for line in (lines or "pass").strip("\n").split("\n"))


def module(message, rev, down, up, back, doc_down=None, literals=None, text=""):
    said = doc_down if doc_down is not None else (", ".join(down) if isinstance(down, (tuple, list)) else down or "")
    values = literals or "revision = %r\ndown_revision = %r\nbranch_labels = None\ndepends_on = None\n" % (rev, down)
    code = "\ndef upgrade() -> None:\n%s\n\n\ndef downgrade() -> None:\n%s\n" % (body(up), body(back))
    return HEAD % (message, text, rev, said, values, code)


def literals(rev, down, labels="None", depends="None"):
    return "revision = %s\ndown_revision = %s\nbranch_labels = %s\ndepends_on = %s\n" % (rev, down, labels, depends)


POSTGRESQL = [
    ("1975ea83b712_create_users.py", module("create users; \"first\" 'one'", "1975ea83b712", None, """
op.create_table('users',
    sa.Column('id', sa.BigInteger(), primary_key=True),
    sa.Column('email', sa.String(200), nullable=False, unique=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False))
""", "op.drop_table('users')", text="Why: people log in.\nRevises: nothing at all\n\n")),
    ("ae1027a6acf0_percent.py", module("percent signs and tabs", "ae1027a6acf0", "1975ea83b712", r"""
op.add_column('users', sa.Column('share', sa.String(20), server_default='50%', nullable=False))
op.create_check_constraint('share_is_percent', 'users', "share LIKE '%\\%'")
op.execute("INSERT INTO users (id, email) VALUES (1, 'tab\there@example.org')")
""", """
op.execute("DELETE FROM users")
op.drop_constraint('share_is_percent', 'users')
op.drop_column('users', 'share')
""")),
    ("003_canvas_management.py", module("canvases", "003_canvas_management", "ae1027a6acf0", """
op.create_table('canvases',
    sa.Column('id', postgresql.UUID(as_uuid=True), server_default=sa.text('gen_random_uuid()'), nullable=False),
    sa.Column('owner', sa.BigInteger(), nullable=False),
    sa.Column('order', sa.Integer(), nullable=False),
    sa.Column('budget', sa.Numeric(10, 4)),
    sa.Column('meta', postgresql.JSONB(), server_default=sa.text("'{}'::jsonb")),
    sa.Column('tags', postgresql.ARRAY(sa.Text())),
    sa.ForeignKeyConstraint(['owner'], ['users.id'], ondelete='CASCADE', name='canvases_owner_fk'),
    sa.CheckConstraint('"order" BETWEEN 1 AND 5', name='order_range'),
    sa.UniqueConstraint('owner', 'order', name='one_order'),
    sa.PrimaryKeyConstraint('id'))
op.create_index('ix_canvases_owner', 'canvases', ['owner'])
""", """
op.drop_index('ix_canvases_owner', table_name='canvases')
op.drop_table('canvases')
""")),
    ("20251020_1548_bcacf97a17b8.py", module("dollar quoting", "20251020_1548_bcacf97a17b8", "003_canvas_management", """
op.execute('''
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    -- a comment; with a semicolon, and 'quotes'
    NEW.meta := NEW.meta || '{"touched": "BEGIN; COMMIT;"}';
    RETURN NEW;
END
$fn$;
CREATE TRIGGER touch_canvases BEFORE UPDATE ON canvases FOR EACH ROW EXECUTE FUNCTION touch();
''')
""", """
op.execute("DROP TRIGGER touch_canvases ON canvases")
op.execute("DROP FUNCTION touch()")
""")),
    ("v1_0_enum.py", module("an enum made by its table", "v1.0.1", "20251020_1548_bcacf97a17b8", """
op.create_table('tasks', sa.Column('id', sa.Integer(), primary_key=True),
                sa.Column('state', sa.Enum('open', "won't do", 'done', name='task_state'), nullable=False))
""", """
op.drop_table('tasks')
op.execute('DROP TYPE task_state')
""")),
    ("enum_twice_mended.py", module("an enum made by hand", "27c6a30d7c24", "v1.0.1", """
lane = postgresql.ENUM('idea', 'live', name='lane', create_type=False)
lane.create(op.get_bind())
op.add_column('canvases', sa.Column('lane', lane, nullable=True))
""", """
op.drop_column('canvases', 'lane')
postgresql.ENUM(name='lane').drop(op.get_bind())
""")),
    ("add_value.py", module("one more state", "abc", "27c6a30d7c24", """
with op.get_context().autocommit_block():
    op.execute("ALTER TYPE task_state ADD VALUE IF NOT EXISTS 'blocked' BEFORE 'done'")
op.execute("COMMENT ON TABLE tasks IS 'it''s; here'")
""", """
op.execute('''COMMENT ON TABLE tasks IS NULL''')
op.execute("ALTER TABLE tasks ALTER COLUMN state TYPE text")
op.execute("DROP TYPE task_state")
op.execute("CREATE TYPE task_state AS ENUM ('open', 'won''t do', 'done')")
op.execute("ALTER TABLE tasks ALTER COLUMN state TYPE task_state USING state::task_state")
""")),
    ("concurrently.py", module("indexes without locks", "Idx_8", "abc", """
op.execute("ALTER TABLE tasks ADD COLUMN due date")
with op.get_context().autocommit_block():
    op.create_index('ix_tasks_due', 'tasks', ['due'], postgresql_concurrently=True)
    op.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_tasks_state_due ON tasks (state, due) WHERE due IS NOT NULL")
op.execute("ALTER TABLE tasks ADD COLUMN note text DEFAULT E'a\\\\nb'")
""", """
op.execute("ALTER TABLE tasks DROP COLUMN note")
with op.get_context().autocommit_block():
    op.drop_index('ix_tasks_state_due', postgresql_concurrently=True)
    op.drop_index('ix_tasks_due', table_name='tasks', postgresql_concurrently=True)
op.drop_column('tasks', 'due')
""")),
    ("reporting_1.py", module("reporting begins", "rep1", "Idx_8", """
op.create_table('reports', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('title', sa.Text()))
""", "op.drop_table('reports')", literals=literals("'rep1'", "'Idx_8'", "('reporting',)"))),
    ("reporting_2.py", module("reports in bulk", "rep2", "rep1", """
reports = sa.table('reports', sa.column('id', sa.Integer), sa.column('title', sa.Text))
op.bulk_insert(reports, [{'id': 1, 'title': "50% of O'Brien's"}, {'id': 2, 'title': 'a;b -- c'},
                         {'id': 3, 'title': None}])
""", "op.execute('DELETE FROM reports')")),
    ("side_1.py", module("the other side", "side1", "Idx_8", """
op.execute(sa.text("CREATE TABLE side (id int PRIMARY KEY, at time DEFAULT '10:30'::time)"))
""", "op.execute('DROP TABLE side')")),
    ("merge_1.py", module("merge both", "m1", ("rep2", "side1"), None, None)),
    ("audit_1.py", module("audit stands alone", "audit_base", None, """
op.execute("CREATE SCHEMA audit")
op.execute("CREATE TABLE audit.log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who bigint)")
""", """
op.execute("DROP TABLE audit.log")
op.execute("DROP SCHEMA audit")
""", literals=literals("'audit_base'", "None", "['audit']", "'m1'"))),
    ("audit_2.py", module("audit knows users", "audit_2", "audit_base", """
op.create_foreign_key('log_who', 'log', 'users', ['who'], ['id'], source_schema='audit', ondelete='SET NULL')
""", "op.drop_constraint('log_who', 'log', schema='audit')",
        literals=literals("'audit_2'", "'audit_base'", "None", "('reporting',)"))),
    ("after_merge.py", module("after the merge", "a13", "m1", """
op.alter_column('side', 'at', new_column_name='starts', existing_type=sa.Time())
op.rename_table('side', 'sides')
""", """
op.rename_table('sides', 'side')
op.alter_column('side', 'starts', new_column_name='at', existing_type=sa.Time())
""")),
    ("merge_2.py", module("merge the bases", "m2", ["a13", "audit_2"], None, None,
                          literals=literals("'m2'", "[\n    'a13',  # this\n    'audit_2',\n]"))),
    ("data.py", module("data that asks", "data_17", "m2", """
bind = op.get_bind()
bind.execute(sa.text("INSERT INTO users (id, email) VALUES (:i, :e)"), {"i": 7, "e": "o'brien%@example.org"})
for row in bind.execute(sa.text("SELECT id FROM users WHERE id = 7")):
    bind.execute(sa.text("UPDATE users SET share = :s WHERE id = :i"), {"s": "7%", "i": row[0]})
""", "op.execute('DELETE FROM users WHERE id = 7')")),
    ("guarded.py", module("only when it is not there", "guard_18", "data_17", """
if 'phone' not in [c['name'] for c in sa.inspect(op.get_bind()).get_columns('users')]:
    op.add_column('users', sa.Column('phone', sa.String(40)))
""", "op.drop_column('users', 'phone')")),
    ("unicode.py", module("Übergröße → größer 😀", "uni_19", "guard_18", """
op.execute("COMMENT ON COLUMN users.phone IS 'Telefon – größer 😀'")
op.execute('ALTER TABLE users ADD COLUMN "straße; x" text')
""", """
op.execute('ALTER TABLE users DROP COLUMN "straße; x"')
op.execute("COMMENT ON COLUMN users.phone IS NULL")
""")),
    ("crlf.py", module("made on Windows", "crlf_20", "uni_19", """
op.execute('''CREATE VIEW people AS
    SELECT id,
           email
      FROM users''')
""", "op.execute('DROP VIEW people')").replace("\n", "\r\n")),
    ("bom.py", "\ufeff" + module("with a byte order mark", "bom_21", "crlf_20", """
op.execute("CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM users")
""", "op.execute('DROP MATERIALIZED VIEW counts')")),
    ("lie.py", module("a docstring that lies", "lie_22", "bom_21", """
op.execute("CREATE SEQUENCE tickets START 5")
op.execute("SELECT setval('tickets', 41)")
""", "op.execute('DROP SEQUENCE tickets')", doc_down="1975ea83b712")),
    ("typed.py", module("typed", "typed_23", "lie_22", """
op.execute(\"\"\"
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON users USING (email = current_user); -- last words\"\"\")
""", """
op.execute("DROP POLICY own ON users")
op.execute("ALTER TABLE users DISABLE ROW LEVEL SECURITY")
""", literals='from typing import Sequence, Union\nrevision: str = "typed_23"\n'
              'down_revision: Union[str, Sequence[str], None] = "lie_22"\n'
              'branch_labels: Union[str, Sequence[str], None] = None\n'
              'depends_on: Union[str, Sequence[str], None] = None\n')),
    ("joined.py", module("joined literals", "join_24", "typed_23", """
op.execute("CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT n; SELECT n * 2; END")
""", "op.execute('DROP FUNCTION twice(int)')", literals=literals("'join' r'_24'", "('typed' +\n  '_23')"))),
    ("cast.py", module("a type changes", "cast_25", "join_24", """
op.execute("DROP VIEW people")
op.execute("DROP MATERIALIZED VIEW counts")
op.alter_column('sides', 'id', type_=sa.Text(), existing_type=sa.Integer(), postgresql_using='id::text')
""", """
op.alter_column('sides', 'id', type_=sa.Integer(), existing_type=sa.Text(), postgresql_using='id::int')
op.execute("CREATE VIEW people AS SELECT id, email FROM users")
op.execute("CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM users")
""")),
    ("partitions.py", module("partitions", "part_26", "cast_25", """
op.execute("CREATE TABLE events (at timestamptz NOT NULL, what text) PARTITION BY RANGE (at)")
for year in (2025, 2026):
    op.execute(f"CREATE TABLE events_{year} PARTITION OF events FOR VALUES FROM ('{year}-01-01') TO ('{year + 1}-01-01')")
""", "op.drop_table('events')")),
    ("block.py", module("a block", "do_27", "part_26", """
op.execute('''DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_class WHERE relname = 'blocks') THEN
    CREATE TABLE blocks (id int);
  END IF;
END $$''')
""", "op.drop_table('blocks')")),
    ("empty.py", module("nothing yet", "none_28", "do_27", None, None)),
    ("comments.py", module("words in comments", "words_29", "none_28", """
op.execute("CREATE TABLE words (w text DEFAULT 'BEGIN; COMMIT; UPDATE alembic_version') /* ; COMMIT; */")
op.execute("INSERT INTO words DEFAULT VALUES")
""", "op.drop_table('words')")),
    ("exclude.py", module("exclusion", "excl_30", "words_29", """
op.create_table('bookings', sa.Column('room', sa.Integer()), sa.Column('during', postgresql.TSTZRANGE()),
                postgresql.ExcludeConstraint((sa.column('during'), '&&'), name='no_overlap', using='gist'))
""", "op.drop_table('bookings')")),
    ("computed.py", module("computed columns", "comp_31", "excl_30", """
op.add_column('bookings', sa.Column('twice', sa.Integer(), sa.Computed('room * 2', persisted=True)))
op.create_table_comment('bookings', 'rooms; "when" and \\'why\\'')
""", """
op.drop_table_comment('bookings')
op.drop_column('bookings', 'twice')
""")),
    ("deep/nested.py", module("in a folder below", "deep_32", "comp_31", """
op.create_unique_constraint('one_room', 'bookings', ['room'])
""", "op.drop_constraint('one_room', 'bookings')")),
]

SQLITE = [
    ("1.py", module("notes", "n1", None, """
op.create_table('notes', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('text', sa.String(10)),
                sa.Column('done', sa.Boolean(), server_default=sa.text('0')))
op.create_index('ix_text', 'notes', ['text'])
""", "op.drop_table('notes')")),
    ("2.py", module("batch", "n2", "n1", """
with op.batch_alter_table('notes') as batch:
    batch.alter_column('text', existing_type=sa.String(10), type_=sa.Text(), nullable=False, server_default='x')
    batch.add_column(sa.Column('n', sa.Integer()))
""", """
with op.batch_alter_table('notes') as batch:
    batch.drop_column('n')
    batch.alter_column('text', existing_type=sa.Text(), type_=sa.String(10), nullable=True, server_default=None)
""")),
    ("3.py", module("trigger", "n3", "n2", """
op.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, what TEXT)")
op.execute("CREATE TRIGGER t AFTER INSERT ON log BEGIN UPDATE log SET what = 'a;b' WHERE id = NEW.id; SELECT 1; END")
op.bulk_insert(sa.table('notes', sa.column('text', sa.String)), [{'text': "it's; 50%"}])
""", """
op.execute("DELETE FROM notes")
op.execute("DROP TRIGGER t")
op.execute("DROP TABLE log")
""")),
    ("4.py", module("bound", "n4", "n3", """
op.get_bind().execute(sa.text("INSERT INTO notes (text, n) VALUES (:t, :n)"), {"t": "bound ?", "n": None})
if op.get_bind().execute(sa.text("SELECT count(*) FROM notes")).scalar() > 0:
    op.add_column('notes', sa.Column('late', sa.LargeBinary()))
""", """
with op.batch_alter_table('notes') as batch:
    batch.drop_column('late')
op.execute("DELETE FROM notes WHERE text = 'bound ?'")
""")),
]

BROKEN = [
    ("good.py", module("good", "good", None, "op.execute('CREATE TABLE good (id int)')", "op.execute('DROP TABLE good')")),
    ("app.py", module("needs the application", "app", "good", "op.execute('SELECT 1')", "pass").replace(
        "import sqlalchemy", "import the_application.models\nimport sqlalchemy", 1)),
    ("refuses.py", module("no way back", "refuses", "app", "op.execute('CREATE TABLE r (id int)')",
                          "raise NotImplementedError('data is gone')")),
    ("notes.py", "x = 1\n"),
    ("cut.py", "revision = 'cut\n"),
]

# The two faults of contract migrations: a type that is made twice, and a reserved word that is not quoted.
FAULTS = [
    ("001.py", module("users", "001", None, "op.create_table('users', sa.Column('id', sa.Integer(), primary_key=True))",
                      "op.drop_table('users')")),
    ("002.py", module("canvases", "002_canvas", "001", """
lane = postgresql.ENUM('idea', 'live', name='lifecycle_lane')
lane.create(op.get_bind())
op.create_table('canvases', sa.Column('id', sa.Integer(), primary_key=True),
                sa.Column('lane', lane, nullable=False),
                sa.Column('order', sa.Integer(), nullable=False),
                sa.CheckConstraint('order BETWEEN 1 AND 5', name='ck_order_range'))
""", """
op.drop_table('canvases')
op.execute('DROP TYPE lifecycle_lane')
""")),
]

CHAINS = {"postgresql": POSTGRESQL, "sqlite": SQLITE, "broken": BROKEN, "faults": FAULTS}


def main():
    folder, url = sys.argv[1:3]
    which = sys.argv[3] if len(sys.argv) > 3 else "postgresql"
    more = ""
    if which == "postgresql":  # before 1.12 there is no recursion: people name both
        more += "version_locations = %(here)s/migrations/versions:%(here)s/migrations/versions/deep\n"
        more += "version_path_separator = os\n"
    os.makedirs(os.path.join(folder, "migrations", "versions", "deep"), exist_ok=True)
    with open(os.path.join(folder, "alembic.ini"), "w", encoding="utf-8") as file:
        file.write(INI % (more, url))
    with open(os.path.join(folder, "migrations", "env.py"), "w", encoding="utf-8") as file:
        file.write(ENV % "")
    with open(os.path.join(folder, "migrations", "script.py.mako"), "w", encoding="utf-8") as file:
        file.write("")
    for name, text in CHAINS[which]:
        with open(os.path.join(folder, "migrations", "versions", name), "w", encoding="utf-8", newline="") as file:
            file.write(text)


main()
