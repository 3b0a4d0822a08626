// Every error of drover: one row each. Numbers are never reused; a new error is a new row in its module's range.
// DR_ERR(name, number, exit code, RPC status, hint)
//   exit code: 1 failed, 2 usage, 3 difference found, 4 authentication, signature or permission, 5 unreachable,
//              6 failed and rolled back, 7 target needs repair, 8 waiting for a gate or approval, 124 time-out, 130 interrupted
//   RPC status: the canonical codes of gRPC, by number (0 OK .. 16 UNAUTHENTICATED)
//   hint: what to do next when the place of the error knows nothing better; "" for none
// Ranges: base 1-99, trust 100-199, db 200-249, sql 250-299, revision 300-349, rpc 350-399, engine 400-499,
//         core 500-549, cli 550-599, agent 600-649.

// base
DR_ERR(INTERNAL, 1, 1, 13, "this is a defect of drover; please report it with the message above")
DR_ERR(USAGE, 2, 2, 3, "")
DR_ERR(NOMEM, 3, 1, 8, "")
DR_ERR(LIMIT, 4, 1, 8, "")
DR_ERR(IO, 5, 1, 13, "")
DR_ERR(NOT_FOUND, 6, 1, 5, "")
DR_ERR(EXISTS, 7, 1, 6, "")
DR_ERR(PERMISSION, 8, 4, 7, "")
DR_ERR(TIMEOUT, 9, 124, 4, "")
DR_ERR(INTERRUPTED, 10, 130, 1, "")
DR_ERR(INVALID, 11, 1, 3, "")
DR_ERR(CONFLICT, 12, 1, 10, "")
DR_ERR(CONFIG, 13, 2, 9, "")
DR_ERR(DIFFERENCE, 14, 3, 9, "")
DR_ERR(WAITING, 15, 8, 9, "")

// sql
DR_ERR(SQL_SYNTAX, 250, 1, 3, "")
DR_ERR(SQL_RESERVED, 251, 1, 3, "write the word in double quotes")
DR_ERR(SQL_TOO_COMPLEX, 252, 1, 3, "split the statement into smaller ones")
DR_ERR(SQL_CHECK_DIED, 253, 1, 3, "split the statement into smaller ones")
DR_ERR(SQL_FORBIDDEN, 254, 1, 3, "")
DR_ERR(SQL_TRANSACTION, 255, 1, 3, "give the statement a section of its own: -- drover:up transaction=off")
DR_ERR(SQL_PROBE, 256, 1, 3, "remove transaction=off, so that the statement runs in a transaction")
DR_ERR(SQL_CONCURRENT, 257, 1, 3, "")
DR_ERR(SQL_DUPLICATE, 258, 1, 3, "")
DR_ERR(SQL_IDENTIFIER, 259, 1, 3, "")
DR_ERR(SQL_LINT, 260, 1, 3, "drover lint")

// revision
DR_ERR(REVISION_SIZE, 300, 1, 8, "")
DR_ERR(REVISION_BYTES, 301, 1, 3, "")
DR_ERR(REVISION_HEADER, 302, 1, 3, "")
DR_ERR(REVISION_ID, 303, 1, 3, "")
DR_ERR(REVISION_DIRECTIVE, 304, 1, 3, "")
DR_ERR(REVISION_DOWN, 305, 1, 3, "write the way back under '-- drover:down', or '-- drover:down none reason=\"...\"'")
DR_ERR(REVISION_EMPTY, 306, 1, 3, "")
DR_ERR(REVISION_STATEMENTS, 307, 1, 3, "")
DR_ERR(REVISION_DUPLICATE, 308, 1, 6, "")
DR_ERR(REVISION_PARENT, 309, 1, 5, "")
DR_ERR(REVISION_CYCLE, 310, 1, 3, "")
DR_ERR(REVISION_LABEL, 311, 1, 6, "")
DR_ERR(REVISION_HEADS, 312, 1, 9, "")
DR_ERR(REVISION_UNKNOWN, 313, 1, 5, "drover history")
DR_ERR(REVISION_AMBIGUOUS, 314, 1, 3, "")
DR_ERR(REVISION_STEP, 315, 1, 3, "drover history")
DR_ERR(REVISION_EXPRESSION, 316, 2, 3, "")
DR_ERR(REVISION_ENGINE, 317, 1, 9, "")
DR_ERR(PLAN_MISMATCH, 318, 4, 9, "")
