/* SPDX-License-Identifier: Apache-2.0 */
/* YAML text to struct config, by a table: a setting is one row. For gateway/config.c and tests. */
#ifndef GATEWAY_CONFIG_SCHEMA_H
#define GATEWAY_CONFIG_SCHEMA_H

#include "gateway/config.h"
#include "proto/base/span.h"

/* What is wrong, gathered so that one run tells everything; sorted by line when it is printed. */
struct config_fault {
    unsigned line; /* 0: the file as a whole */
    char text[1024];
};

struct config_faults {
    struct config_fault faults[CONFIG_FAULTS_MAX];
    unsigned count;
    unsigned dropped; /* more than CONFIG_FAULTS_MAX */
};

void config_fault(struct config_faults *faults, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads `text` into `config`, which config_defaults() has filled. Relative paths and secret files are
 * relative to `folder`; with NULL nothing is opened and secrets stay empty. Arrays are the config's
 * (config_free) whether there were faults or not. */
void config_read(struct span text, const char *folder, struct config *config,
                 struct config_faults *faults);

#endif
