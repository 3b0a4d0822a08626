// A signature on a root, fleet or chain, and on what must hold together with it.

#include "coordinator/cli/signing.h"
#include "coordinator/cli/offer.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/trust_words.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONF_MAX (1u << 20)

static bool
is_root(const struct dr_signing *s)
{
    return dr_str_eq(s->document.file.kind, DR_TYPE_ROOT);
}

// Is it the root that comes after the one in force?
static bool
is_next_root(const struct dr_signing *s)
{
    return is_root(s) && s->now->root.msg != NULL &&
           s->document.version > s->now->root.msg->version;
}

static enum dr_rc
count(struct dr_signing *s, struct dr_signing_file *f, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    f->have_old = f->need_old = f->have = f->need = 0;
    if (s->root == NULL) {
        return DR_OK;
    }
    rc = dr_trust_file_count(s->cli, s->root, &f->file, &f->have, &f->need, err);
    if (rc == DR_OK && f == &s->document && is_next_root(s)) {
        rc = dr_trust_file_count(s->cli, s->now->root.msg, &f->file, &f->have_old, &f->need_old,
                                 err);
    }
    f->is_complete = f->need > 0 && f->have >= f->need && f->have_old >= f->need_old;
    return rc;
}

static enum dr_rc
count_all(struct dr_signing *s, struct dr_err *err)
{
    enum dr_rc rc = count(s, &s->document, err);
    for (size_t i = 0; rc == DR_OK && i < s->n_with; i++) {
        rc = count(s, &s->with[i], err);
    }
    return rc;
}

// The fleet and chain in force, where the next root would not accept their signatures.
static enum dr_rc
find_companions(struct dr_signing *s, struct dr_err *err)
{
    static const char *const types[2] = {DR_TYPE_FLEET, DR_TYPE_CHAIN};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(types) && is_next_root(s); i++) {
        struct dr_signing_file *f = &s->with[s->n_with];
        struct dr_signing inner = {.cli = s->cli, .now = s->now};
        rc = dr_signing_in_force(s->cli, s->now, types[i], f, err);
        if (rc != DR_OK || f->path == NULL) {
            continue;
        }
        inner.document = *f;
        rc = count(s, f, err);
        if (rc == DR_OK && !f->is_complete) {
            rc = dr_signing_read_words(&inner, err);
            f->version = inner.document.version;
            s->n_with++;
        }
        dr_buf_fini(&inner.changes);
    }
    return rc;
}

static enum dr_rc
prepare(struct dr_signing *s, struct dr_err *err)
{
    s->root = s->now->root.msg; // read_words puts a root's own in its place
    enum dr_rc rc = dr_signing_read_words(s, err);
    if (rc == DR_OK && s->root == NULL) { // a fleet beside a first root that is not complete
        struct dr_signing first = {.cli = s->cli, .now = s->now};
        struct dr_err ignored = {0};
        const char *path = dr_trust_file_path(s->cli, "root", 1);
        if (dr_path_exists(path) &&
            dr_trust_file_read(s->cli, path, &first.document.file, &ignored) == DR_OK &&
            dr_signing_read_words(&first, &ignored) == DR_OK) {
            s->root = first.root;
        }
        dr_buf_fini(&first.changes);
    }
    rc = rc == DR_OK ? find_companions(s, err) : rc;
    return rc == DR_OK ? count_all(s, err) : rc;
}

enum dr_rc
dr_signing_begin(struct dr_cli *cli, const struct dr_trust_now *now, const char *path,
                 const struct dr_trust_file *file, struct dr_signing *out, struct dr_err *err)
{
    *out = (struct dr_signing){.cli = cli, .now = now};
    out->document.path = path;
    out->document.file = *file;
    return prepare(out, err);
}

enum dr_rc
dr_signing_open(struct dr_cli *cli, const struct dr_trust_now *now, const char *name,
                struct dr_signing *out, struct dr_err *err)
{
    *out = (struct dr_signing){.cli = cli, .now = now};
    enum dr_rc rc = dr_signing_find(cli, now, name, &out->document, err);
    const char *kind = out->document.file.kind;
    if (rc == DR_OK && !dr_str_eq(kind, DR_TYPE_ROOT) && !dr_str_eq(kind, DR_TYPE_FLEET) &&
        !dr_str_eq(kind, DR_TYPE_CHAIN)) {
        dr_err_set(err, DR_E_USAGE, "'%s' is a %s document", name, kind);
        rc = dr_err_hint(err, "drover approve and drover checklist sign these");
    }
    return rc == DR_OK ? prepare(out, err) : rc;
}

void
dr_signing_fini(struct dr_signing *s)
{
    dr_buf_fini(&s->changes);
}

// ---- signing

// Somebody whom the roots do not name may sign as often as he wants: it counts nothing.
static enum dr_rc
check_signer(const struct dr_signing *s, const struct dr_key *key, struct dr_err *err)
{
    const Drover__V1__Root *held = s->now->root.msg;
    if (s->root == NULL || dr_root_person_by_signing(s->root, key->public_key) != NULL ||
        (held != NULL && dr_root_person_by_signing(held, key->public_key) != NULL)) {
        return DR_OK;
    }
    struct dr_buf names = {0};
    for (size_t i = 0; i < s->root->n_people; i++) {
        dr_buf_printf(&names, "%s%s", i ? ", " : "", s->root->people[i]->name);
    }
    dr_err_set(err, DR_E_PERMISSION,
               "this key belongs to nobody whom the root names; nothing was signed");
    dr_err_hint(err, "--key FILE with the key of one of: %s", names.data ? names.data : "");
    dr_buf_fini(&names);
    return err->rc;
}

static enum dr_rc
add_one(struct dr_signing *s, struct dr_signing_file *f, const struct dr_key *key,
        struct dr_err *err)
{
    struct dr_envelope envelope;
    enum dr_rc rc = dr_envelope_parse(f->file.envelope, NULL, &envelope, err);
    rc = rc == DR_OK ? dr_envelope_add(s->cli->arena, &envelope, key, &f->file.envelope, err) : rc;
    return rc == DR_OK ? dr_trust_file_write(f->path, &f->file, err) : rc;
}

enum dr_rc
dr_signing_add(struct dr_signing *s, const struct dr_key *key, struct dr_err *err)
{
    enum dr_rc rc = check_signer(s, key, err);
    for (size_t i = 0; rc == DR_OK && i < s->n_with; i++) {
        rc = add_one(s, &s->with[i], key, err);
    }
    rc = rc == DR_OK ? add_one(s, &s->document, key, err) : rc;
    return rc == DR_OK ? count_all(s, err) : rc;
}

// ---- saying how far it is

// Notes the pin in drover.conf the first time that the root is complete.
static enum dr_rc
note_pin(struct dr_signing *s, const char *pin, struct dr_err *err)
{
    const struct dr_project *p = s->cli->project;
    char *text = NULL;
    size_t len = 0;
    if (p->conf_path[0] == '\0' || p->has_root_pin) {
        return DR_OK;
    }
    enum dr_rc rc = dr_file_read(p->conf_path, CONF_MAX, &text, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_buf out = {0};
    dr_buf_printf(&out, "%s%sroot_sha256 = \"%s\"\n", text,
                  len > 0 && text[len - 1] != '\n' ? "\n" : "", pin);
    rc = dr_file_write(p->conf_path, out.data, out.len, 0644, err);
    dr_buf_fini(&out);
    free(text);
    if (rc == DR_OK) {
        dr_say(s->cli, "noted root_sha256 in %s\n", dr_project_shown(s->cli, p->conf_path));
    }
    return rc;
}

static void
say_counts(const struct dr_signing *s)
{
    const struct dr_signing_file *f = &s->document;
    if (f->need == 0) {
        dr_say(s->cli, "Signed: %s\n", f->path);
    } else if (f->need_old > 0) {
        dr_say(s->cli, "Signed: %u of %u for root %llu, %u of %u for root %llu\n", f->have_old,
               f->need_old, (unsigned long long)s->now->root.msg->version, f->have, f->need,
               (unsigned long long)f->version);
    } else {
        dr_say(s->cli, "Signed: %u of %u\n", f->have, f->need);
    }
    for (size_t i = 0; i < s->n_with; i++) {
        dr_say(s->cli, "Signed: %u of %u, %s\n", s->with[i].have, s->with[i].need,
               dr_project_shown(s->cli, s->with[i].path));
    }
}

static void
print_json(const struct dr_signing *s, const char *pin)
{
    const struct dr_signing_file *f = &s->document;
    if (s->cli->format == DR_CLI_TEXT) {
        return;
    }
    dr_print_json(s->cli, json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:b, s:o, s:s*}", "schema",
                                    "drover.v1.Signed", "document",
                                    is_root(s)                               ? "root"
                                    : dr_str_eq(f->file.kind, DR_TYPE_FLEET) ? "fleet"
                                                                             : "chain",
                                    "file", f->path, "version", (json_int_t)f->version,
                                    "signatures", (int)f->have, "needed", (int)f->need, "complete",
                                    f->is_complete, "changes", dr_words_lines(&s->changes),
                                    "rootSha256", pin[0] ? pin : NULL));
}

// What the next person types, on an own copy of the project or through the coordinator.
static void
say_next(const struct dr_signing *s)
{
    const struct dr_signing_file *f = &s->document;
    if (f->is_complete || f->need == 0 || s->cli->format != DR_CLI_TEXT) {
        return;
    }
    dr_say(s->cli, "next: another signer types  drover sign %s\n",
           dr_project_shown(s->cli, f->path));
    for (size_t i = 0; s->now->root.msg != NULL && is_root(s) && i < s->root->n_people; i++) {
        if (dr_root_person_index(s->now->root.msg, s->root->people[i]->name) < 0) {
            dr_say(s->cli,
                   "      %s is new: pass the folder trust/ on (git push); the coordinator knows "
                   "%s once the root is complete\n",
                   s->root->people[i]->name, s->root->people[i]->name);
        }
    }
}

enum dr_rc
dr_signing_report(struct dr_signing *s, struct dr_err *err)
{
    uint8_t digest[32];
    char pin[65] = "";
    struct dr_signing_file *f = &s->document;
    bool is_first = is_root(s) && f->version == 1;
    enum dr_rc rc = DR_OK;
    say_counts(s);
    if (is_first && f->is_complete) {
        dr_sha256(f->file.envelope, digest);
        dr_hex(pin, digest, 32);
        dr_say(s->cli, "Root complete, SHA-256 %s\n", pin);
        rc = note_pin(s, pin, err);
    }
    if (rc == DR_OK && !is_first) {
        dr_offer(s->cli, f->path, &f->file, NULL);
        for (size_t i = 0; i < s->n_with; i++) {
            dr_offer(s->cli, s->with[i].path, &s->with[i].file, NULL);
        }
    }
    say_next(s);
    print_json(s, pin);
    return rc;
}
