// Output: tables and trees for people (libsmartcols), JSON for programs, colours only where a
// terminal shows them.
#ifndef DR_CLI_PRINT_H
#define DR_CLI_PRINT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct dr_cli;

// --color > NO_COLOR > FORCE_COLOR, CLICOLOR_FORCE > a terminal that is not dumb.
bool dr_print_wants_color(const char *when);

// Words for states, coloured where allowed: good (green), waiting (yellow), bad (red), plain.
enum dr_tone { DR_TONE_PLAIN, DR_TONE_GOOD, DR_TONE_WAIT, DR_TONE_BAD, DR_TONE_DIM };
// What switches a colour on and off again; both "" when there are no colours.
const char *dr_tone_begin(const struct dr_cli *cli, enum dr_tone tone);
const char *dr_tone_end(const struct dr_cli *cli, enum dr_tone tone);

// Text for people on standard output, printf-like; nothing at all with --output json or jsonl.
// Whatever a terminal would act on is shown as an escape; only the tones' own codes pass.
void dr_say(const struct dr_cli *cli, const char *fmt, ...) DR_PRINTF(2, 3);

// A table of at most 16 columns. Cells are copied, and escaped for terminals.
struct dr_table;
struct dr_table *
dr_table_new(const struct dr_cli *cli,
             const char *const *columns); // ends with NULL; NULL when memory is out
// A row of as many cells as columns, ended by NULL; NULL cells may not be given (use "").
// `parent` (a row's number, from 0) makes it a tree; SIZE_MAX: none. Returns the row's number.
size_t dr_table_row(struct dr_table *table, size_t parent, const char *const *cells);
// Colours one cell.
void dr_table_tone(struct dr_table *table, size_t row, size_t column, enum dr_tone tone);
void dr_table_print(struct dr_table *table, FILE *to);
void dr_table_free(struct dr_table **table);

// Prints a JSON value with its `schema` key and takes the reference. One line for jsonl.
void dr_print_json(const struct dr_cli *cli, json_t *value);
// Prints a message as JSON with every field, after `schema`. DR_E_NOMEM, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc dr_print_message(const struct dr_cli *cli, const char *schema,
                                          const ProtobufCMessage *message, struct dr_err *err);
// "3b9f77c2 10ab44de": the first 8 bytes of a digest for people. `out` has 20 bytes.
void dr_print_digest(char out[20], const uint8_t *bytes, size_t len);
// How long ago a unix time was, in whole seconds at least: "14s", "3h"; "-" for 0.
const char *dr_print_age(const struct dr_cli *cli, int64_t unix_s);
// May a person be shown this text of the coordinator's as something to type? Without anything that
// a shell acts on. `is_command`: it must also begin with "drover ".
bool dr_print_is_tame(const char *text, bool is_command);
// Escapes text for a terminal into an arena string of `cli`.
const char *dr_print_safe(const struct dr_cli *cli, const char *text);
// Appends text as it stands in XML; what XML cannot hold is shown as an escape.
void dr_print_xml(struct dr_buf *out, const char *text);
// A line on standard error unless --quiet.
void dr_print_note(const struct dr_cli *cli, const char *fmt, ...) DR_PRINTF(2, 3);
// Asks a mild question on the terminal; --yes answers it. DR_E_USAGE when nobody can be asked.
DR_MUST_CHECK enum dr_rc
dr_ask_yes(const struct dr_cli *cli, const char *question, bool *out, struct dr_err *err);
// Asks for a name to be typed; `--confirm=NAME` answers it. DR_E_USAGE when it differs or nobody
// can be asked.
DR_MUST_CHECK enum dr_rc
dr_ask_name(const struct dr_cli *cli, const char *question, const char *name, struct dr_err *err);

#endif
