// alembic.ini, and the folders that it names. See alembic_config.h.
#include "coordinator/import/alembic_config.h"

#include "base/file.h"
#include "base/str.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXPAND_DEPTH_MAX 8u

struct ini {
    const char *path, *here;
    struct dr_arena *arena;
    struct {
        const char *section, *name, *value;
    } keys[DR_ALEMBIC_KEYS_MAX];
    size_t count;
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static bool
is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char *
join(struct dr_arena *arena, const char *folder, const char *name)
{
    return name[0] == '/' ? name : dr_arena_printf(arena, "%s/%s", folder, name);
}

static bool
has_file(struct dr_arena *arena, const char *folder, const char *name)
{
    const char *path = join(arena, folder, name);
    return path != NULL && dr_path_exists(path);
}

static const char *
folder_of(struct dr_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL   ? "."
           : slash == path ? "/"
                           : dr_arena_strn(arena, path, (size_t)(slash - path));
}

// -------------------------------------------------------------------------------------------- ini

static const char *
raw_value(const struct ini *ini, const char *section, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < ini->count; i++) {
        if (strcmp(ini->keys[i].name, name) != 0) {
            continue;
        }
        if (strcmp(ini->keys[i].section, section) == 0) {
            return ini->keys[i].value;
        }
        found = strcmp(ini->keys[i].section, "DEFAULT") == 0 ? ini->keys[i].value : found;
    }
    return found != NULL || strcmp(name, "here") != 0 ? found : ini->here;
}

// `%(name)s` and `%%` of a value; an unknown name stays as it is written.
static void
expand(const struct ini *ini, const char *section, const char *value, unsigned depth,
       struct dr_buf *out)
{
    for (const char *c = value; *c != '\0'; c++) {
        const char *end = c[0] == '%' && c[1] == '(' ? strstr(c, ")s") : NULL;
        if (c[0] == '%' && c[1] == '%') {
            dr_buf_str(out, "%");
            c++;
            continue;
        }
        const char *name =
            end == NULL ? NULL : dr_arena_strn(ini->arena, c + 2, (size_t)(end - c - 2));
        const char *other = name == NULL ? NULL : raw_value(ini, section, name);
        if (other != NULL && depth < EXPAND_DEPTH_MAX) {
            expand(ini, section, other, depth + 1, out);
            c = end + 1;
        } else {
            dr_buf_add(out, c, 1);
        }
    }
}

static const char *
value_of(const struct ini *ini, const char *section, const char *name)
{
    const char *raw = raw_value(ini, section, name);
    if (raw == NULL || raw[0] == '\0') {
        return NULL;
    }
    struct dr_buf text = {.max = DR_ALEMBIC_INI_MAX};
    expand(ini, section, raw, 0, &text);
    const char *value = dr_arena_strn(ini->arena, text.data ? text.data : "", text.len);
    dr_buf_fini(&text);
    return value;
}

static const char *
trimmed(struct dr_arena *arena, const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL) {
        len--;
    }
    while (len > 0 && strchr(" \t\r", text[0]) != NULL) {
        text++;
        len--;
    }
    return dr_arena_strn(arena, text, len);
}

// A line that belongs to the value before it.
static bool
continue_value(struct ini *ini, const char *line, size_t len)
{
    const char *more = trimmed(ini->arena, line, len);
    const char *before = ini->keys[ini->count - 1].value;
    const char *whole = more == NULL ? NULL : dr_arena_printf(ini->arena, "%s\n%s", before, more);
    ini->keys[ini->count - 1].value = whole;
    return whole != NULL;
}

static enum dr_rc
take_line(struct ini *ini, const char **section, const char *line, size_t len, uint32_t number,
          struct dr_err *err)
{
    bool is_indented = len > 0 && (line[0] == ' ' || line[0] == '\t');
    const char *text = trimmed(ini->arena, line, len);
    if (text == NULL) {
        return no_memory(err);
    }
    if (text[0] == '\0' || text[0] == '#' || text[0] == ';') {
        return DR_OK;
    }
    if (is_indented && ini->count > 0) {
        return continue_value(ini, line, len) ? DR_OK : no_memory(err);
    }
    if (text[0] == '[') {
        *section = dr_arena_strn(ini->arena, text + 1, strcspn(text + 1, "]"));
        return *section != NULL ? DR_OK : no_memory(err);
    }
    size_t n = strcspn(text, "=:");
    if (text[n] == '\0' || (*section)[0] == '\0') {
        (void)dr_err_set(err, DR_E_CONFIG, "this is neither a section nor a key with a value");
        return dr_err_at(err, ini->path, number, 1);
    }
    if (ini->count == DR_ALEMBIC_KEYS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "'%s' has more than %u keys", ini->path,
                          DR_ALEMBIC_KEYS_MAX);
    }
    ini->keys[ini->count].section = *section;
    ini->keys[ini->count].name = trimmed(ini->arena, text, n);
    ini->keys[ini->count].value = trimmed(ini->arena, text + n + 1, strlen(text + n + 1));
    bool is_good = ini->keys[ini->count].name != NULL && ini->keys[ini->count].value != NULL;
    ini->count++;
    return is_good ? DR_OK : no_memory(err);
}

static enum dr_rc
read_ini(struct ini *ini, struct dr_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    const char *section = "";
    uint32_t number = 0;
    enum dr_rc rc = dr_file_read(ini->path, DR_ALEMBIC_INI_MAX, &bytes, &len, err);
    const char *line = bytes;
    if (rc == DR_OK && len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        line += 3;
    }
    while (rc == DR_OK && *line != '\0') {
        size_t n = strcspn(line, "\n");
        rc = take_line(ini, &section, line, n, ++number, err);
        line += line[n] == '\0' ? n : n + 1;
    }
    free(bytes);
    return rc;
}

// ---------------------------------------------------------------------------------------- folders

// "package.sub:migrations" is a folder of a package; else a path.
static const char *
location(const struct ini *ini, const char *value)
{
    const char *colon = strchr(value, ':');
    if (colon == NULL || value[0] == '/') {
        return join(ini->arena, ini->here, value);
    }
    char *path = dr_arena_printf(ini->arena, "%.*s/%s", (int)(colon - value), value, colon + 1);
    for (char *c = path; c != NULL && c - path < colon - value; c++) {
        *c = *c == '.' ? '/' : *c;
    }
    return path == NULL ? NULL : join(ini->arena, ini->here, path);
}

// The characters between which version_locations are separated.
static const char *
separators(const struct ini *ini, const char *section)
{
    const char *word = value_of(ini, section, "path_separator");
    word = word != NULL ? word : value_of(ini, section, "version_path_separator");
    if (word == NULL) {
        return ", \n";
    }
    return strcmp(word, "os") == 0        ? ":"
           : strcmp(word, "space") == 0   ? " \n"
           : strcmp(word, "newline") == 0 ? "\n"
                                          : word;
}

static enum dr_rc
split_versions(const struct ini *ini, const char *section, struct dr_alembic_config *out,
               struct dr_err *err)
{
    const char *list = value_of(ini, section, "version_locations");
    const char *between = separators(ini, section);
    const char **items = dr_arena_array(ini->arena, 64, sizeof(*items));
    size_t count = 0;
    if (items == NULL) {
        return no_memory(err);
    }
    while (list != NULL && *list != '\0' && count < 64) {
        size_t n = strcspn(list, between);
        const char *one = trimmed(ini->arena, list, n);
        if (one != NULL && one[0] != '\0') {
            items[count++] = location(ini, one);
        }
        list += list[n] == '\0' ? n : n + 1;
    }
    if (count == 0) {
        items[count++] = join(ini->arena, out->script_location, "versions");
    }
    out->versions = (struct dr_names){.items = items, .count = count};
    return DR_OK;
}

static enum dr_rc
from_ini(const char *path, const char *section, struct dr_arena *arena,
         struct dr_alembic_config *out, struct dr_err *err)
{
    struct ini *ini = dr_arena_alloc(arena, sizeof(*ini));
    if (ini == NULL) {
        return no_memory(err);
    }
    *ini = (struct ini){.path = path, .here = folder_of(arena, path), .arena = arena};
    enum dr_rc rc = read_ini(ini, err);
    const char *where = rc == DR_OK ? value_of(ini, section, "script_location") : NULL;
    if (rc == DR_OK && where == NULL) {
        (void)dr_err_set(err, DR_E_CONFIG, "section [%s] has no script_location", section);
        return dr_err_at(err, path, 1, 1);
    }
    if (rc != DR_OK) {
        return rc;
    }
    const char *recursive = value_of(ini, section, "recursive_version_locations");
    *out = (struct dr_alembic_config){.ini = path,
                                      .section = section,
                                      .folder = ini->here,
                                      .script_location = location(ini, where),
                                      .url = value_of(ini, section, "sqlalchemy.url"),
                                      .is_recursive =
                                          recursive != NULL && strcmp(recursive, "true") == 0};
    return out->script_location != NULL ? split_versions(ini, section, out, err) : no_memory(err);
}

// Without an ini: the folder of env.py, or only one of modules.
static enum dr_rc
from_folder(const char *scripts, const char *versions, const char *section, struct dr_arena *arena,
            struct dr_alembic_config *out, struct dr_err *err)
{
    const char **items = dr_arena_array(arena, 1, sizeof(*items));
    if (items == NULL) {
        return no_memory(err);
    }
    items[0] = versions;
    *out = (struct dr_alembic_config){.section = section,
                                      .folder = scripts != NULL ? scripts : versions,
                                      .script_location = scripts,
                                      .versions = {.items = items, .count = 1}};
    return DR_OK;
}

// The ini in a folder above that names `scripts`.
static enum dr_rc
from_scripts(const char *scripts, const char *versions, const char *section, struct dr_arena *arena,
             struct dr_alembic_config *out, struct dr_err *err)
{
    const char *folder = scripts;
    for (unsigned i = 0; i < 4 && strcmp(folder, "/") != 0; i++) {
        folder = folder_of(arena, folder);
        const char *ini = folder == NULL ? NULL : join(arena, folder, "alembic.ini");
        if (ini == NULL) {
            return no_memory(err);
        }
        struct dr_err ignored = {0};
        char real[PATH_MAX] = "";
        if (dr_path_exists(ini) && from_ini(ini, section, arena, out, &ignored) == DR_OK &&
            realpath(out->script_location, real) != NULL && strcmp(real, scripts) == 0) {
            return DR_OK;
        }
    }
    return from_folder(scripts, versions, section, arena, out, err);
}

enum dr_rc
dr_alembic_config_find(const char *path, const char *section, struct dr_arena *arena,
                       struct dr_alembic_config *out, struct dr_err *err)
{
    char real[PATH_MAX] = "";
    const char *here = realpath(path, real) == NULL ? NULL : dr_arena_str(arena, real);
    if (here == NULL) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "'%s' is not there", path);
        return dr_err_hint(err, "drover import alembic FOLDER, the one with alembic.ini");
    }
    if (!is_folder(here)) {
        return from_ini(here, section, arena, out, err);
    }
    if (has_file(arena, here, "alembic.ini")) {
        return from_ini(join(arena, here, "alembic.ini"), section, arena, out, err);
    }
    const char *above = folder_of(arena, here);
    if (has_file(arena, here, "env.py")) {
        return from_scripts(here, join(arena, here, "versions"), section, arena, out, err);
    }
    if (above != NULL && has_file(arena, above, "env.py")) {
        return from_scripts(above, here, section, arena, out, err);
    }
    return from_folder(NULL, here, section, arena, out, err);
}
