// Runs the user's own Alembic to learn the SQL of each revision: offline as `alembic upgrade --sql`
// does it, or online against a scratch database while its statements are written down. One start of
// Python for the whole chain; each revision by itself, so that one that fails leaves the others.
#ifndef DR_IMPORT_ALEMBIC_RUN_H
#define DR_IMPORT_ALEMBIC_RUN_H

#include "coordinator/import/alembic_config.h"
#include "coordinator/import/alembic_module.h"

#define DR_ALEMBIC_RUN_MS     (10ull * 60 * 1000)
#define DR_ALEMBIC_OUTPUT_MAX (16u << 20)  // of what Alembic prints
#define DR_ALEMBIC_RESULT_MAX (256u << 20) // of what is written down

// One statement, without its end. `is_outside`: in an autocommit_block.
struct dr_alembic_statement {
    const char *sql;
    bool is_outside;
};

// One revision in one direction.
struct dr_alembic_script {
    const char *revision; // as the module writes it
    bool is_up;
    bool is_recorded; // online
    const struct dr_alembic_statement *statements;
    size_t count;
    const char *error;   // last line of what went wrong; NULL: nothing
    bool is_import;      // an import failed
    const char *dialect; // "postgresql", "sqlite", ...; "" when it never came so far
};

struct dr_alembic_job {
    const struct dr_alembic_config *config;
    const struct dr_alembic_module *const *modules; // parents first
    size_t count;
    const char *command; // the alembic program or a python; NULL: `alembic` in PATH, else python3
    const char *url;     // instead of sqlalchemy.url; NULL: as it is
    const char *scratch_url; // SQLAlchemy's URL of an empty database: record online; NULL: offline
};

struct dr_alembic_result {
    const char *fatal; // why nothing could be run: last line; NULL
    bool is_absent;    // ... and it was that there is no Alembic (or no Python)
    const struct dr_alembic_script *scripts;
    size_t count;
};

// Blocks up to DR_ALEMBIC_RUN_MS. What Alembic itself says is in the result. DR_E_TIMEOUT,
// DR_E_LIMIT, DR_E_IO, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_alembic_run(const struct dr_alembic_job *job, struct dr_arena *arena,
                                        struct dr_alembic_result *out, struct dr_err *err);

// The script of a revision in one direction; NULL.
const struct dr_alembic_script *
dr_alembic_script(const struct dr_alembic_result *result, const char *revision, bool is_up);

// Lines of the program that Python runs; ends with NULL.
extern const char *const dr_alembic_program[];

#endif
