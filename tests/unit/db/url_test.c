// URLs: what names a database, what is refused, and what may be shown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "db/db.h"
#include "db/pg.h"

#include <stdlib.h>
#include <string.h>

static void
kind_is_told_by_the_scheme(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum dr_db_kind kind;
    } cases[] = {
        {"postgresql:///app", DR_DB_POSTGRES},
        {"postgres://u@h:5433/app?sslmode=require", DR_DB_POSTGRES},
        {"postgresql+asyncpg://u@h/app", DR_DB_POSTGRES},
        {"host=/run dbname=app", DR_DB_POSTGRES},
        {"sqlite:app.db", DR_DB_SQLITE},
        {"sqlite+aiosqlite:///app.db", DR_DB_SQLITE},
        {"mysql://h/app", DR_DB_UNKNOWN},
        {"app.db", DR_DB_UNKNOWN},
        {"postgresqlx://h/app", DR_DB_UNKNOWN},
        {"", DR_DB_UNKNOWN},
        {NULL, DR_DB_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(dr_db_kind_of(cases[i].url), cases[i].kind);
    }
}

static void
shown_url_has_no_password(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"postgresql://alice:s3cret@h:1/app", "postgresql://alice:***@h:1/app"},
        {"postgresql://alice:s3@cret@h/app", "postgresql://alice:***@h/app"},
        {"postgresql://alice@h/app?password=s3cret&x=1",
         "postgresql://alice@h/app?password=***&x=1"},
        {"host=h password=s3cret dbname=app", "host=h password=*** dbname=app"},
        {"host=h password = 's3\\'cret x' dbname=app", "host=h password = ***' dbname=app"},
        {"postgresql:///app", "postgresql:///app"},
        {"sqlite:app.db", "sqlite:app.db"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char shown[256];
        dr_db_url_show(cases[i].url, shown, sizeof shown);
        assert_string_equal(shown, cases[i].shown);
    }
}

static void
sqlite_path_follows_the_slashes(void **state)
{
    (void)state;
    static const struct {
        const char *url, *path; // NULL: refused
    } cases[] = {
        {"sqlite:app.db", "app.db"},
        {"sqlite:/srv/app.db", "/srv/app.db"},
        {"sqlite:///data/app.db", "data/app.db"},
        {"sqlite:////srv/app.db", "/srv/app.db"},
        {"sqlite://host/app.db", NULL},
        {"sqlite:", NULL},
        {"sqlite:///", NULL},
        {"sqlite:app.db?mode=memory", NULL},
        {"postgresql:///app", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64] = "";
        struct dr_err err = {0};
        enum dr_rc rc = dr_db_sqlite_path(cases[i].url, path, sizeof path, &err);
        assert_int_equal(rc, cases[i].path == NULL ? DR_E_DB_URL : DR_OK);
        assert_string_equal(path, cases[i].path == NULL ? "" : cases[i].path);
    }
}

// id: C15 C16 V15 V16
static void
postgres_url_is_checked_before_it_is_used(void **state)
{
    (void)state;
    static const struct {
        const char *url, *message; // NULL: good
    } cases[] = {
        {"postgresql:///app", NULL},
        {"postgres://alice@db.example:5433/app?sslmode=require", NULL},
        {"postgresql+psycopg2://alice@db.example/app", NULL},
        {"host=/run/postgresql dbname=app user=alice", NULL},
        {"", "no database URL is given"},
        {"postgresql://", "names no database"},
        {"postgresql://h:5432", "names no database"},
        {"postgresql:///app?options=-cfsync%3Doff", "setting 'options' is not allowed"},
        {"postgresql:///app?service=prod", "setting 'service' is not allowed"},
        {"postgresql:///app?replication=true", "setting 'replication' is not allowed"},
        {"postgresql:///app?colour=red", "invalid URI query parameter"},
        {"postgresql:///a\npp", "control character"},
        {"mysql://h/app", "is no PostgreSQL URL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dr_err err = {0};
        enum dr_rc rc = dr_pg_url_check(cases[i].url, &err);
        assert_int_equal(rc, cases[i].message == NULL ? DR_OK : DR_E_DB_URL);
        if (cases[i].message != NULL && strstr(err.message, cases[i].message) == NULL) {
            fail_msg("'%s' gave '%s'", cases[i].url, err.message);
        }
    }
}

static void
bad_url_with_a_password_is_not_repeated(void **state)
{
    (void)state;
    struct dr_err err = {0};
    assert_int_equal(dr_pg_url_check("postgresql://alice:s3cret%zz@h/app", &err), DR_E_DB_URL);
    assert_null(strstr(err.message, "s3cret"));
    assert_int_equal(dr_pg_url_check("dbname=app password='s3cret", &err), DR_E_DB_URL);
    assert_null(strstr(err.message, "s3cret"));
}

static void
overlong_url_is_refused(void **state)
{
    (void)state;
    static char url[DR_DB_URL_MAX + 64];
    memset(url, 'a', sizeof url - 1);
    memcpy(url, "postgresql:///", 14);
    struct dr_err err = {0};
    assert_int_equal(dr_pg_url_check(url, &err), DR_E_DB_URL);
    assert_non_null(strstr(err.message, "longer than"));
}

static void
setting_of_a_url_is_given_alone(void **state)
{
    (void)state;
    char value[16] = "";
    assert_true(dr_pg_url_get("postgresql://al%20ice@h:5433/app", "user", value, sizeof value));
    assert_string_equal(value, "al ice");
    assert_true(dr_pg_url_get("postgresql://h:5433/app", "port", value, sizeof value));
    assert_string_equal(value, "5433");
    assert_false(dr_pg_url_get("postgresql://h/app", "port", value, sizeof value));
    assert_false(dr_pg_url_get("postgresql://h/app", "host", value, 1));
}

static void
connection_string_for_tools_has_no_secret(void **state)
{
    (void)state;
    struct dr_buf out = {0};
    struct dr_err err = {0};
    const char *url =
        "postgresql://al'ice:s3cret@db.example/app?sslpassword=s3cret&passfile=/s3cret";
    assert_int_equal(dr_pg_url_for_tools(url, &out, &err), DR_OK);
    assert_null(strstr(out.data, "s3cret"));
    assert_non_null(strstr(out.data, "user='al\\'ice'"));
    assert_non_null(strstr(out.data, "sslmode='require'"));
    dr_buf_fini(&out);
    assert_int_equal(dr_pg_url_for_tools("postgresql:///app", &out, &err), DR_OK);
    assert_non_null(strstr(out.data, "sslmode='prefer'"));
    dr_buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kind_is_told_by_the_scheme),
        cmocka_unit_test(shown_url_has_no_password),
        cmocka_unit_test(sqlite_path_follows_the_slashes),
        cmocka_unit_test(postgres_url_is_checked_before_it_is_used),
        cmocka_unit_test(bad_url_with_a_password_is_not_repeated),
        cmocka_unit_test(overlong_url_is_refused),
        cmocka_unit_test(connection_string_for_tools_has_no_secret),
        cmocka_unit_test(setting_of_a_url_is_given_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
