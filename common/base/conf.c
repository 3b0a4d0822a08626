// Configuration through libconfuse (this file is its only door). Our table of keys is turned into
// libconfuse's; its errors are caught with file and line.

#include "base/conf.h"

#include "base/conf_scan.h"
#include "base/file.h"
#include "base/str.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_PER_SECTION_MAX 64u
#define DURATION_MAX_MS      (10ull * 365 * 86400 * 1000)

struct dr_conf {
    cfg_t *cfg;
    const struct dr_conf_key *keys;
    struct dr_conf *root;      // itself for the file
    char path[PATH_MAX];       // the file's only
    struct dr_conf **sections; // of the file, in the order they were asked for; owned
    size_t n_sections;
};

// libconfuse's error function has no argument of its own.
static _Thread_local struct dr_err *collecting;

static void DR_PRINTF(2, 0) note_error(cfg_t *cfg, const char *fmt, va_list args)
{
    char text[512];
    if (collecting == NULL || collecting->rc != DR_OK) {
        return;
    }
    vsnprintf(text, sizeof(text), fmt, args);
    dr_err_set(collecting, DR_E_CONFIG, "%s", text);
    dr_err_at(collecting, cfg->filename ? cfg->filename : "",
              (uint32_t)(cfg->line > 0 ? cfg->line : 1), 1);
}

static void
free_opts(cfg_opt_t *opts)
{
    for (cfg_opt_t *o = opts; o != NULL && o->name != NULL; o++) {
        free_opts(o->subopts);
    }
    free(opts);
}

static bool
parse_bool(const char *text, bool *out)
{
    *out = dr_str_eq(text, "true") || dr_str_eq(text, "yes") || dr_str_eq(text, "on");
    return *out || dr_str_eq(text, "false") || dr_str_eq(text, "no") || dr_str_eq(text, "off");
}

static bool
parse_int(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

// Called by libconfuse when a value was read, while it still knows the line.
static int
refuse(cfg_t *cfg, cfg_opt_t *opt, const char *wanted)
{
    cfg_error(cfg, "'%s' is %s, not '%s'", cfg_opt_name(opt), wanted, cfg_opt_getstr(opt));
    return -1;
}

static int
check_bool(cfg_t *cfg, cfg_opt_t *opt)
{
    bool truth;
    return parse_bool(cfg_opt_getstr(opt), &truth) ? 0 : refuse(cfg, opt, "true or false");
}

static int
check_int(cfg_t *cfg, cfg_opt_t *opt)
{
    int64_t number;
    return parse_int(cfg_opt_getstr(opt), &number) ? 0 : refuse(cfg, opt, "a whole number");
}

static int
check_duration(cfg_t *cfg, cfg_opt_t *opt)
{
    uint64_t ms;
    return dr_parse_duration_ms(cfg_opt_getstr(opt), DURATION_MAX_MS, &ms)
               ? 0
               : refuse(cfg, opt, "a time such as 500ms, 30s, 10min, 4h or 30d");
}

static cfg_validate_callback_t
checker_of(enum dr_conf_type type)
{
    switch (type) {
    case DR_CONF_BOOL:
        return check_bool;
    case DR_CONF_INT:
        return check_int;
    case DR_CONF_DURATION:
        return check_duration;
    case DR_CONF_STR:
    case DR_CONF_LIST:
    case DR_CONF_SECTION:
        break;
    }
    return NULL;
}

// One libconfuse row per key; every scalar is a string or number without default, ours are applied
// on reading.
static cfg_opt_t *
make_opts(const struct dr_conf_key *keys)
{
    size_t n = 0;
    while (keys[n].name != NULL) {
        n++;
    }
    assert(n < KEYS_PER_SECTION_MAX);
    cfg_opt_t *opts = calloc(n + 1, sizeof(*opts));
    for (size_t i = 0; opts != NULL && i < n; i++) {
        cfg_opt_t str = CFG_STR(keys[i].name, NULL, CFGF_NODEFAULT);
        cfg_opt_t list = CFG_STR_LIST(keys[i].name, NULL, CFGF_NODEFAULT);
        cfg_opt_t sec = CFG_SEC(keys[i].name, NULL, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
        opts[i] = keys[i].type == DR_CONF_LIST ? list : keys[i].type == DR_CONF_SECTION ? sec : str;
        opts[i].validcb = checker_of(keys[i].type);
        if (keys[i].type == DR_CONF_SECTION) {
            opts[i].subopts = make_opts(keys[i].section);
        }
    }
    return opts;
}

static const struct dr_conf_key *
find_key(const struct dr_conf *conf, const char *name)
{
    for (const struct dr_conf_key *k = conf->keys; k->name != NULL; k++) {
        if (dr_str_eq(k->name, name)) {
            return k;
        }
    }
    assert(!"a configuration key that is not in the table");
    return NULL;
}

static const char *
value_of(const struct dr_conf *conf, const char *key)
{
    const struct dr_conf_key *row = find_key(conf, key);
    const char *value = cfg_size(conf->cfg, key) > 0 ? cfg_getstr(conf->cfg, key) : NULL;
    return value != NULL ? value : row->fallback;
}

// A required key has a value, a list at least one, a section stands at least once.
static enum dr_rc
check_present(const struct dr_conf *conf, const struct dr_conf_key *key, struct dr_err *err)
{
    if (!key->is_required || cfg_size(conf->cfg, key->name) > 0 || key->fallback != NULL) {
        return DR_OK;
    }
    const char *help = key->help == NULL ? "" : key->help;
    (void)dr_err_set(err, DR_E_CONFIG, "'%s' is missing%s%s", key->name,
                     help[0] == '\0' ? "" : ": ", help);
    return dr_err_at(err, conf->root->path, (uint32_t)(conf->cfg->line > 0 ? conf->cfg->line : 1),
                     1);
}

static struct dr_conf *
add_section(struct dr_conf *root, cfg_t *cfg, const struct dr_conf_key *keys)
{
    struct dr_conf *section = calloc(1, sizeof(*section));
    struct dr_conf **grown =
        realloc(root->sections, (root->n_sections + 1) * sizeof(struct dr_conf *));
    if (grown != NULL) {
        root->sections = grown;
    }
    if (section == NULL || grown == NULL) {
        free(section);
        return NULL;
    }
    *section = (struct dr_conf){.cfg = cfg, .keys = keys, .root = root};
    root->sections[root->n_sections++] = section;
    return section;
}

// Looks for what is missing and makes an object for each section.
static enum dr_rc
check_all(struct dr_conf *conf, struct dr_err *err)
{
    for (const struct dr_conf_key *k = conf->keys; k->name != NULL; k++) {
        enum dr_rc rc = check_present(conf, k, err);
        unsigned sections = k->type == DR_CONF_SECTION ? cfg_size(conf->cfg, k->name) : 0;
        for (unsigned i = 0; rc == DR_OK && i < sections; i++) {
            struct dr_conf *section =
                add_section(conf->root, cfg_getnsec(conf->cfg, k->name, i), k->section);
            rc = section ? check_all(section, err) : dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        if (rc != DR_OK) {
            return rc;
        }
    }
    return DR_OK;
}

// "known names: agent, environment, target { url }"
static void
hint_known_names(const struct dr_conf_key *keys, struct dr_err *err)
{
    struct dr_buf names = {0};
    for (const struct dr_conf_key *k = keys; k->name != NULL; k++) {
        dr_buf_printf(&names, "%s%s", k > keys ? ", " : "", k->name);
        for (const struct dr_conf_key *in = k->section; in != NULL && in->name != NULL; in++) {
            dr_buf_printf(&names, "%s%s%s", in == k->section ? " { " : ", ", in->name,
                          in[1].name == NULL ? " }" : "");
        }
    }
    (void)dr_err_hint(err, "known names: %s", names.data != NULL ? names.data : "");
    dr_buf_fini(&names);
}

static enum dr_rc
parse(struct dr_conf *conf, const char *text, struct dr_err *err)
{
    struct dr_err noted = {0};
    cfg_opt_t *opts = make_opts(conf->keys);
    conf->cfg = opts != NULL ? cfg_init(opts, CFGF_NONE) : NULL;
    free_opts(opts); // cfg_init made a copy
    if (conf->cfg == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    cfg_set_error_function(conf->cfg, note_error);
    conf->cfg->filename = strdup(conf->path);
    collecting = &noted;
    int result = cfg_parse_buf(conf->cfg, text);
    collecting = NULL;
    if (result != CFG_SUCCESS) {
        if (noted.rc == DR_OK) {
            dr_err_set(&noted, DR_E_CONFIG, "'%s' cannot be read as a configuration", conf->path);
        }
        if (err != NULL) {
            *err = noted;
            dr_err_at(err, conf->path, noted.line, 1);
            if (strncmp(noted.message, "no such option", strlen("no such option")) == 0) {
                hint_known_names(conf->keys, err);
            }
        }
        return DR_E_CONFIG;
    }
    return check_all(conf, err);
}

enum dr_rc
dr_conf_read(const char *path, const struct dr_conf_key *keys, struct dr_conf **out,
             struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    struct dr_conf *conf = calloc(1, sizeof(*conf));
    if (conf == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    conf->keys = keys;
    conf->root = conf;
    enum dr_rc rc = dr_file_read(path, DR_CONF_FILE_MAX, &text, &len, err);
    if (rc == DR_OK && realpath(path, conf->path) == NULL) {
        rc = dr_err_errno(err, DR_E_IO, errno, "'%s' cannot be read", path);
    }
    rc = rc == DR_OK ? dr_conf_scan(conf->path, text, len, err) : rc;
    rc = rc == DR_OK ? parse(conf, text, err) : rc;
    free(text);
    if (rc != DR_OK) {
        dr_conf_free(&conf);
        return rc;
    }
    *out = conf;
    return DR_OK;
}

void
dr_conf_free(struct dr_conf **conf)
{
    struct dr_conf *c = *conf;
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->n_sections; i++) {
        free(c->sections[i]);
    }
    free(c->sections);
    if (c->cfg != NULL) {
        cfg_free(c->cfg);
    }
    free(c);
    *conf = NULL;
}

const char *
dr_conf_str(const struct dr_conf *conf, const char *key)
{
    return value_of(conf, key);
}

int64_t
dr_conf_int(const struct dr_conf *conf, const char *key)
{
    int64_t number = 0;
    const char *text = value_of(conf, key);
    return text != NULL && parse_int(text, &number) ? number : 0;
}

bool
dr_conf_bool(const struct dr_conf *conf, const char *key)
{
    bool truth = false;
    const char *text = value_of(conf, key);
    return text != NULL && parse_bool(text, &truth) && truth;
}

uint64_t
dr_conf_duration_ms(const struct dr_conf *conf, const char *key)
{
    uint64_t ms = 0;
    const char *text = value_of(conf, key);
    return text != NULL && dr_parse_duration_ms(text, DURATION_MAX_MS, &ms) ? ms : 0;
}

size_t
dr_conf_list_len(const struct dr_conf *conf, const char *key)
{
    find_key(conf, key);
    return cfg_size(conf->cfg, key);
}

const char *
dr_conf_list_at(const struct dr_conf *conf, const char *key, size_t i)
{
    assert(i < dr_conf_list_len(conf, key));
    return cfg_getnstr(conf->cfg, key, (unsigned)i);
}

size_t
dr_conf_section_count(const struct dr_conf *conf, const char *key)
{
    find_key(conf, key);
    return cfg_size(conf->cfg, key);
}

const struct dr_conf *
dr_conf_section_at(const struct dr_conf *conf, const char *key, size_t i)
{
    cfg_t *wanted = cfg_getnsec(conf->cfg, key, (unsigned)i);
    for (size_t j = 0; j < conf->root->n_sections; j++) {
        if (conf->root->sections[j]->cfg == wanted) {
            return conf->root->sections[j];
        }
    }
    assert(!"a section that is not there");
    return NULL;
}

const char *
dr_conf_title(const struct dr_conf *section)
{
    return cfg_title(section->cfg);
}

const char *
dr_conf_path(const struct dr_conf *conf)
{
    return conf->root->path;
}

void
dr_conf_resolve(const struct dr_conf *conf, const char *path, char *out, size_t out_size)
{
    const char *file = conf->root->path;
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || slash == NULL) {
        snprintf(out, out_size, "%s", path);
    } else {
        snprintf(out, out_size, "%.*s/%s", (int)(slash - file), file, path);
    }
}
