// alembic_version: Alembic's own table, kept in step with the ledger where the options say so, and
// changed in the transaction of the ledger's row. Alembic goes on to answer rightly, and may take
// the database over again. As Alembic wants it, it has a row for each head that no other applied
// revision depends on; who depends on what is noted in the ledger's table `meta`, one row for each,
// "alembic/<length of tenant>/<tenant>/<revision>/<dependency>".
#ifndef DR_ENGINE_ALEMBIC_H
#define DR_ENGINE_ALEMBIC_H

#include "engine/driver.h"

#define DR_ALEMBIC_ID_MAX   32u // characters of version_num
#define DR_ALEMBIC_ROWS_MAX 1000u

#define DR_ALEMBIC_KEY_MAX (DR_LEDGER_TENANT_MAX + 256u)

// What stands there, and what should by the ledger. All in the arena that was given.
struct dr_alembic_rows {
    const char *const *ids;
    size_t count;
    const char *const *expected;
    size_t expected_count;
    bool exists; // false: there is no such table
};

// What a ledger's change means for the table.
struct dr_alembic_change {
    const char *const *gone; // heads that go
    size_t gone_count;
    const char *const *come; // heads that come
    size_t come_count;
    bool is_stamp;                   // believes the ledger, not the table
    char prefix[DR_ALEMBIC_KEY_MAX]; // of the tenant's keys in `meta`
    char own[DR_ALEMBIC_KEY_MAX];    // of the revision's
    const char *const *depends;      // noted now; on the way down what was noted goes
    size_t depends_count;
};

// False: it means nothing for it.
bool dr_alembic_change_of(const struct dr_ledger_change *change, struct dr_alembic_change *out);
// The prefix of a tenant's keys.
void dr_alembic_prefix(const char *tenant, char out[DR_ALEMBIC_KEY_MAX]);

struct dr_pgd;
struct dr_sqd;

// alembic_pg.c. `add` puts the change into the open pipeline, one statement before the ledger's
// row, when the change means one (`*out_added`); its failure is DR_E_ALEMBIC_MOVED.
enum dr_rc dr_pgd_alembic_read(struct dr_driver *driver, struct dr_arena *arena,
                               struct dr_alembic_rows *out, struct dr_err *err);
enum dr_rc dr_pgd_alembic_make(struct dr_driver *driver, const char *const *ids, size_t count,
                               struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_pgd_alembic_add(struct dr_pgd *d, const struct dr_ledger_change *change,
                                            bool *out_added, struct dr_err *err);
// Sets DR_E_ALEMBIC_MOVED.
enum dr_rc dr_alembic_moved(struct dr_err *err);

// alembic_sqlite.c. In the unit's transaction: `check` before the ledger's row, which changes what
// is expected, `write` behind it.
enum dr_rc dr_sqd_alembic_read(struct dr_driver *driver, struct dr_arena *arena,
                               struct dr_alembic_rows *out, struct dr_err *err);
enum dr_rc dr_sqd_alembic_make(struct dr_driver *driver, const char *const *ids, size_t count,
                               struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_sqd_alembic_check(struct dr_sqd *d, const struct dr_ledger_change *change, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_sqd_alembic_write(struct dr_sqd *d, const struct dr_ledger_change *change, struct dr_err *err);

#endif
