// The options of the commands in commands.c, by the command that has them.
#ifndef DR_CLI_COMMAND_OPTIONS_H
#define DR_CLI_COMMAND_OPTIONS_H

#include "coordinator/cli/cli.h"

extern const struct dr_cli_option dr_opt_revision[];
extern const struct dr_cli_option dr_opt_lint[];
extern const struct dr_cli_option dr_opt_merge[];
extern const struct dr_cli_option dr_opt_check[];
extern const struct dr_cli_option dr_opt_config[];
extern const struct dr_cli_option dr_opt_graph[];
extern const struct dr_cli_option dr_opt_history[];
extern const struct dr_cli_option dr_opt_verbose[];
extern const struct dr_cli_option dr_opt_show[];
extern const struct dr_cli_option dr_opt_sql[];
extern const struct dr_cli_option dr_opt_schema_show[];
extern const struct dr_cli_option dr_opt_schema_diff[];
extern const struct dr_cli_option dr_opt_schema_er[];
extern const struct dr_cli_option dr_opt_import[];
extern const struct dr_cli_option dr_opt_export[];
extern const struct dr_cli_option dr_opt_current[];
extern const struct dr_cli_option dr_opt_upgrade[];
extern const struct dr_cli_option dr_opt_init[];
extern const struct dr_cli_option dr_opt_key[];
extern const struct dr_cli_option dr_opt_sign[];
extern const struct dr_cli_option dr_opt_root[];
extern const struct dr_cli_option dr_opt_rotate[];
extern const struct dr_cli_option dr_opt_people[];
extern const struct dr_cli_option dr_opt_replace[];
extern const struct dr_cli_option dr_opt_change[];
extern const struct dr_cli_option dr_opt_rekey[];
extern const struct dr_cli_option dr_opt_policy[];
extern const struct dr_cli_option dr_opt_stop[];
extern const struct dr_cli_option dr_opt_freeze[];
extern const struct dr_cli_option dr_opt_passwd[];
extern const struct dr_cli_option dr_opt_folder[];
extern const struct dr_cli_option dr_opt_agent[];
extern const struct dr_cli_option dr_opt_backup[];
extern const struct dr_cli_option dr_opt_approve_agent[];
extern const struct dr_cli_option dr_opt_approve[];
extern const struct dr_cli_option dr_opt_checklist[];
extern const struct dr_cli_option dr_opt_policy_check[];
extern const struct dr_cli_option dr_opt_submit[];
extern const struct dr_cli_option dr_opt_watch[];
extern const struct dr_cli_option dr_opt_report[];
extern const struct dr_cli_option dr_opt_drift[];
extern const struct dr_cli_option dr_opt_withdraw[];
extern const struct dr_cli_option dr_opt_status[];
extern const struct dr_cli_option dr_opt_log[];
extern const struct dr_cli_option dr_opt_order[];
extern const struct dr_cli_option dr_opt_undo[];
extern const struct dr_cli_option dr_opt_repair[];
extern const struct dr_cli_option dr_opt_stamp[];
extern const struct dr_cli_option dr_opt_remedy[];
extern const struct dr_cli_option dr_opt_test[];
extern const struct dr_cli_option dr_opt_rehearse[];
extern const struct dr_cli_option dr_opt_none[];

#endif
