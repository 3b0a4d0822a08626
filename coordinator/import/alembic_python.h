// Tokens of Python source, as far as literals at the top of a module need them. Nothing is run.
// Source: The Python Language Reference, chapter 2 "Lexical analysis".
#ifndef DR_IMPORT_ALEMBIC_PYTHON_H
#define DR_IMPORT_ALEMBIC_PYTHON_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_PYTHON_SOURCE_MAX (16u << 20) // bytes of one module

enum dr_python_kind {
    DR_PYTHON_END = 0,
    DR_PYTHON_NEWLINE, // end of a logical line, or ';'
    DR_PYTHON_NAME,
    DR_PYTHON_STRING,       // value: without quotes, escapes taken; not for f"" and b""
    DR_PYTHON_OTHER_STRING, // f"" and b"": no literal text
    DR_PYTHON_NUMBER,
    DR_PYTHON_OPERATOR, // one character, or two: == != <= >= := ->
};

struct dr_python_token {
    enum dr_python_kind kind;
    const char *text; // NAME, STRING, OPERATOR: NUL-terminated, in the arena
    uint32_t line;    // from 1
    uint32_t column;  // from 0
};

// Cuts `len` bytes into tokens, the last one END; `*out` has `*out_count` of them in the arena. A
// byte order mark and CR LF are taken. DR_E_INVALID with line and column of a string that is not
// closed, or of a NUL byte; DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_python_tokens(const char *path, const char *source, size_t len, struct dr_arena *arena,
                 struct dr_python_token **out, size_t *out_count, struct dr_err *err);

#endif
