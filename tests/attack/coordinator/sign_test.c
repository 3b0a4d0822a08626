// The real `drover sign` against a coordinator in the enemy's hands, which offers fleets that
// nobody proposed: everything that differs is shown, nothing is signed without a yes, what is
// refused leaves no file, and no second story gets a signature under a version that is in force.
#include "support/evil_cli.h"

#include "trust/fleet.h"

static struct {
    uint64_t later;    // how many versions after the one in force
    bool is_foreign;   // of another cluster
    struct dr_key key; // that production's agent is to have
} lie;

// The fleet in force, with another agent key, database and label for production, as an unsigned
// document.
static Drover__V1__Document *
other_fleet(struct evil_cli *e, struct dr_arena *arena)
{
    Drover__V1__GetDocumentRequest ask = DROVER__V1__GET_DOCUMENT_REQUEST__INIT;
    ProtobufCMessage *got = NULL, *message = NULL;
    struct dr_envelope envelope;
    ask.kind = dr_arena_str(arena, DR_TYPE_FLEET);
    E_OK(dr_rpc_call(e->client, DR_METHOD_DOCUMENTS_GET, &ask.base, arena, &got, COMMAND_MS,
                     &e->err));
    Drover__V1__Document *document = (Drover__V1__Document *)got;
    E_OK(dr_envelope_parse((struct dr_bytes){document->envelope.data, document->envelope.len},
                           DR_TYPE_FLEET, &envelope, &e->err));
    E_OK(dr_strict_decode(arena, &drover__v1__fleet__descriptor, envelope.payload, &message,
                          &e->err));
    Drover__V1__Fleet header = *(Drover__V1__Fleet *)message;
    Drover__V1__FleetEntry **entries = dr_arena_array(arena, document->n_parts, sizeof(*entries));
    for (size_t i = 0; i < document->n_parts; i++) {
        E_OK(dr_strict_decode(arena, &drover__v1__fleet_entry__descriptor,
                              (struct dr_bytes){document->parts[i].data, document->parts[i].len},
                              &message, &e->err));
        entries[i] = (Drover__V1__FleetEntry *)message;
        Drover__V1__Target *target = entries[i]->target;
        if (target != NULL && strncmp(target->name, "production/", 11) == 0) {
            static Drover__V1__DatabaseIdentity identity;
            static Drover__V1__Label label, *labels[1] = {&label};
            drover__v1__database_identity__init(&identity);
            drover__v1__label__init(&label);
            identity.database = dr_arena_str(arena, "elsewhere");
            label.key = dr_arena_str(arena, "tier");
            label.value = dr_arena_str(arena, "canary");
            target->identity = &identity;
            target->labels = labels;
            target->n_labels = 1;
            target->agent_signing_key = dr_data(lie.key.public_key, 32);
        }
    }
    struct dr_bytes payload, *leaves = NULL, wire;
    header.version += lie.later;
    if (lie.is_foreign) {
        header.cluster_id = dr_data(lie.key.public_key, 16);
    }
    E_OK(dr_fleet_draft(arena, header, entries, document->n_parts, &payload, &leaves, &e->err));
    E_OK(dr_envelope_build(arena, DR_TYPE_FLEET, payload, NULL, 0, &wire, &e->err));
    document->envelope = dr_data(wire.data, wire.len);
    for (size_t i = 0; i < document->n_parts; i++) {
        document->parts[i] = dr_data(leaves[i].data, leaves[i].len);
    }
    return document;
}

static void
offer_it(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
         ProtobufCMessage *reply, struct dr_arena *arena)
{
    const Drover__V1__ListDocumentsRequest *asked =
        (const Drover__V1__ListDocumentsRequest *)request;
    Drover__V1__DocumentList *list = (Drover__V1__DocumentList *)reply;
    if (method == DR_METHOD_DOCUMENTS_LIST && asked->pending &&
        strcmp(asked->kind, DR_TYPE_FLEET) == 0) {
        list->documents = dr_arena_array(arena, 1, sizeof(*list->documents));
        list->documents[0] = other_fleet(e, arena);
        list->n_documents = 1;
        e->spoilt++;
    }
}

// Ends with `code`, says `says`, and leaves neither file nor signature.
static void
offered(const char *const *args, int code, const char *says)
{
    char path[PATH_MAX];
    evil->spoil = offer_it;
    evil->trusts++;
    int found = drover(args);
    evil->spoil = NULL;
    if (found != code || evil->spoilt == 0 || strstr(evil->output, says) == NULL) {
        fail_msg("exit %d instead of %d, %u answers spoilt, no '%s': %s", found, code, evil->spoilt,
                 says, evil->output);
    }
    assert_false(dr_path_exists(in_world(path, "trust/fleet.4.drv")));
}

static const char *const SIGN[] = {"sign", "fleet", NULL};
static const char *const SIGN_YES[] = {"sign", "fleet", "--yes", NULL};

// id: W02 W03 N04
static void
a_fleet_of_the_coordinators_own_is_shown_and_waits_for_a_yes(void **state)
{
    (void)state;
    lie.later = 1;
    offered(SIGN, 2, "~ target production/notes: another signing key of its agent, key id ");
    assert_non_null(strstr(evil->output, "-> database elsewhere"));
    assert_non_null(strstr(evil->output, "no labels -> tier=canary"));
    uint8_t id[32];
    char shown[18], hex[17];
    dr_keyid(lie.key.public_key, id);
    dr_hex(hex, id, 8);
    (void)snprintf(shown, sizeof shown, "%.8s %.8s", hex, hex + 8);
    assert_non_null(strstr(evil->output, shown));
}

// id: F05 F03 R27
static void
no_second_story_gets_a_signature(void **state)
{
    char path[PATH_MAX], aside[PATH_MAX];
    (void)state;
    lie.later = 0;
    offered(SIGN_YES, 1, "the coordinator's fleet 3 differ"); // from the file that is here
    for (unsigned i = 2; i <= 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "trust/fleet.%u.drv", i);
        (void)in_world(path, name);
        (void)snprintf(name, sizeof name, "run/fleet.%u.aside", i);
        assert_int_equal(rename(path, in_world(aside, name)), 0);
    }
    offered(SIGN_YES, 4, "is not the version 3 that is in force");
    lie.later = UINT64_MAX; // one before it
    offered(SIGN_YES, 4, "is version 2, and 3 is in force");
    lie.later = 1;
    lie.is_foreign = true;
    offered(SIGN_YES, 4, "is of another cluster");
    lie.is_foreign = false;
}

static int
begin(void **state)
{
    struct dr_err err = {0};
    return start(state) == 0 && dr_key_generate(DR_KEY_SIGNING, &lie.key, &err) == DR_OK ? 0 : 1;
}

static int
end(void **state)
{
    dr_key_fini(&lie.key);
    return stop(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fleet_of_the_coordinators_own_is_shown_and_waits_for_a_yes),
        cmocka_unit_test(no_second_story_gets_a_signature),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
