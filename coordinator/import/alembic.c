// Reader of Alembic's environments: the chain from the modules' literals, the SQL from the user's
// own Alembic; see alembic_chain.h and alembic_run.h.
//
// A revision that cannot be rendered offline, or that asks the database a question there, is run
// online against an empty scratch database while its statements are written down. What it asked is
// left out, what it changed stays; people are told to look at it.
#include "coordinator/import/alembic.h"

#include "base/str.h"
#include "coordinator/import/alembic_chain.h"
#include "coordinator/import/alembic_run.h"
#include "db/pg.h"
#include "engine/cluster.h"
#include "engine/scratch.h"
#include "sql/classify.h"
#include "sql/preflight.h"

#include <stdlib.h>
#include <string.h>

#define ANY_POSTGRESQL "postgresql://localhost/drover" // never connected to: names the dialect
#define ANY_SQLITE     "sqlite://"

struct rendering {
    struct dr_import *import;
    const struct dr_import_options *options;
    struct dr_err *err;
    struct dr_alembic_config config;
    struct dr_alembic_chain chain;
    struct dr_alembic_job job;
    struct dr_alembic_result offline, online;
};

// ---------------------------------------------------------------------------------------- dialect

static enum dr_sql_dialect
dialect_of_url(const char *url)
{
    bool is_pg = url != NULL && dr_str_starts(url, "postgres");
    bool is_sqlite = url != NULL && dr_str_starts(url, "sqlite");
    return is_pg ? DR_SQL_POSTGRESQL : is_sqlite ? DR_SQL_SQLITE : (enum dr_sql_dialect)0;
}

// Percent-encodes what may not stand in a part of a URL.
static void
add_escaped(struct dr_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || strchr("-._~", *c) != NULL;
        dr_buf_printf(out, is_plain ? "%c" : "%%%02X", is_plain ? *c : (unsigned char)*c);
    }
}

// SQLAlchemy's spelling of a URL of drover's, of which libpq has several.
static const char *
sqlalchemy_url(struct dr_arena *arena, const char *url)
{
    static const char *const keys[] = {"host", "port", "user", "password", "sslmode"};
    char value[1024] = "";
    struct dr_buf out = {0};
    if (dr_str_starts(url, "sqlite:")) {
        bool is_own = !dr_str_starts(url, "sqlite://");
        return is_own ? dr_arena_printf(arena, "sqlite:///%s", url + strlen("sqlite:")) : url;
    }
    if (strchr(url, '+') != NULL || !dr_pg_url_get(url, "dbname", value, sizeof(value))) {
        return url; // SQLAlchemy's own already: postgresql+psycopg2://
    }
    dr_buf_str(&out, "postgresql:///");
    add_escaped(&out, value);
    for (size_t i = 0, n = 0; i < DR_COUNT_OF(keys); i++) {
        if (dr_pg_url_get(url, keys[i], value, sizeof(value)) && value[0] != '\0') {
            dr_buf_printf(&out, "%c%s=", n++ == 0 ? '?' : '&', keys[i]);
            add_escaped(&out, value);
        }
    }
    const char *text = out.failed ? NULL : dr_arena_strn(arena, out.data, out.len);
    dr_buf_fini(&out);
    return text;
}

// The URL that Alembic is given instead of its own: the one named, or, where the ini's is for
// another engine than the one that is wanted or only a placeholder, one that names the dialect.
static const char *
choose_url(const struct rendering *r)
{
    const struct dr_import *import = r->import;
    if (r->options->url != NULL) {
        return sqlalchemy_url(import->arena, r->options->url);
    }
    enum dr_sql_dialect own = dialect_of_url(r->config.url);
    bool is_template = r->config.url == NULL || dr_str_starts(r->config.url, "driver://");
    if (import->is_engine_given ? own != import->dialect : is_template) {
        return import->is_engine_given && import->dialect == DR_SQL_SQLITE ? ANY_SQLITE
                                                                           : ANY_POSTGRESQL;
    }
    return NULL;
}

// The dialect that env.py came to.
static enum dr_rc
take_dialect(struct rendering *r)
{
    for (size_t i = 0; i < r->offline.count; i++) {
        const char *name = r->offline.scripts[i].dialect;
        if (name[0] == '\0') {
            continue;
        }
        enum dr_sql_dialect is = dialect_of_url(name);
        if (is == 0 || (r->import->is_engine_given && is != r->import->dialect)) {
            dr_err_set(r->err, DR_E_REVISION_ENGINE, "env.py speaks '%s'%s", name,
                       is == 0 ? ", which drover does not" : ", which is not what --engine says");
            return dr_err_hint(r->err,
                               "drover import alembic %s --url postgresql:///NAME, if env.py "
                               "takes sqlalchemy.url",
                               r->import->folder);
        }
        r->import->dialect = is;
        return DR_OK;
    }
    return DR_OK;
}

// ---------------------------------------------------------------------------------------- queries

// Does the statement only ask? Then it is no part of what the revision changes.
static bool
is_question(enum dr_sql_dialect dialect, const char *sql)
{
    struct dr_sql_preflight_fault fault;
    char words[64];
    size_t len = strlen(sql);
    dr_sql_first_words(sql, len, 1, words, sizeof(words));
    if (strcmp(words, "SHOW") == 0) {
        return true;
    }
    if (dialect == DR_SQL_SQLITE) {
        return strcmp(words, "SELECT") == 0 ||
               (strcmp(words, "PRAGMA") == 0 && strchr(sql, '=') == NULL);
    }
    bool is_select = strcmp(words, "SELECT") == 0;
    return dr_sql_preflight_allowed(dialect, sql, len, &fault) ||
           (is_select && strstr(sql, "FROM pg_catalog.") != NULL);
}

static bool
asks(const struct rendering *r, const struct dr_alembic_script *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (is_question(r->import->dialect, s->statements[i].sql)) {
            return true;
        }
    }
    return false;
}

static bool
is_refusal(const char *error)
{
    return dr_str_starts(error, "NotImplementedError");
}

// Offline is not enough for it.
static bool
needs_recording(const struct rendering *r, size_t i, bool is_up)
{
    const struct dr_alembic_module *m = r->chain.modules[i];
    const struct dr_alembic_script *s = dr_alembic_script(&r->offline, m->id, is_up);
    const char *hint = is_up ? m->asks_upgrade : m->asks_downgrade;
    if (s == NULL || s->is_import || (s->error != NULL && is_refusal(s->error))) {
        return false;
    }
    return s->error != NULL || (hint != NULL && asks(r, s));
}

// ------------------------------------------------------------------------------------------- runs

static enum dr_rc
record_in(struct rendering *r, const char *server)
{
    struct dr_scratch scratch = {0};
    enum dr_rc rc = dr_scratch_open(server, NULL, &scratch, r->err);
    if (rc == DR_OK) {
        r->job.scratch_url = sqlalchemy_url(r->import->arena, scratch.url);
        rc = r->job.scratch_url == NULL
                 ? dr_import_nomem(r->err)
                 : dr_alembic_run(&r->job, r->import->arena, &r->online, r->err);
    }
    r->job.scratch_url = NULL;
    dr_scratch_close(&scratch);
    return rc;
}

// The whole chain online, since each revision needs what those before it made.
static enum dr_rc
record(struct rendering *r)
{
    const char *server =
        r->options->scratch_url != NULL ? r->options->scratch_url : getenv("DROVER_SCRATCH_URL");
    struct dr_cluster *cluster = NULL;
    enum dr_rc rc = DR_OK;
    if (r->import->dialect == DR_SQL_SQLITE) {
        return record_in(r, "sqlite:scratch");
    }
    if (server == NULL || dialect_of_url(server) != DR_SQL_POSTGRESQL) {
        rc = dr_cluster_start(NULL, &cluster, r->err);
        server = rc == DR_OK ? dr_cluster_url(cluster) : NULL;
    }
    rc = rc == DR_OK ? record_in(r, server) : rc;
    dr_cluster_stop(&cluster);
    if (rc == DR_E_NOT_FOUND) { // no server here: what cannot be rendered is hand work
        rc = dr_import_note(r->import, NULL, DR_IMPORT_HAND, r->import->folder, 0, r->err,
                            "revisions that ask the database could not be recorded: %s",
                            r->err->message);
    }
    return rc;
}

static enum dr_rc
run_all(struct rendering *r)
{
    bool is_needed = false;
    r->job = (struct dr_alembic_job){.config = &r->config,
                                     .modules = r->chain.modules,
                                     .count = r->chain.count,
                                     .command = r->options->command,
                                     .url = choose_url(r)};
    if (r->config.script_location == NULL) {
        r->offline.fatal = "there is no env.py beside the modules, so Alembic cannot be run";
        return DR_OK;
    }
    enum dr_rc rc = dr_alembic_run(&r->job, r->import->arena, &r->offline, r->err);
    rc = rc == DR_OK ? take_dialect(r) : rc;
    for (size_t i = 0; rc == DR_OK && i < r->chain.count; i++) {
        is_needed = is_needed || needs_recording(r, i, true) || needs_recording(r, i, false);
    }
    return rc == DR_OK && is_needed ? record(r) : rc;
}

// ------------------------------------------------------------------------------------------ pieces

// The statement and its end, which a comment at the last line must not swallow.
static void
add_statement(struct dr_buf *out, const char *sql)
{
    size_t len = strlen(sql);
    while (len > 0 && strchr(" \t\r\n;", sql[len - 1]) != NULL) {
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", sql[0]) != NULL) {
        sql++;
        len--;
    }
    if (len == 0) {
        return;
    }
    size_t last = len;
    while (last > 0 && sql[last - 1] != '\n') {
        last--;
    }
    bool has_comment = memmem(sql + last, len - last, "--", 2) != NULL;
    dr_buf_add(out, sql, len);
    dr_buf_str(out, has_comment ? "\n;\n" : ";\n");
}

static enum dr_rc
end_piece(struct rendering *r, struct dr_buf *text, bool is_outside, const char *where,
          struct dr_import_pieces *to)
{
    if (text->len == 0) {
        return DR_OK;
    }
    struct dr_import_piece piece = {.sql = dr_arena_strn(r->import->arena, text->data, text->len),
                                    .len = text->len,
                                    .outside_transaction = is_outside,
                                    .file = where,
                                    .line = 1};
    dr_buf_reset(text);
    return piece.sql == NULL ? dr_import_nomem(r->err)
                             : dr_import_piece(r->import, to, &piece, r->err);
}

// Statements between two changes of the transaction make one piece.
static enum dr_rc
take_statements(struct rendering *r, struct dr_import_revision *revision,
                const struct dr_alembic_script *s, struct dr_import_pieces *to, size_t *out_left)
{
    const char *where = dr_arena_printf(r->import->arena, "%s, SQL of %s", revision->file,
                                        s->is_up ? "upgrade()" : "downgrade()");
    struct dr_buf text = {.max = DR_REVISION_FILE_MAX};
    enum dr_rc rc = where == NULL ? dr_import_nomem(r->err) : DR_OK;
    bool is_outside = false;
    for (size_t i = 0; rc == DR_OK && i < s->count; i++) {
        const struct dr_alembic_statement *one = &s->statements[i];
        if (s->is_recorded && is_question(r->import->dialect, one->sql)) {
            (*out_left)++;
            continue;
        }
        if (one->is_outside != is_outside || one->is_outside) {
            rc = end_piece(r, &text, is_outside, where, to);
            is_outside = one->is_outside;
        }
        add_statement(&text, one->sql);
    }
    if (rc == DR_OK && text.failed) {
        rc = dr_err_set(r->err, DR_E_LIMIT, "the SQL of '%s' is too long", revision->id);
    }
    rc = rc == DR_OK ? end_piece(r, &text, is_outside, where, to) : rc;
    dr_buf_fini(&text);
    return rc;
}

// ------------------------------------------------------------------------------------------ notes

static enum dr_rc
tell_recorded(struct rendering *r, struct dr_import_revision *revision,
              const struct dr_alembic_module *m, const struct dr_alembic_script *s, size_t left)
{
    const char *why = s->is_up ? m->asks_upgrade : m->asks_downgrade;
    const char *way = s->is_up ? "upgrade()" : "downgrade()";
    const char *text =
        dr_arena_printf(r->import->arena,
                        "%s%s%s was recorded on an empty database, since it needs one: review it.",
                        revision->text == NULL ? "" : revision->text,
                        revision->text == NULL || revision->text[0] == '\0' ? "" : "\n", way);
    if (text == NULL) {
        return dr_import_nomem(r->err);
    }
    revision->text = text;
    return dr_import_note(r->import, revision, DR_IMPORT_CHANGED, revision->file, 0, r->err,
                          "%s was recorded on an empty database, since it needs one (%s); %zu "
                          "question%s left out: review what it does to rows",
                          way, why != NULL ? why : "it cannot be rendered offline", left,
                          left == 1 ? " is" : "s are");
}

static enum dr_rc
tell_failed(struct rendering *r, struct dr_import_revision *revision, bool is_up, const char *error)
{
    const char *way = is_up ? "upgrade()" : "downgrade()";
    if (!is_up && error != NULL && is_refusal(error)) {
        const char *why = strchr(error, ':');
        revision->no_down = why != NULL && why[1] != '\0' && strlen(why) < DR_REVISION_NAME_MAX &&
                                    strchr(why, '"') == NULL
                                ? why + 2
                                : "downgrade() of the Alembic module refuses";
        return dr_import_note(r->import, revision, DR_IMPORT_CHANGED, revision->file, 0, r->err,
                              "downgrade() refuses: '%s'; there is no way back", error);
    }
    if (!is_up) {
        revision->no_down = "not imported: the SQL of downgrade() is to be written here";
    }
    return dr_import_note(r->import, revision, DR_IMPORT_HAND, revision->file, 0, r->err,
                          "the SQL of %s is missing: %s", way,
                          error != NULL ? error : "Alembic did not come so far");
}

// Offline it failed with `error`; online the run never came to it.
static const char *
why_not_recorded(const struct rendering *r, const char *error)
{
    const char *text = NULL;
    for (size_t i = 0; text == NULL && i < r->online.count; i++) {
        const struct dr_alembic_script *s = &r->online.scripts[i];
        if (s->error != NULL) {
            text = dr_arena_printf(r->import->arena,
                                   "%s; and '%s', before it on a database, failed: %s", error,
                                   s->revision, s->error);
        }
    }
    return text != NULL ? text : error;
}

static enum dr_rc
take_way(struct rendering *r, size_t i, bool is_up)
{
    const struct dr_alembic_module *m = r->chain.modules[i];
    struct dr_import_revision *revision = r->chain.revisions[i];
    struct dr_import_pieces *to = is_up ? &revision->up : &revision->down;
    const struct dr_alembic_script *s = dr_alembic_script(&r->offline, m->id, is_up);
    size_t left = 0;
    if (needs_recording(r, i, is_up)) {
        const struct dr_alembic_script *online = dr_alembic_script(&r->online, m->id, is_up);
        const char *offline_error = s->error;
        s = online;
        if (s == NULL && offline_error != NULL) {
            return tell_failed(r, revision, is_up, why_not_recorded(r, offline_error));
        }
    }
    if (s == NULL || s->error != NULL) {
        return tell_failed(r, revision, is_up, s == NULL ? r->online.fatal : s->error);
    }
    enum dr_rc rc = take_statements(r, revision, s, to, &left);
    if (rc == DR_OK && to->count == 0 && !is_up) {
        revision->no_down = "downgrade() of the Alembic module does nothing";
    }
    return rc == DR_OK && s->is_recorded ? tell_recorded(r, revision, m, s, left) : rc;
}

// Nothing could be run: every revision is a header with its SQL to be written.
static enum dr_rc
tell_fatal(struct rendering *r)
{
    const char *try = r->offline.is_absent
                          ? "install it (apt-get install alembic), or name it with --command PATH"
                          : "mend that, then import again, or write the SQL by hand";
    enum dr_rc rc = dr_import_note(r->import, NULL, DR_IMPORT_HAND, r->import->folder, 0, r->err,
                                   "Alembic cannot be run, so there are only headers: %s; %s",
                                   r->offline.fatal, try);
    for (size_t i = 0; rc == DR_OK && i < r->chain.count; i++) {
        struct dr_import_revision *revision = r->chain.revisions[i];
        const struct dr_alembic_module *m = r->chain.modules[i];
        if (!(m->empty_upgrade && m->empty_downgrade)) {
            revision->no_down = "not imported: the SQL of downgrade() is to be written here";
            rc = dr_import_note(r->import, revision, DR_IMPORT_HAND, revision->file, 0, r->err,
                                "the SQL of upgrade() and downgrade() is missing");
        }
    }
    return rc;
}

enum dr_rc
dr_alembic_read(struct dr_import *import, const struct dr_import_options *options,
                struct dr_err *err)
{
    struct rendering r = {.import = import, .options = options, .err = err};
    enum dr_rc rc =
        dr_alembic_config_find(import->folder, "alembic", import->arena, &r.config, err);
    rc = rc == DR_OK ? dr_alembic_chain_read(import, &r.config, &r.chain, err) : rc;
    if (rc == DR_OK && !import->is_engine_given && dialect_of_url(r.config.url) != 0) {
        import->dialect = dialect_of_url(r.config.url);
    }
    rc = rc == DR_OK ? run_all(&r) : rc;
    if (rc != DR_OK || r.offline.fatal != NULL) {
        return rc == DR_OK ? tell_fatal(&r) : rc;
    }
    for (size_t i = 0; rc == DR_OK && i < r.chain.count; i++) {
        rc = take_way(&r, i, true);
        rc = rc == DR_OK ? take_way(&r, i, false) : rc;
    }
    return rc;
}
