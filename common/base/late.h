// Late: a library that is loaded when the first of its functions is called, so that a program which
// ends without it does not pay for it. A file with one function of the same name for each that is
// called (see db/pg_late.c) is linked instead of the library.
#ifndef DR_BASE_LATE_H
#define DR_BASE_LATE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

// Rows of such a file are X(type of the result, name, parameters, arguments); of them a table of
// pointers and a list of names are made.
#define DR_LATE_FIELD(type, name, parameters, arguments) type(*name) parameters;
#define DR_LATE_NAME(type, name, parameters, arguments)  #name,

// Loads `library` for good and puts the addresses of `names` into `table`, an array of `count`
// pointers to functions. False, with the table as it was, when the library or one of the names is
// not there. May block on the disk; call it once.
DR_MUST_CHECK bool
dr_late_load(const char *library, const char *const *names, size_t count, void *table);

#endif
