/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cli/ledger_pass.h"

#include "gateway/cli/cli.h"

bool ledger_pass(const struct ledger_pass *pass)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    const char *why = "";
    enum err err = ledger_reader_open(pass->directory, 1, &reader, &why);
    if (err != ERR_OK) {
        complain("%s", why);
        return false;
    }
    if (pass->filter != NULL)
        ledger_reader_only(reader, pass->filter);
    uint64_t until = pass->until ? pass->until : UINT64_MAX;
    bool good = pass->begin == NULL || pass->begin(pass->context);
    while (good && (err = ledger_reader_next(reader, until, &record)) == ERR_OK)
        good = pass->each(pass->context, &record);
    if (good && err != ERR_AGAIN)
        complain("%s: %s", pass->directory, ledger_reader_why(reader));
    ledger_reader_free(reader);
    return good && err == ERR_AGAIN;
}

bool ledgers_pass(const char *const *directories, unsigned count,
                  void (*each)(void *context, const struct ledgers_event *event), void *context)
{
    const char *why = "";
    struct ledgers *ledgers = ledgers_open(directories, count, &why);
    if (ledgers == NULL) {
        complain("the ledgers cannot be read: %s", why);
        return false;
    }
    struct ledgers_event event;
    enum err err;
    while ((err = ledgers_next(ledgers, &event)) == ERR_OK)
        each(context, &event);
    if (err != ERR_AGAIN)
        complain("%s", ledgers_why(ledgers));
    ledgers_free(ledgers);
    return err == ERR_AGAIN;
}

Assent__V1__Event *record_unpack(struct arena *arena, const struct ledger_record *record,
                                 Assent__V1__Personal **ret_personal)
{
    arena_reset(arena);
    if (ret_personal != NULL)
        *ret_personal =
            record->personal_part.length == 0
                ? NULL
                : assent__v1__personal__unpack(&arena->allocator, record->personal_part.length,
                                               record->personal_part.data);
    return assent__v1__event__unpack(&arena->allocator, record->public_part.length,
                                     record->public_part.data);
}
