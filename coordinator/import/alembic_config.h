// Where an Alembic environment keeps what: alembic.ini read as Python's configparser reads it,
// without Python.
#ifndef DR_IMPORT_ALEMBIC_CONFIG_H
#define DR_IMPORT_ALEMBIC_CONFIG_H

#include "base/arena.h"
#include "revision/file.h"

#define DR_ALEMBIC_INI_MAX  (1u << 20) // bytes
#define DR_ALEMBIC_KEYS_MAX 512u

// Paths are absolute; strings are in the arena.
struct dr_alembic_config {
    const char *ini;             // NULL: there is none
    const char *section;         // "alembic"
    const char *folder;          // where Alembic is run: that of the ini, else of env.py
    const char *script_location; // the folder of env.py; NULL: not found, only versions are
    const char *url;             // sqlalchemy.url; NULL: env.py makes one
    struct dr_names versions;    // folders of revision modules
    bool is_recursive;           // recursive_version_locations
};

// Finds the environment that `path` means: an ini file, a folder with alembic.ini, the folder of
// env.py, or a folder of revision modules. DR_E_NOT_FOUND tells what was looked for; DR_E_CONFIG
// with file and line; DR_E_LIMIT, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_alembic_config_find(const char *path, const char *section, struct dr_arena *arena,
                       struct dr_alembic_config *out, struct dr_err *err);

#endif
