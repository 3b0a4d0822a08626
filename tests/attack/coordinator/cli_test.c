// The real drover against a coordinator in the enemy's hands: a proxy with the coordinator's own
// key stands before a real droverd and changes what it answers. drover signs nothing that its own
// files and its own trust do not bear out, and shows nothing that moves the terminal.
#include "support/evil_cli.h"

#define NASTY "\x1b]52;c;QUFB\x07\x1b[2J\x1b[1;1H\xe2\x80\xae"

// ------------------------------------------------------------------------------ what is spoilt

static void
blob_bytes(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
           ProtobufCMessage *reply, struct dr_arena *arena)
{
    Drover__V1__GetBlobReply *blob = (Drover__V1__GetBlobReply *)reply;
    (void)request;
    (void)arena;
    if (method == DR_METHOD_DOCUMENTS_GET_BLOB && blob->bytes.len > 0) {
        blob->bytes.data[blob->bytes.len / 2] ^= 1;
        e->spoilt++;
    }
}

// Fetches the rollout's plan once, changes it and names the changed one.
static void
another_plan(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
             ProtobufCMessage *reply, struct dr_arena *arena)
{
    Drover__V1__Rollout *rollout = (Drover__V1__Rollout *)reply;
    (void)request;
    if (method != DR_METHOD_OPERATOR_GET_ROLLOUT) {
        return;
    }
    if (e->plan.len == 0) {
        Drover__V1__GetBlobRequest ask = DROVER__V1__GET_BLOB_REQUEST__INIT;
        ProtobufCMessage *got = NULL;
        ask.sha256 = rollout->plans[0]->plan_sha256;
        E_OK(dr_rpc_call(e->client, DR_METHOD_DOCUMENTS_GET_BLOB, &ask.base, arena, &got,
                         COMMAND_MS, &e->err));
        const Drover__V1__GetBlobReply *blob = (const Drover__V1__GetBlobReply *)got;
        Drover__V1__Plan *plan = drover__v1__plan__unpack(dr_arena_protobuf(e->arena),
                                                          blob->bytes.len, blob->bytes.data);
        assert_non_null(plan);
        Drover__V1__Unit *unit = plan->revisions[0]->units[0];
        unit->statements[0]->length -= 1; // other bytes of the file would run
        size_t len = drover__v1__plan__get_packed_size(plan);
        uint8_t *packed = dr_arena_alloc(e->arena, len);
        (void)drover__v1__plan__pack(plan, packed);
        e->plan = (struct dr_bytes){.data = packed, .len = len};
        dr_sha256(e->plan, e->plan_sha256);
    }
    for (size_t i = 0; i < rollout->n_plans; i++) {
        rollout->plans[i]->plan_sha256 = dr_data(e->plan_sha256, 32);
        e->spoilt++;
    }
}

static void
evidence_bytes(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
               ProtobufCMessage *reply, struct dr_arena *arena)
{
    Drover__V1__DocumentList *list = (Drover__V1__DocumentList *)reply;
    (void)request;
    (void)arena;
    for (size_t i = 0; method == DR_METHOD_DOCUMENTS_LIST && i < list->n_documents; i++) {
        ProtobufCBinaryData *wire = &list->documents[i]->envelope;
        wire->data[wire->len - 1] ^= 1;
        e->spoilt++;
    }
}

static void
each_target(struct evil_cli *e, enum dr_method_id method, ProtobufCMessage *reply,
            void (*change)(Drover__V1__TargetStatus *target, const Drover__V1__Rollout *rollout))
{
    Drover__V1__Rollout *rollout = (Drover__V1__Rollout *)reply;
    for (size_t s = 0; method == DR_METHOD_OPERATOR_GET_ROLLOUT && s < rollout->n_stages; s++) {
        for (size_t t = 0; t < rollout->stages[s]->n_targets; t++) {
            change(rollout->stages[s]->targets[t], rollout);
            e->spoilt++;
        }
    }
}

static void
swap_ready(Drover__V1__TargetStatus *target, const Drover__V1__Rollout *rollout)
{
    target->ready_sha256 = rollout->plans[0]->plan_sha256;
}

static void
another_ready(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
              ProtobufCMessage *reply, struct dr_arena *arena)
{
    (void)request;
    (void)arena;
    each_target(e, method, reply, swap_ready);
}

static void
rename_target(Drover__V1__TargetStatus *target, const Drover__V1__Rollout *rollout)
{
    (void)rollout;
    target->target[strlen(target->target) - 1] ^= 1;
}

static void
another_target(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
               ProtobufCMessage *reply, struct dr_arena *arena)
{
    (void)request;
    (void)arena;
    each_target(e, method, reply, rename_target);
}

static bool
is_get(enum dr_method_id method, const ProtobufCMessage *request, const char *kind)
{
    return method == DR_METHOD_DOCUMENTS_GET &&
           strcmp(((const Drover__V1__GetDocumentRequest *)request)->kind, kind) == 0;
}

static void
fleet_bytes(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
            ProtobufCMessage *reply, struct dr_arena *arena)
{
    Drover__V1__Document *document = (Drover__V1__Document *)reply;
    (void)arena;
    if (is_get(method, request, DR_TYPE_FLEET)) {
        document->envelope.data[40] ^= 1;
        e->spoilt++;
    }
}

static void
fleet_entries(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
              ProtobufCMessage *reply, struct dr_arena *arena)
{
    Drover__V1__Document *document = (Drover__V1__Document *)reply;
    (void)arena;
    if (is_get(method, request, DR_TYPE_FLEET) && document->n_parts > 0) {
        document->parts[0].data[document->parts[0].len - 1] ^= 1;
        e->spoilt++;
    }
}

static void
chain_is_the_fleet(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
                   ProtobufCMessage *reply, struct dr_arena *arena)
{
    Drover__V1__Document *document = (Drover__V1__Document *)reply;
    Drover__V1__GetDocumentRequest ask = DROVER__V1__GET_DOCUMENT_REQUEST__INIT;
    ProtobufCMessage *got = NULL;
    if (is_get(method, request, DR_TYPE_CHAIN)) {
        ask.kind = dr_arena_str(arena, DR_TYPE_FLEET);
        E_OK(dr_rpc_call(e->client, DR_METHOD_DOCUMENTS_GET, &ask.base, arena, &got, COMMAND_MS,
                         &e->err));
        document->envelope = ((Drover__V1__Document *)got)->envelope;
        e->spoilt++;
    }
}

// -------------------------------------------------------------------------------------- signing

// Signs nothing, ends with another code than 0.
static void
signs_nothing(const char *name,
              void (*spoil)(struct evil_cli *, enum dr_method_id, const ProtobufCMessage *,
                            ProtobufCMessage *, struct dr_arena *),
              const char *says)
{
    static const char *const APPROVE[] = {"approve", "R-1", "-e", "staging", "--yes", NULL};
    evil->spoil = spoil;
    evil->trusts++;
    int code = drover(APPROVE);
    if (code == 0 || code > 8 || evil->approvals > 0 || evil->spoilt == 0 ||
        (says != NULL && strstr(evil->output, says) == NULL)) {
        fail_msg("%s: exit %d, %u approvals sent, %u answers spoilt: %s", name, code,
                 evil->approvals, evil->spoilt, evil->output);
    }
    evil->spoil = NULL;
}

// id: W01 W02 W13
static void
drover_signs_nothing_that_its_own_files_and_trust_do_not_bear_out(void **state)
{
    (void)state;
    signs_nothing("W02 plan A is named, other bytes come", blob_bytes, NULL);
    signs_nothing("W02 another plan is named and comes", another_plan,
                  "is not what your own files compile to");
    signs_nothing("W01 no evidence verifies", evidence_bytes, "nothing was signed");
    signs_nothing("W01 a digest that is no READY's", another_ready, "ready");
    signs_nothing("W01 a target that the fleet does not name", another_target, "fleet");
    signs_nothing("W13 a changed fleet", fleet_bytes, NULL);
    signs_nothing("W13 a changed fleet entry", fleet_entries, NULL);
    signs_nothing("W13 the fleet in the chain's place", chain_is_the_fleet, NULL);
}

// -------------------------------------------------------------------------------------- terminal

static void nasty_fields(ProtobufCMessage *msg, struct dr_arena *arena);

static void
nasty_one(const ProtobufCFieldDescriptor *field, void *at, struct dr_arena *arena)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *inner = *(ProtobufCMessage **)at;
        if (inner != NULL) {
            nasty_fields(inner, arena);
        }
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        char **text = at;
        *text = dr_arena_printf(arena, "%.8s%s%s", *text == NULL ? "" : *text, NASTY,
                                *text == NULL ? "" : *text);
    }
}

// Every text of the answer, at every depth.
static void
nasty_fields(ProtobufCMessage *msg, struct dr_arena *arena)
{
    for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &msg->descriptor->fields[i];
        uint8_t *at = (uint8_t *)msg + field->offset;
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            nasty_one(field, at, arena);
            continue;
        }
        size_t n = *(size_t *)(void *)((uint8_t *)msg + field->quantifier_offset);
        bool has_pointers =
            field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING;
        for (size_t k = 0; has_pointers && k < n; k++) {
            nasty_one(field, &(*(void ***)(void *)at)[k], arena);
        }
    }
}

static void
nasty(struct evil_cli *e, enum dr_method_id method, const ProtobufCMessage *request,
      ProtobufCMessage *reply, struct dr_arena *arena)
{
    (void)request;
    if (method != DR_METHOD_DOCUMENTS_GET && method != DR_METHOD_DOCUMENTS_GET_BLOB) {
        nasty_fields(reply, arena);
        e->spoilt++;
    }
}

// id: W03
static void
no_text_of_the_coordinator_moves_the_terminal(void **state)
{
    static const char *const COMMANDS[][6] = {
        {"rollout", "show", "R-1"},
        {"rollout", "list"},
        {"status"},
        {"approve", "R-1", "-e", "staging", "--yes"},
        {"checklist", "R-1"},
        {"agent", "list"},
        {"log"},
        {"approve", "chain", "--yes"},
        {"why", "staging/notes"},
        {"current"},
        {"inbox"},
        {"freeze", "list"},
        {"sign", "fleet", "--yes"},
    };
    (void)state;
    unsigned spoilt = 0;
    for (size_t i = 0; i < DR_COUNT_OF(COMMANDS); i++) {
        evil->spoil = nasty;
        evil->trusts++;
        int code = drover(COMMANDS[i]);
        spoilt += evil->spoilt;
        if (code < 0 || code > 8 || strchr(evil->output, '\x1b') != NULL ||
            strchr(evil->output, '\a') != NULL || strstr(evil->output, "\xe2\x80\xae") != NULL) {
            fail_msg("'%s %s' (exit %d) lets it through: %s", COMMANDS[i][0],
                     COMMANDS[i][1] == NULL ? "" : COMMANDS[i][1], code, evil->output);
        }
    }
    assert_true(spoilt > 5);
    evil->spoil = NULL;
}

// The same proxy, honest: it was not in the way.
// id: W14
static void
an_honest_answer_is_signed_once(void **state)
{
    static const char *const APPROVE[] = {"approve", "R-1", "-e", "staging", "--yes", NULL};
    (void)state;
    evil->spoil = NULL;
    evil->trusts++;
    int code = drover(APPROVE);
    if (code != 0 || evil->approvals != 1) {
        fail_msg("exit %d, %u approvals: %s", code, evil->approvals, evil->output);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drover_signs_nothing_that_its_own_files_and_trust_do_not_bear_out),
        cmocka_unit_test(no_text_of_the_coordinator_moves_the_terminal),
        cmocka_unit_test(an_honest_answer_is_signed_once),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
