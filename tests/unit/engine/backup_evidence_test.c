// Evidence of a command: what is read, and how each mistake is told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "engine/backup.h"
#include "engine/backup_evidence.h"

#include <stdio.h>
#include <string.h>

#define NEEDED                                                                                     \
    "\"id\": \"20260102-030405F\", \"bytes\": 4096, \"started\": 1800000000, \"finished\": "       \
    "1800000009, \"restore_level\": \"listed\""
#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static enum dr_rc
read_taken(const char *text, struct dr_backup_evidence *out, struct dr_err *err)
{
    return dr_backup_evidence_read(text, strlen(text), DR_EVIDENCE_TAKEN, out, err);
}

static void
refuse(const char *text, const char *word)
{
    struct dr_backup_evidence e = {.size_bytes = 7};
    struct dr_err err = {0};
    assert_int_equal(read_taken(text, &e, &err), DR_E_BACKUP_EVIDENCE);
    assert_int_equal(e.size_bytes, 7); // untouched
    if (strstr(err.message, word) == NULL) {
        fail_msg("'%s' does not say '%s'", err.message, word);
    }
    assert_non_null(strstr(dr_rc_hint(err.rc), "Backups by a command"));
}

// id: G1
static void
whole_evidence_is_read(void **state)
{
    (void)state;
    struct dr_backup_evidence e = {0};
    struct dr_err err = {0};
    const char *text = "{" NEEDED ", \"sha256\": \"" HEX64 "\", \"keep_until\": 1900000000, "
                       "\"tool\": \"pgBackRest 2.45\", \"location\": \"s3://b/c\", "
                       "\"system_identifier\": \"7710687522374396338\", \"detail\": \"full\"}\n";
    if (read_taken(text, &e, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(e.id, "20260102-030405F");
    assert_int_equal(e.size_bytes, 4096);
    assert_int_equal(e.started, 1800000000);
    assert_int_equal(e.finished, 1800000009);
    assert_int_equal(e.restore_level, DR_BACKUP_LISTED);
    assert_true(e.has_sha256);
    assert_int_equal(e.sha256[1], 0x11);
    assert_int_equal(e.keep_until, 1900000000);
    assert_string_equal(e.tool, "pgBackRest 2.45");
    assert_string_equal(e.location, "s3://b/c");
    assert_string_equal(e.system_identifier, "7710687522374396338");
    assert_string_equal(e.detail, "full");
    assert_int_equal(read_taken("{" NEEDED "}", &e, &err), DR_OK);
    assert_false(e.has_sha256);
}

static void
evidence_of_a_restore_needs_its_id_and_how_far_it_came(void **state)
{
    (void)state;
    struct dr_backup_evidence e = {0};
    struct dr_err err = {0};
    const char *good = "{\"id\": \"a\", \"restore_level\": \"queried\"}", *bad = "{\"id\": \"a\"}";
    assert_int_equal(dr_backup_evidence_read(good, strlen(good), DR_EVIDENCE_RESTORED, &e, &err),
                     DR_OK);
    assert_int_equal(e.restore_level, DR_BACKUP_QUERIED);
    assert_int_equal(dr_backup_evidence_read(bad, strlen(bad), DR_EVIDENCE_RESTORED, &e, &err),
                     DR_E_BACKUP_EVIDENCE);
    assert_non_null(strstr(err.message, "lacks 'restore_level'"));
}

static void
what_is_not_one_json_object_is_refused(void **state)
{
    (void)state;
    refuse("", "printed no evidence");
    refuse(" \n\t", "printed no evidence");
    refuse("backup done\n{" NEEDED "}", "not one JSON object");
    refuse("{" NEEDED "}{" NEEDED "}", "not one JSON object");
    refuse("{" NEEDED ", \"id\": \"b\"}", "not one JSON object"); // twice
    refuse("{" NEEDED, "not one JSON object");
    refuse("[1]", "no object");
}

static void
each_key_that_is_wrong_is_named(void **state)
{
    (void)state;
    refuse("{}", "lacks 'id'");
    refuse("{\"id\": \"a\", \"bytes\": 1, \"started\": 5}", "lacks 'finished'");
    refuse("{" NEEDED ", \"label\": \"x\"}", "the key 'label', which is not known");
    refuse("{\"id\": \"a b\"}", "'id' has to be");
    refuse("{\"id\": \"-rf\"}", "'id' has to be");
    refuse("{\"id\": \"a\\u0000b\"}", "not one JSON object");
    refuse("{\"id\": 7}", "'id' has to be");
    refuse("{\"bytes\": \"4096\"}", "'bytes' has to be");
    refuse("{\"bytes\": 1.5}", "'bytes' has to be");
    refuse("{\"bytes\": -1}", "'bytes' has to be");
    refuse("{\"started\": 0}", "'started' has to be");
    refuse("{\"finished\": 99999999999999}", "'finished' has to be");
    refuse("{\"restore_level\": \"good\"}", "\"listed\", \"restored\" or \"queried\"");
    refuse("{\"restore_level\": \"\"}", "'restore_level' has to be");
    refuse("{\"sha256\": \"00ff\"}", "64 hex digits");
    refuse("{\"system_identifier\": \"main\"}", "digits in quotes");
    refuse("{\"detail\": \"two\\nlines\"}", "'detail' has to be");
    refuse("{\"detail\": \"\\u202e\"}", "'detail' has to be");
    refuse("{\"tool\": \"0123456789012345678901234567890123456789012345678\"}", "at most 48");
    refuse("{\"id\": \"a\", \"bytes\": 1, \"started\": 9, \"finished\": 8, \"restore_level\": "
           "\"listed\"}",
           "'finished' is before its 'started'");
}

static void
a_backup_of_no_bytes_is_empty(void **state)
{
    (void)state;
    struct dr_backup_evidence e = {0};
    struct dr_err err = {0};
    assert_int_equal(read_taken("{\"id\": \"a\", \"bytes\": 0, \"started\": 1, \"finished\": 2, "
                                "\"restore_level\": \"listed\"}",
                                &e, &err),
                     DR_E_BACKUP_EMPTY);
    assert_non_null(strstr(err.message, "backup 'a' has 0 bytes"));
}

static void
evidence_longer_than_its_limit_is_refused(void **state)
{
    (void)state;
    static char text[DR_EVIDENCE_MAX + 2];
    memset(text, ' ', sizeof text - 1);
    text[0] = '{';
    refuse(text, "longer than 65536 bytes");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_evidence_is_read),
        cmocka_unit_test(evidence_of_a_restore_needs_its_id_and_how_far_it_came),
        cmocka_unit_test(what_is_not_one_json_object_is_refused),
        cmocka_unit_test(each_key_that_is_wrong_is_named),
        cmocka_unit_test(a_backup_of_no_bytes_is_empty),
        cmocka_unit_test(evidence_longer_than_its_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
