// Configuration of droverd: one file, read and checked before anything else starts.
#ifndef DR_CORE_CONFIG_H
#define DR_CORE_CONFIG_H

#include "base/attr.h"
#include "base/err.h"
#include "base/log.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct dr_config {
    char project[68];
    char listen[256];             // tcp://host:port
    char state[PATH_MAX];         // folder
    char transport_key[PATH_MAX]; // key file
    char root[PATH_MAX];          // the first root's envelope
    char fleet[PATH_MAX];         // a first fleet (packed Document); "": none
    char tls[PATH_MAX];           // PEM with certificate and key for tls+tcp://; "": none
    bool has_root_pin;
    uint8_t root_sha256[32];
    enum dr_log_format log_format;
    uint32_t tick_ms; // not read from the file; 0: DR_CORE_TICK_MS
};

// Reads `path`; relative paths in it are relative to its folder. DR_E_CONFIG with file and line,
// DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc
dr_config_read(const char *path, struct dr_config *out, struct dr_err *err);

#endif
