// The functions behind the rows of commands.c, one file per group.
#ifndef DR_CLI_COMMANDS_H
#define DR_CLI_COMMANDS_H

#include "coordinator/cli/cli.h"

// cmd_revision.c: files, no database
enum dr_rc dr_cmd_revision(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_merge(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_edit(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_check(struct dr_cli *cli, struct dr_err *err); // cmd_check.c

// cmd_lint.c: checks of files
enum dr_rc dr_cmd_lint(struct dr_cli *cli, struct dr_err *err);

// cmd_test.c: revisions on scratch databases
enum dr_rc dr_cmd_test(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rehearse(struct dr_cli *cli, struct dr_err *err);

// cmd_history.c: the chain in the folder
enum dr_rc dr_cmd_history(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_heads(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_branches(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_show(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_graph(struct dr_cli *cli, struct dr_err *err); // cmd_graph.c
enum dr_rc dr_cmd_sql(struct dr_cli *cli, struct dr_err *err);

// cmd_schema.c: schemas of databases, files and the chain
enum dr_rc dr_cmd_schema_show(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_schema_diff(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_schema_er(struct dr_cli *cli, struct dr_err *err);

// cmd_import.c, cmd_export.c: the migrations of other tools
enum dr_rc dr_cmd_import(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_export(struct dr_cli *cli, struct dr_err *err);

// cmd_direct.c: one database, no coordinator
enum dr_rc dr_cmd_direct_run(struct dr_cli *cli, const char *url, bool is_down, struct dr_err *err);
enum dr_rc dr_cmd_current(struct dr_cli *cli, struct dr_err *err);

// cmd_repair.c, cmd_stamp.c, cmd_remedy.c: out of what is half done or refused
enum dr_rc dr_cmd_repair(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_stamp(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_remedy(struct dr_cli *cli, struct dr_err *err);

// cmd_init.c, cmd_key.c: project, people, keys, agents
enum dr_rc dr_cmd_config_show(struct dr_cli *cli, struct dr_err *err); // cmd_config.c
enum dr_rc dr_cmd_init(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_sign(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_key_new(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_key_show(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_key_list(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_key_passwd(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_key_export_public(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_root_show(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_root_propose(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_root_rotate(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_people_list(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_people_add(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_people_remove(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_people_replace_key(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_policy_show(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_policy_edit(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_policy_check(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_policy_apply(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_freeze_add(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_freeze_lift(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_freeze_list(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_veto(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_veto_lift(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_inbox(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_fleet_show(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_fleet_renew(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_agent_retire(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_agent_rekey(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_agent_approve(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_agent_add(struct dr_cli *cli, struct dr_err *err);

// cmd_backup.c: backups that the agents keep
enum dr_rc dr_cmd_backup_list(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_backup_take(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_backup_verify(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_backup_restore_test(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_backup_prune(struct dr_cli *cli, struct dr_err *err);

// cmd_chain.c: revisions into the approved chain
enum dr_rc dr_cmd_submit(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_approve_chain(struct dr_cli *cli, struct dr_err *err);

// cmd_rollout.c, cmd_approve.c: rollouts
enum dr_rc dr_cmd_upgrade(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_downgrade(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_approve(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_checklist(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rollout_list(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rollout_show(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rollout_watch(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rollout_order(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rollout_undo(struct dr_cli *cli, struct dr_err *err);

// cmd_status.c, cmd_rpc.c: look
enum dr_rc dr_cmd_report(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_why(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_withdraw(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_drift(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_status(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_current_of_targets(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_agents(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_log(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_ping(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rpc_list(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_rpc_call(struct dr_cli *cli, struct dr_err *err);
enum dr_rc dr_cmd_version(struct dr_cli *cli, struct dr_err *err);

#endif
