/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/trace_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "consent/secret.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cut_by.h"
#include "gateway/cli/erased_by.h"
#include "gateway/cli/ledger_pass.h"
#include "gateway/config_text.h"
#include "proto/event.pb-c.h"

static int tell(uint64_t id, bool same, const char *by)
{
    printf("message %" PRIu64 " %s this text%s\n", id, same ? "had" : "did not have", by);
    return same ? EXIT_DONE : EXIT_REFUSED;
}

static int compare(uint64_t id, const Assent__V1__Personal *personal, const char *text)
{
    struct span hash = span_of(personal->text_hash.data, personal->text_hash.len);
    if (personal->text[0] != '\0')
        return tell(id, strcmp(personal->text, text) == 0, "");
    if (hash.length > 0)
        return tell(id, text_hash_is_of(hash, span_from_string(text)), ", by its hash");
    complain("message %" PRIu64 ": nothing was kept that its text could be compared with", id);
    return EXIT_REFUSED;
}

static void tell_destroyed(const char *directory, uint64_t id)
{
    struct erased_by by;
    char text[ERASED_BY_SIZE];
    if (erased_by_find(directory, id, &by))
        complain("message %" PRIu64 ": its personal part %s", id, erased_by_text(&by, text));
    else
        complain("message %" PRIu64 ": what was personal in it has been destroyed", id);
}

static int look(const char *directory, const struct ledger_record *record, const char *text)
{
    struct arena arena;
    arena_init(&arena, RECORD_ARENA_MAX);
    Assent__V1__Personal *personal;
    const Assent__V1__Event *event = record_unpack(&arena, record, &personal);
    int code = EXIT_REFUSED;
    if (event == NULL || event->body_case != ASSENT__V1__EVENT__BODY_ACCEPTED)
        complain("record %" PRIu64 " is no message", record->sequence);
    else if (personal == NULL)
        tell_destroyed(directory, record->sequence);
    else
        code = compare(record->sequence, personal, text);
    arena_release(&arena);
    return code;
}

int trace_is_text(const char *directory, const char *word, const char *text)
{
    uint64_t id;
    struct ledger_reader *reader;
    struct ledger_record record;
    char cut[CUT_BY_SIZE];
    const char *why = "the ledger holds no such record";
    if (!config_integer(word[0] == '#' ? word + 1 : word, &id) || id == 0) {
        complain("--is-text is about one message: give its id");
        return EXIT_REFUSED;
    }
    if (ledger_reader_open(directory, id, &reader, &why) != ERR_OK) {
        complain("%s: %s", directory, why);
        return EXIT_REFUSED;
    }
    int code = EXIT_REFUSED;
    if (ledger_reader_next(reader, id + 1, &record) == ERR_OK && record.sequence == id)
        code = look(directory, &record, text);
    else if (cut_by_text(directory, id, cut))
        complain("message %" PRIu64 " %s", id, cut);
    else
        complain("%s: %s", word, why);
    ledger_reader_free(reader);
    return code;
}
