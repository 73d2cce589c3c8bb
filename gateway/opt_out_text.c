/* SPDX-License-Identifier: Apache-2.0 */
/* The line under marketing that does not say how to end it. Lines are few and made once: a line of a
 * language, and one of each other way out. */
#include <stdlib.h>
#include <string.h>

#include "consent/opt_out_line.h"
#include "consent/reply.h"
#include "gateway/engine_state.h"
#include "proto/base/check.h"

#define LINE_SIZE (WAY_OCTETS_MAX + 128)

static const char *line_of(struct engine *e, const char *language, const char *way)
{
    char line[LINE_SIZE];
    uint64_t hash =
        hash_mix(hash64(&e->key, language, strlen(language))) ^ hash64(&e->key, way, strlen(way));
    uint64_t *slot = table_put(&e->opt_out_lines, hash ? hash : 1);
    if (*slot == 0) {
        (void)reply_opt_out_line(language, way, line, sizeof line);
        *slot = (uint64_t)(uintptr_t)check_strdup(line);
    }
    return (const char *)(uintptr_t)*slot;
}

const char *opt_out_line_for(struct engine *e, const struct program_config *program, bool by_reply,
                             const char *language, struct span text)
{
    if (says_how_to_opt_out(text, by_reply, program->other_way_out))
        return NULL;
    return line_of(e, language, by_reply ? "" : program->other_way_out);
}

void opt_out_lines_release(struct engine *e)
{
    size_t cursor = 0;
    struct table_slot *slot;
    while ((slot = table_next(&e->opt_out_lines, &cursor)) != NULL)
        free((char *)(uintptr_t)slot->value);
    table_release(&e->opt_out_lines);
}
