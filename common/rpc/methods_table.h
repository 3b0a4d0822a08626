// The methods of proto/service.proto: one row each. The generated descriptors do not say which
// methods stream, who may call them, how large a request may be or whether it may be sent again:
// this table does. The columns of DR_METHOD are: id, service descriptor, service name, method name,
// request, reply, auth, request limit in bytes, streams, retry.
//   auth: ANYONE, PERSON, AGENT, PERSON_OR_AGENT
//   retry: FREELY (doing it twice is the same as once), STORED (the result is kept by request id),
//          NEVER

// clang-format off
#define DR_KIB 1024u

DR_METHOD(HEALTH_CHECK, health, "drover.v1.Health", "Check", health_request, health_reply, ANYONE, DR_KIB, false, FREELY)
DR_METHOD(REFLECTION_LIST, reflection, "drover.v1.Reflection", "List", reflect_request, reflect_reply, PERSON_OR_AGENT, DR_KIB, false, FREELY)
DR_METHOD(ENROLL_OFFER, enroll, "drover.v1.Enroll", "Offer", enroll_request, enroll_reply, ANYONE, 4u * DR_KIB, false, FREELY)
DR_METHOD(DOCUMENTS_PUT, documents, "drover.v1.Documents", "Put", document, put_document_reply, PERSON_OR_AGENT, 1024u * DR_KIB, false, FREELY)
DR_METHOD(DOCUMENTS_GET, documents, "drover.v1.Documents", "Get", get_document_request, document, PERSON_OR_AGENT, 4u * DR_KIB, false, FREELY)
DR_METHOD(DOCUMENTS_LIST, documents, "drover.v1.Documents", "List", list_documents_request, document_list, PERSON_OR_AGENT, 4u * DR_KIB, false, FREELY)
DR_METHOD(DOCUMENTS_PUT_BLOB, documents, "drover.v1.Documents", "PutBlob", put_blob_request, put_blob_reply, PERSON, 516u * DR_KIB, false, FREELY)
DR_METHOD(DOCUMENTS_GET_BLOB, documents, "drover.v1.Documents", "GetBlob", get_blob_request, get_blob_reply, PERSON_OR_AGENT, 4u * DR_KIB, false, FREELY)
DR_METHOD(OPERATOR_SUBMIT, operator, "drover.v1.Operator", "Submit", submit_request, submit_reply, PERSON, 1024u * DR_KIB, false, STORED)
DR_METHOD(OPERATOR_LIST_REVISIONS, operator, "drover.v1.Operator", "ListRevisions", list_revisions_request, list_revisions_reply, PERSON, 4u * DR_KIB, false, FREELY)
DR_METHOD(OPERATOR_CREATE_ROLLOUT, operator, "drover.v1.Operator", "CreateRollout", create_rollout_request, rollout, PERSON, 256u * DR_KIB, false, STORED)
DR_METHOD(OPERATOR_GET_ROLLOUT, operator, "drover.v1.Operator", "GetRollout", rollout_id, rollout, PERSON, 4u * DR_KIB, false, FREELY)
DR_METHOD(OPERATOR_LIST_ROLLOUTS, operator, "drover.v1.Operator", "ListRollouts", empty, rollout_list, PERSON, DR_KIB, false, FREELY)
DR_METHOD(OPERATOR_ORDER_ROLLOUT, operator, "drover.v1.Operator", "OrderRollout", rollout_order, rollout, PERSON, 16u * DR_KIB, false, STORED)
DR_METHOD(OPERATOR_WATCH_ROLLOUT, operator, "drover.v1.Operator", "WatchRollout", watch_request, rollout_event, PERSON, 4u * DR_KIB, true, NEVER)
DR_METHOD(OPERATOR_STATUS, operator, "drover.v1.Operator", "Status", status_request, status_reply, PERSON, 4u * DR_KIB, false, FREELY)
DR_METHOD(OPERATOR_LOG, operator, "drover.v1.Operator", "Log", log_request, log_reply, PERSON, 4u * DR_KIB, false, FREELY)
DR_METHOD(OPERATOR_AGENTS, operator, "drover.v1.Operator", "Agents", empty, agent_list, PERSON, DR_KIB, false, FREELY)
DR_METHOD(OPERATOR_ORDER_TARGET, operator, "drover.v1.Operator", "OrderTarget", order, target_view, PERSON, 4u * DR_KIB, false, STORED)
DR_METHOD(AGENT_WATCH, agent, "drover.v1.Agent", "Watch", agent_hello, push, AGENT, 64u * DR_KIB, true, NEVER)
DR_METHOD(AGENT_ACK, agent, "drover.v1.Agent", "Ack", ack_request, empty, AGENT, DR_KIB, false, FREELY)
DR_METHOD(AGENT_ATTEST, agent, "drover.v1.Agent", "Attest", document, attest_reply, AGENT, 1024u * DR_KIB, false, FREELY)
DR_METHOD(AGENT_REPORT, agent, "drover.v1.Agent", "Report", progress, empty, AGENT, 64u * DR_KIB, false, FREELY)

#undef DR_KIB
