#!/usr/bin/env python3
"""Calls that are banned everywhere, or in libraries, and comments of the wrong kind."""
import fnmatch
import re

import source

# calls: what to use instead
EVERYWHERE = {
    "strcpy strcat strncpy strncat stpcpy": "dr_buf, snprintf or memcpy",
    "sprintf vsprintf": "snprintf or dr_buf_printf",
    "strtok strtok_r": "a loop with strcspn, or a lexer",
    "atoi atol atoll atof": "dr_parse_u64",
    "system popen": "dr_cmd_run",
    "gets alloca": "a buffer with a limit",
    "rand srand random srandom drand48": "randombytes_buf in trust, or a test's own generator",
    "tmpnam tempnam mktemp": "mkstemp or mkdtemp",
    "sleep usleep": "a poll with a deadline",
    "gmtime localtime asctime ctime": "the function with _r at its end, or dr_format_time",
}
# Library code neither ends the process nor writes to its terminal; the edge does.
LIBRARY = {
    "exit abort quick_exit": "a return code",
    "printf puts putchar perror vprintf": "a return code and struct dr_err",
    "dr_log dr_log_err": "a return code: the edge logs",
}
LIBRARY_ALLOWED = ("common/base/log.[ch]",)


def pattern(table):
    return {re.compile(r"(?<![\w.>])(" + "|".join(k.split()) + r")[ \t]*\("): v for k, v in table.items()}


def calls(path, text, table, where):
    for expression, instead in pattern(table).items():
        for match in expression.finditer(text):
            yield (path, source.line_of(text, match.start()), "banned",
                   f"'{match.group(1)}' is banned{where}: use {instead}")


def comments(path, raw):
    for match in source.TOKEN.finditer(raw):
        word, line = match.group(), source.line_of(raw, match.start())
        # In a macro of several lines there is no other kind.
        rest = raw[match.end():].split("\n", 1)[0]
        in_macro = rest.endswith("\\") or re.search(r"\\\n[^\n]*$", raw[:match.start()])
        if word.startswith("/*") and not in_macro:
            yield path, line, "banned", "comments are written with //"
        elif word.startswith("//") and re.search(r"\b(TODO|FIXME|XXX)\b(?! \(?issue \d)", word):
            yield path, line, "banned", "a task in a comment names its issue: // TODO issue 12: ..."


def check(root):
    for path in source.c_paths(root):
        raw = source.read(root, path)
        text = source.blank(raw)
        yield from calls(path, text, EVERYWHERE, "")
        yield from comments(path, raw)
        if path.startswith("common/") and not any(fnmatch.fnmatch(path, f) for f in LIBRARY_ALLOWED):
            yield from calls(path, text, LIBRARY, " in libraries")
            for match in re.finditer(r"\bfprintf[ \t]*\([ \t]*std(err|out)\b", text):
                yield (path, source.line_of(text, match.start()), "banned",
                       "a library does not write to the terminal: use a return code")


if __name__ == "__main__":
    source.tell(sorted(set(check(source.arguments().root))))
