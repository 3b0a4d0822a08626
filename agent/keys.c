// Keys: see keys.h.
#include "agent/keys.h"

#include "base/file.h"
#include "trust/keyfile.h"
#include "trust/keywords.h"

#include <limits.h>
#include <string.h>

struct paths {
    char key[PATH_MAX], transport[PATH_MAX], public[PATH_MAX];
};

static enum dr_rc
name_files(const char *folder, struct paths *out, struct dr_err *err)
{
    const char *const names[] = {"agent.key", "agent.transport", "agent.pub"};
    char *const paths[] = {out->key, out->transport, out->public};
    for (size_t i = 0; i < DR_COUNT_OF(names); i++) {
        if (snprintf(paths[i], PATH_MAX, "%s/%s", folder, names[i]) >= PATH_MAX) {
            return dr_err_set(err, DR_E_LIMIT, "the path '%s' is too long", folder);
        }
        if (dr_path_exists(paths[i])) {
            (void)dr_err_set(err, DR_E_EXISTS, "'%s' is there already", paths[i]);
            return dr_err_hint(
                err, "name another folder: a key that is in the fleet is not replaced by hand");
        }
    }
    return DR_OK;
}

static enum dr_rc
write_files(const struct paths *paths, const char *name, struct dr_key *signing,
            struct dr_key *transport, FILE *out, struct dr_err *err)
{
    char comment[128];
    struct dr_public public = {0};
    struct dr_buf line = {0};
    (void)snprintf(public.name, sizeof public.name, "%s", name);
    memcpy(public.signing, signing->public_key, DR_KEY_SIZE);
    memcpy(public.transport, transport->public_key, DR_KEY_SIZE);
    dr_public_format(&line, &public);
    (void)snprintf(comment, sizeof comment, "signing key of agent %s", name);
    enum dr_rc rc = dr_keyfile_save(paths->key, signing, NULL, DR_KEY_COST_MODERATE, comment, err);
    (void)snprintf(comment, sizeof comment, "transport key of agent %s", name);
    rc = rc != DR_OK ? rc
                     : dr_keyfile_save(paths->transport, transport, NULL, DR_KEY_COST_MODERATE,
                                       comment, err);
    rc = rc != DR_OK ? rc : dr_file_create(paths->public, line.data, line.len, 0644, err);
    if (rc == DR_OK) {
        char words[DR_KEY_WORDS_SIZE];
        dr_key_words(public.signing, public.transport, words);
        (void)fprintf(out, "%sin words: %s\n", line.data, words);
        (void)fprintf(out, "whoever adds this agent compares them: drover agent list\n");
    }
    dr_buf_fini(&line);
    return rc;
}

static enum dr_rc
make(const struct paths *paths, const char *name, FILE *out, struct dr_err *err)
{
    struct dr_key signing = {0};
    struct dr_key transport = {0};
    enum dr_rc rc = dr_key_generate(DR_KEY_SIGNING, &signing, err);
    rc = rc != DR_OK ? rc : dr_key_generate(DR_KEY_TRANSPORT, &transport, err);
    rc = rc != DR_OK ? rc : write_files(paths, name, &signing, &transport, out, err);
    dr_key_fini(&signing);
    dr_key_fini(&transport);
    return rc;
}

enum dr_rc
dr_agent_keys_next(const struct dr_agent_config *config, FILE *out, struct dr_err *err)
{
    struct paths paths;
    const char *const existing[] = {paths.key, paths.transport, paths.public};
    (void)snprintf(paths.key, PATH_MAX, "%.*s" DR_AGENT_KEY_NEXT, PATH_MAX - 16, config->key);
    (void)snprintf(paths.transport, PATH_MAX, "%.*s" DR_AGENT_KEY_NEXT, PATH_MAX - 16,
                   config->transport_key);
    (void)snprintf(paths.public, PATH_MAX, "%.*s" DR_AGENT_KEY_NEXT ".pub", PATH_MAX - 16,
                   config->key);
    for (size_t i = 0; i < DR_COUNT_OF(existing); i++) {
        if (dr_path_exists(existing[i])) {
            (void)dr_err_set(err, DR_E_EXISTS, "'%s' is there already", existing[i]);
            return dr_err_hint(err, "let the fleet name it (drover agent rekey), then move it over "
                                    "the old file");
        }
    }
    enum dr_rc rc = make(&paths, config->agent, out, err);
    if (rc == DR_OK) {
        (void)fprintf(out,
                      "next: systemctl reload drover-agent; drover agent rekey %s "
                      "--public-key %s\n",
                      config->agent, paths.public);
    }
    return rc;
}

enum dr_rc
dr_agent_keys_new(const char *folder, const char *name, FILE *out, struct dr_err *err)
{
    struct paths paths;
    if (!dr_name_is_valid(name)) {
        (void)dr_err_set(err, DR_E_INVALID, "'%s' is no name of an agent", name);
        return dr_err_hint(err, "use letters a-z, digits, '.', '_' and '-'");
    }
    enum dr_rc rc = dr_dir_make(folder, 0700, err);
    rc = rc != DR_OK ? rc : name_files(folder, &paths, err);
    return rc != DR_OK ? rc : make(&paths, name, out, err);
}
