// Hands an error on at once. Only for functions that hold nothing to release.
#ifndef DR_TRUST_TRY_H
#define DR_TRUST_TRY_H

#define DR_TRY(call)                                                                               \
    do {                                                                                           \
        enum dr_rc try_rc = (call);                                                                \
        if (try_rc != DR_OK) {                                                                     \
            return try_rc;                                                                         \
        }                                                                                          \
    } while (0)

#endif
