// The words that may stand in front of '(' in a preflight. See preflight.h.
//
// A function is here when it only computes or reads the catalog, in every supported version of the
// server. Left out on purpose: whatever writes (lo_*, nextval, setval, set_config), sends
// (pg_notify, pg_logical_emit_message), locks (pg_advisory_*), waits (pg_sleep), reads files or
// other servers (pg_read_file, pg_ls_dir, dblink, query_to_xml, database_to_xml), or touches other
// sessions (pg_cancel_backend, pg_terminate_backend, pg_stat_reset).
#include "sql/preflight.h"

#include "base/attr.h"

#include <stdlib.h>
#include <string.h>

struct word {
    const char *name;
    unsigned char pg, sqlite; // enum dr_sql_callable
};

#define N DR_SQL_CALL_NONE
#define F DR_SQL_CALL_FUNCTION
#define S DR_SQL_CALL_SYNTAX

// Sorted by bytes.
// clang-format off
static const struct word words[] = {
    {"abs", F, F}, {"acos", F, F}, {"acosd", F, N}, {"acosh", F, N}, {"age", F, N}, {"all", S, S},
    {"and", S, S}, {"any", S, S}, {"array", S, N}, {"array_agg", F, N}, {"array_append", F, N},
    {"array_cat", F, N}, {"array_dims", F, N}, {"array_fill", F, N}, {"array_length", F, N},
    {"array_lower", F, N}, {"array_ndims", F, N}, {"array_position", F, N},
    {"array_positions", F, N}, {"array_prepend", F, N}, {"array_remove", F, N},
    {"array_replace", F, N}, {"array_to_json", F, N}, {"array_to_string", F, N},
    {"array_upper", F, N}, {"as", S, S}, {"ascii", F, N}, {"asin", F, F}, {"asind", F, N},
    {"asinh", F, N}, {"atan", F, F}, {"atan2", F, F}, {"atan2d", F, N}, {"atand", F, N},
    {"atanh", F, N}, {"avg", F, F}, {"between", S, S}, {"bigint", S, N}, {"bit", S, N},
    {"bit_and", F, N}, {"bit_count", F, N}, {"bit_length", F, N}, {"bit_or", F, N},
    {"bit_xor", F, N}, {"bool_and", F, N}, {"bool_or", F, N}, {"boolean", S, N}, {"both", S, N},
    {"bpchar", S, N}, {"btrim", F, N}, {"cardinality", F, N}, {"case", S, S}, {"cast", S, S},
    {"cbrt", F, N}, {"ceil", F, F}, {"ceiling", F, F}, {"changes", N, F}, {"char", S, F},
    {"char_length", F, N}, {"character", S, N}, {"character_length", F, N}, {"check", S, S},
    {"chr", F, N}, {"clock_timestamp", F, N}, {"coalesce", F, F}, {"col_description", F, N},
    {"collate", N, S}, {"concat", F, F}, {"concat_ws", F, F}, {"convert_from", F, N},
    {"convert_to", F, N}, {"corr", F, N}, {"cos", F, F}, {"cosd", F, N}, {"cosh", F, N},
    {"cot", F, N}, {"cotd", F, N}, {"count", F, F}, {"covar_pop", F, N}, {"covar_samp", F, N},
    {"cube", S, N}, {"cume_dist", F, F}, {"current_database", F, N}, {"current_date", S, N},
    {"current_schema", F, N}, {"current_schemas", F, N}, {"current_setting", F, N},
    {"current_time", S, N}, {"current_timestamp", S, N}, {"current_user", F, N}, {"date", F, F},
    {"date_bin", F, N}, {"date_part", F, N}, {"date_trunc", F, N}, {"daterange", F, N},
    {"datetime", N, F}, {"dec", S, N}, {"decimal", S, N}, {"decode", F, N}, {"degrees", F, F},
    {"dense_rank", F, F}, {"distinct", S, S}, {"div", F, N}, {"else", S, S}, {"encode", F, N},
    {"enum_first", F, N}, {"enum_last", F, N}, {"enum_range", F, N}, {"escape", N, S},
    {"every", F, N}, {"except", S, S}, {"exists", S, S}, {"exp", F, F}, {"extract", F, N},
    {"factorial", F, N}, {"first_value", F, F}, {"float", S, N}, {"float4", F, N},
    {"float8", F, N}, {"floor", F, F}, {"format", F, F}, {"format_type", F, N}, {"from", S, S},
    {"gcd", F, N}, {"generate_series", F, N}, {"generate_subscripts", F, N}, {"get_bit", F, N},
    {"get_byte", F, N}, {"glob", N, S}, {"greatest", F, N}, {"group", S, S},
    {"group_concat", N, F}, {"grouping", S, N}, {"has_any_column_privilege", F, N},
    {"has_column_privilege", F, N}, {"has_database_privilege", F, N},
    {"has_foreign_data_wrapper_privilege", F, N}, {"has_function_privilege", F, N},
    {"has_language_privilege", F, N}, {"has_schema_privilege", F, N},
    {"has_sequence_privilege", F, N}, {"has_server_privilege", F, N},
    {"has_table_privilege", F, N}, {"has_tablespace_privilege", F, N},
    {"has_type_privilege", F, N}, {"having", S, S}, {"hex", N, F}, {"ifnull", N, F},
    {"iif", N, F}, {"ilike", S, N}, {"in", S, S}, {"initcap", F, N}, {"instr", N, F},
    {"int", S, N}, {"int2", F, N}, {"int4", F, N}, {"int4range", F, N}, {"int8", F, N},
    {"int8range", F, N}, {"integer", S, N}, {"intersect", S, S}, {"interval", S, N},
    {"isempty", F, N}, {"isfinite", F, N}, {"json", N, F}, {"json_agg", F, N},
    {"json_array", N, F}, {"json_array_elements", F, N}, {"json_array_elements_text", F, N},
    {"json_array_length", F, F}, {"json_build_array", F, N}, {"json_build_object", F, N},
    {"json_each", F, F}, {"json_each_text", F, N}, {"json_error_position", N, F},
    {"json_extract", N, F}, {"json_extract_path", F, N}, {"json_extract_path_text", F, N},
    {"json_group_array", N, F}, {"json_group_object", N, F}, {"json_insert", N, F},
    {"json_object", F, F}, {"json_object_agg", F, N}, {"json_object_keys", F, N},
    {"json_patch", N, F}, {"json_quote", N, F}, {"json_remove", N, F}, {"json_replace", N, F},
    {"json_set", N, F}, {"json_strip_nulls", F, N}, {"json_tree", N, F}, {"json_type", N, F},
    {"json_typeof", F, N}, {"json_valid", N, F}, {"jsonb_agg", F, N},
    {"jsonb_array_elements", F, N}, {"jsonb_array_elements_text", F, N},
    {"jsonb_array_length", F, N}, {"jsonb_build_array", F, N}, {"jsonb_build_object", F, N},
    {"jsonb_each", F, N}, {"jsonb_each_text", F, N}, {"jsonb_exists", F, N},
    {"jsonb_extract_path", F, N}, {"jsonb_extract_path_text", F, N}, {"jsonb_object", F, N},
    {"jsonb_object_agg", F, N}, {"jsonb_object_keys", F, N}, {"jsonb_path_exists", F, N},
    {"jsonb_path_match", F, N}, {"jsonb_path_query", F, N}, {"jsonb_path_query_array", F, N},
    {"jsonb_path_query_first", F, N}, {"jsonb_pretty", F, N}, {"jsonb_set", F, N},
    {"jsonb_strip_nulls", F, N}, {"jsonb_typeof", F, N}, {"julianday", N, F},
    {"justify_days", F, N}, {"justify_hours", F, N}, {"justify_interval", F, N}, {"lag", F, F},
    {"last_value", F, F}, {"lateral", S, N}, {"lcm", F, N}, {"lead", F, F}, {"leading", S, N},
    {"least", F, N}, {"left", F, N}, {"length", F, F}, {"like", S, S}, {"likelihood", N, F},
    {"likely", N, F}, {"limit", S, S}, {"ln", F, F}, {"localtime", F, N},
    {"localtimestamp", F, N}, {"log", F, F}, {"log10", F, F}, {"log2", N, F}, {"lower", F, F},
    {"lower_inc", F, N}, {"lower_inf", F, N}, {"lpad", F, N}, {"ltrim", F, F},
    {"make_date", F, N}, {"make_interval", F, N}, {"make_time", F, N}, {"make_timestamp", F, N},
    {"make_timestamptz", F, N}, {"match", N, S}, {"max", F, F}, {"md5", F, N}, {"min", F, F},
    {"min_scale", F, N}, {"mod", F, F}, {"mode", F, N}, {"name", F, N}, {"nchar", S, N},
    {"normalize", S, N}, {"not", S, S}, {"now", F, N}, {"nth_value", F, F}, {"ntile", F, F},
    {"nullif", F, F}, {"num_nonnulls", F, N}, {"num_nulls", F, N}, {"numeric", S, N},
    {"numrange", F, N}, {"obj_description", F, N}, {"octet_length", F, F}, {"offset", S, S},
    {"on", S, S}, {"or", S, S}, {"overlaps", S, N}, {"overlay", S, N}, {"parse_ident", F, N},
    {"percent_rank", F, F}, {"percentile_cont", F, N}, {"percentile_disc", F, N},
    {"pg_backend_pid", F, N}, {"pg_char_to_encoding", F, N}, {"pg_client_encoding", F, N},
    {"pg_collation_is_visible", F, N}, {"pg_column_compression", F, N}, {"pg_column_size", F, N},
    {"pg_current_snapshot", F, N}, {"pg_current_xact_id_if_assigned", F, N},
    {"pg_database_size", F, N}, {"pg_encoding_to_char", F, N}, {"pg_function_is_visible", F, N},
    {"pg_get_constraintdef", F, N}, {"pg_get_expr", F, N}, {"pg_get_function_arguments", F, N},
    {"pg_get_function_identity_arguments", F, N}, {"pg_get_function_result", F, N},
    {"pg_get_functiondef", F, N}, {"pg_get_indexdef", F, N}, {"pg_get_keywords", F, N},
    {"pg_get_partkeydef", F, N}, {"pg_get_ruledef", F, N}, {"pg_get_serial_sequence", F, N},
    {"pg_get_statisticsobjdef", F, N}, {"pg_get_triggerdef", F, N}, {"pg_get_userbyid", F, N},
    {"pg_get_viewdef", F, N}, {"pg_has_role", F, N}, {"pg_index_column_has_property", F, N},
    {"pg_index_has_property", F, N}, {"pg_indexam_has_property", F, N}, {"pg_indexes_size", F, N},
    {"pg_is_in_recovery", F, N}, {"pg_is_other_temp_schema", F, N}, {"pg_my_temp_schema", F, N},
    {"pg_opclass_is_visible", F, N}, {"pg_operator_is_visible", F, N},
    {"pg_partition_ancestors", F, N}, {"pg_partition_root", F, N}, {"pg_partition_tree", F, N},
    {"pg_postmaster_start_time", F, N}, {"pg_relation_size", F, N},
    {"pg_sequence_last_value", F, N}, {"pg_sequence_parameters", F, N}, {"pg_size_bytes", F, N},
    {"pg_size_pretty", F, N}, {"pg_table_is_visible", F, N}, {"pg_table_size", F, N},
    {"pg_tablespace_size", F, N}, {"pg_total_relation_size", F, N}, {"pg_type_is_visible", F, N},
    {"pg_typeof", F, N}, {"pi", F, F}, {"plainto_tsquery", F, N}, {"position", F, N},
    {"pow", N, F}, {"power", F, F}, {"pragma_foreign_key_list", N, F},
    {"pragma_index_info", N, F}, {"pragma_index_list", N, F}, {"pragma_index_xinfo", N, F},
    {"pragma_table_info", N, F}, {"pragma_table_list", N, F}, {"pragma_table_xinfo", N, F},
    {"printf", N, F}, {"quote", N, F}, {"quote_ident", F, N}, {"quote_literal", F, N},
    {"quote_nullable", F, N}, {"radians", F, F}, {"random", N, F}, {"range_agg", F, N},
    {"range_merge", F, N}, {"rank", F, F}, {"real", S, N}, {"regexp", N, S},
    {"regexp_count", F, N}, {"regexp_instr", F, N}, {"regexp_like", F, N}, {"regexp_match", F, N},
    {"regexp_matches", F, N}, {"regexp_replace", F, N}, {"regexp_split_to_array", F, N},
    {"regexp_split_to_table", F, N}, {"regexp_substr", F, N}, {"regr_avgx", F, N},
    {"regr_avgy", F, N}, {"regr_count", F, N}, {"regr_intercept", F, N}, {"regr_r2", F, N},
    {"regr_slope", F, N}, {"regr_sxx", F, N}, {"regr_sxy", F, N}, {"regr_syy", F, N},
    {"repeat", F, N}, {"replace", F, F}, {"reverse", F, N}, {"right", F, N}, {"rollup", S, N},
    {"round", F, F}, {"row", S, N}, {"row_number", F, F}, {"row_security_active", F, N},
    {"row_to_json", F, N}, {"rpad", F, N}, {"rtrim", F, F}, {"scale", F, N}, {"select", S, S},
    {"session_user", F, N}, {"sha224", F, N}, {"sha256", F, N}, {"sha384", F, N},
    {"sha512", F, N}, {"shobj_description", F, N}, {"sign", F, F}, {"similar", S, N},
    {"sin", F, F}, {"sind", F, N}, {"sinh", F, N}, {"smallint", S, N}, {"some", S, N},
    {"split_part", F, N}, {"sqlite_version", N, F}, {"sqrt", F, F}, {"starts_with", F, N},
    {"statement_timestamp", F, N}, {"stddev", F, N}, {"stddev_pop", F, N}, {"stddev_samp", F, N},
    {"strftime", N, F}, {"string_agg", F, F}, {"string_to_array", F, N},
    {"string_to_table", F, N}, {"strpos", F, N}, {"substr", F, F}, {"substring", F, F},
    {"sum", F, F}, {"symmetric", S, N}, {"table", S, N}, {"tan", F, F}, {"tand", F, N},
    {"tanh", F, N}, {"text", F, N}, {"then", S, S}, {"time", S, F}, {"timediff", N, F},
    {"timeofday", F, N}, {"timestamp", S, N}, {"timestamptz", S, N}, {"timetz", S, N},
    {"to", S, N}, {"to_ascii", F, N}, {"to_char", F, N}, {"to_date", F, N}, {"to_hex", F, N},
    {"to_json", F, N}, {"to_jsonb", F, N}, {"to_number", F, N}, {"to_regclass", F, N},
    {"to_regcollation", F, N}, {"to_regnamespace", F, N}, {"to_regoper", F, N},
    {"to_regoperator", F, N}, {"to_regproc", F, N}, {"to_regprocedure", F, N},
    {"to_regrole", F, N}, {"to_regtype", F, N}, {"to_timestamp", F, N}, {"to_tsquery", F, N},
    {"to_tsvector", F, N}, {"total", N, F}, {"trailing", S, N}, {"transaction_timestamp", F, N},
    {"translate", F, N}, {"trim", F, F}, {"trim_array", F, N}, {"trim_scale", F, N},
    {"trunc", F, F}, {"tsrange", F, N}, {"tstzrange", F, N}, {"typeof", N, F}, {"unhex", N, F},
    {"unicode", N, F}, {"union", S, S}, {"unistr", F, N}, {"unixepoch", N, F}, {"unlikely", N, F},
    {"unnest", F, N}, {"upper", F, F}, {"upper_inc", F, N}, {"upper_inf", F, N}, {"user", F, N},
    {"using", S, S}, {"uuid", F, N}, {"values", S, S}, {"var_pop", F, N}, {"var_samp", F, N},
    {"varbit", S, N}, {"varchar", S, S}, {"variance", F, N}, {"version", F, N}, {"when", S, S},
    {"where", S, S}, {"width_bucket", F, N}, {"window", S, N}, {"with", S, N},
    {"xml_is_well_formed", F, N}, {"xmlagg", F, N},
};
// clang-format on

static int
compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct word *)row)->name);
}

enum dr_sql_callable
dr_sql_preflight_word(enum dr_sql_dialect dialect, const char *name)
{
    const struct word *w = bsearch(name, words, DR_COUNT_OF(words), sizeof *words, compare);
    if (w == NULL) {
        return DR_SQL_CALL_NONE;
    }
    return (enum dr_sql_callable)(dialect == DR_SQL_SQLITE ? w->sqlite : w->pg);
}

bool
dr_sql_preflight_words_sorted(void)
{
    for (size_t i = 1; i < DR_COUNT_OF(words); i++) {
        if (strcmp(words[i - 1].name, words[i].name) >= 0) {
            return false;
        }
    }
    return true;
}
