// Writer of Alembic's environments: alembic.ini, env.py and a module for each revision, whose
// functions run the statements of the sections one by one, byte for byte.
#include "coordinator/import/alembic.h"
#include "coordinator/import/export.h"

#include <string.h>

static const char ini_text[] = "# Written by drover export alembic.\n"
                               "[alembic]\n"
                               "script_location = %(here)s/migrations\n"
                               "# the variable DATABASE_URL goes before this\n"
                               "sqlalchemy.url = ";

static const char env_text[] =
    "\"\"\"Written by drover export alembic.\"\"\"\n"
    "import os\n"
    "\n"
    "from alembic import context\n"
    "from sqlalchemy import create_engine, pool\n"
    "\n"
    "config = context.config\n"
    "url = os.environ.get(\"DATABASE_URL\") or config.get_main_option(\"sqlalchemy.url\")\n"
    "\n"
    "if context.is_offline_mode():\n"
    "    context.configure(url=url, literal_binds=True, dialect_opts={\"paramstyle\": \"named\"},\n"
    "                      transaction_per_migration=True)\n"
    "    with context.begin_transaction():\n"
    "        context.run_migrations()\n"
    "else:\n"
    "    with create_engine(url, poolclass=pool.NullPool).connect() as connection:\n"
    "        context.configure(connection=connection, transaction_per_migration=True)\n"
    "        with context.begin_transaction():\n"
    "            context.run_migrations()\n";

static const char mako_text[] = "\"\"\"${message}\n"
                                "\n"
                                "Revision ID: ${up_revision}\n"
                                "Revises: ${down_revision | comma,n}\n"
                                "Create Date: ${create_date}\n"
                                "\n"
                                "\"\"\"\n"
                                "from alembic import op\n"
                                "import sqlalchemy as sa\n"
                                "${imports if imports else \"\"}\n"
                                "revision = ${repr(up_revision)}\n"
                                "down_revision = ${repr(down_revision)}\n"
                                "branch_labels = ${repr(branch_labels)}\n"
                                "depends_on = ${repr(depends_on)}\n"
                                "\n"
                                "\n"
                                "def upgrade():\n"
                                "    ${upgrades if upgrades else \"pass\"}\n"
                                "\n"
                                "\n"
                                "def downgrade():\n"
                                "    ${downgrades if downgrades else \"pass\"}\n";

// A colon in SQL would be a parameter of SQLAlchemy's text().
static const char run_text[] = "\n\ndef run(sql):\n"
                               "    op.execute(sa.text(sql.replace(\":\", \"\\\\:\")))\n";

// ----------------------------------------------------------------------------------------- python

// None, 'a', or ('a', 'b').
static void
add_ids(struct dr_buf *out, const char *name, const struct dr_names *ids)
{
    dr_buf_printf(out, "%s = ", name);
    for (size_t i = 0; i < ids->count; i++) {
        dr_buf_printf(out, "%s'%s'", i == 0 ? (ids->count > 1 ? "(" : "") : ", ", ids->items[i]);
    }
    dr_buf_str(out, ids->count == 0 ? "None\n" : ids->count > 1 ? ")\n" : "\n");
}

// A text as a string of Python, in lines where it can be.
static void
add_string(struct dr_buf *out, const char *text, size_t len)
{
    bool has_double = memmem(text, len, "\"\"\"", 3) != NULL;
    bool has_single = memmem(text, len, "'''", 3) != NULL;
    if (!has_double || !has_single) {
        const char *quotes = has_double ? "'''" : "\"\"\"";
        dr_buf_printf(out, "r%s\n", quotes);
        dr_buf_add(out, text, len);
        dr_buf_printf(out, "\n%s", quotes);
        return;
    }
    dr_buf_str(out, "'");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            dr_buf_str(out, "\\n");
        } else {
            dr_buf_printf(out, text[i] == '\'' || text[i] == '\\' ? "\\%c" : "%c", text[i]);
        }
    }
    dr_buf_str(out, "'");
}

// A line of the docstring.
static void
add_doc(struct dr_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        char quote = '\'';
        dr_buf_str(out, *c == '\\' ? "\\" : "");
        dr_buf_add(out, *c == '"' ? &quote : c, 1);
    }
}

// --------------------------------------------------------------------------------------- revision

static void
add_head(struct dr_buf *out, const struct dr_revision *r)
{
    dr_buf_str(out, "\"\"\"");
    add_doc(out, r->message);
    dr_buf_str(out, "\n\n");
    const char *text = r->text + strspn(r->text, "\n");
    if (text[0] != '\0') {
        add_doc(out, text);
        dr_buf_str(out, text[strlen(text) - 1] == '\n' ? "\n" : "\n\n");
    }
    dr_buf_printf(out, "Revision ID: %s\nRevises: ", r->id);
    for (size_t i = 0; i < r->parents.count; i++) {
        dr_buf_printf(out, "%s%s", i == 0 ? "" : ", ", r->parents.items[i]);
    }
    dr_buf_printf(out, "\nCreate Date: %s\n\n\"\"\"\n", r->create_date);
    dr_buf_printf(out, "from alembic import op\nimport sqlalchemy as sa\n\nrevision = '%s'\n",
                  r->id);
    add_ids(out, "down_revision", &r->parents);
    add_ids(out, "branch_labels", &r->labels);
    add_ids(out, "depends_on", &r->depends_on);
    dr_buf_str(out, run_text);
}

static size_t
add_section(struct dr_buf *out, enum dr_sql_dialect dialect, const struct dr_revision *r,
            const struct dr_section *s)
{
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece;
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    size_t count = 0;
    dr_sql_lexer_init(&lexer, dialect, r->bytes + s->offset, s->length);
    if (s->outside_transaction) {
        dr_buf_str(out, "    with op.get_context().autocommit_block():\n");
    }
    while (dr_sql_lexer_next(&lexer, &piece, &rc, &ignored)) {
        dr_buf_str(out, s->outside_transaction ? "        run(" : "    run(");
        add_string(out, r->bytes + s->offset + piece.offset, piece.length);
        dr_buf_str(out, ")\n");
        count++;
    }
    return count;
}

static void
add_way(struct dr_buf *out, enum dr_sql_dialect dialect, const struct dr_revision *r,
        enum dr_section_kind kind)
{
    unsigned engine = dialect == DR_SQL_SQLITE ? DR_ENGINE_SQLITE : DR_ENGINE_POSTGRESQL;
    size_t count = 0;
    bool is_down = kind == DR_SECTION_DOWN;
    dr_buf_printf(out, "\n\ndef %s():\n", is_down ? "downgrade" : "upgrade");
    for (size_t i = 0; i < r->section_count; i++) {
        const struct dr_section *s = &r->sections[i];
        if (s->kind == kind && (s->engines & engine) != 0) {
            count += add_section(out, dialect, r, s);
        }
    }
    if (count == 0 && is_down && r->down_none) {
        dr_buf_str(out, "    raise NotImplementedError(");
        add_string(out, r->down_none_reason, strlen(r->down_none_reason));
        dr_buf_str(out, ".strip())\n");
    } else if (count == 0) {
        dr_buf_str(out, "    pass\n");
    }
}

static enum dr_rc
add_file(struct dr_folder *to, const char *name, struct dr_buf *text, struct dr_err *err)
{
    enum dr_rc rc = name == NULL || text->failed
                        ? dr_import_nomem(err)
                        : dr_folder_add(to, name, text->data, text->len, err);
    dr_buf_fini(text);
    return rc;
}

static enum dr_rc
write_revision(struct dr_import *import, const struct dr_node *node, struct dr_folder *to,
               struct dr_err *err)
{
    const struct dr_revision *r = node->revision;
    struct dr_buf text = {.max = 2 * DR_REVISION_FILE_MAX};
    enum dr_rc rc = dr_export_losses(import, node, false, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (strlen(r->id) > 32) {
        rc = dr_import_note(import, NULL, DR_IMPORT_HAND, r->path, r->id_line, err,
                            "the id has %zu characters: alembic_version holds 32, unless env.py "
                            "makes it wider",
                            strlen(r->id));
    }
    add_head(&text, r);
    add_way(&text, import->dialect, r, DR_SECTION_UP);
    add_way(&text, import->dialect, r, DR_SECTION_DOWN);
    const char *name = dr_arena_printf(import->arena, "migrations/versions/%s.py", r->id);
    if (rc != DR_OK) {
        dr_buf_fini(&text);
        return rc;
    }
    return add_file(to, name, &text, err);
}

enum dr_rc
dr_alembic_write(const struct dr_graph *graph, struct dr_import *import, struct dr_folder *to,
                 struct dr_err *err)
{
    struct dr_buf ini = {0};
    dr_buf_str(&ini, ini_text);
    dr_buf_str(&ini,
               import->dialect == DR_SQL_SQLITE ? "sqlite:///app.db\n" : "postgresql:///app\n");
    enum dr_rc rc = add_file(to, "alembic.ini", &ini, err);
    rc = rc == DR_OK ? dr_folder_add(to, "migrations/env.py", env_text, sizeof(env_text) - 1, err)
                     : rc;
    rc = rc == DR_OK
             ? dr_folder_add(to, "migrations/script.py.mako", mako_text, sizeof(mako_text) - 1, err)
             : rc;
    for (size_t i = 0; rc == DR_OK && i < dr_graph_count(graph); i++) {
        rc = write_revision(import, dr_graph_at(graph, i), to, err);
    }
    return rc;
}
