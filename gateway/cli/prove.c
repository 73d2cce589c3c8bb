/* SPDX-License-Identifier: Apache-2.0 */
/* assent prove: proofs as JSON, for whoever has the public key; tests/verify.py checks them. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "consent/ledger.h"
#include "consent/ledger_checkpoint.h"
#include "consent/ledger_nodes.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cut_by.h"
#include "gateway/cli/erased_by.h"
#include "gateway/cli/ledger_path.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"
#include "gateway/cli/proof_json.h"
#include "gateway/config_text.h"

struct prove {
    const char *directory;
    struct ledger_nodes *nodes;
    bool personal; /* with the person's part and what opens its commitment */
};

static int print_json(json_t *object)
{
    json_dumpf(object, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(object);
    return EXIT_DONE;
}

/* Inclusion ----------------------------------------------------------------------------------- */

static bool read_record(const struct prove *prove, uint64_t sequence, struct ledger_reader **reader,
                        struct ledger_record *ret_record)
{
    const char *why = "";
    if (ledger_reader_open(prove->directory, sequence, reader, &why) != ERR_OK) {
        complain("%s: %s", prove->directory, why);
        return false;
    }
    if (ledger_reader_next(*reader, sequence + 1, ret_record) == ERR_OK)
        return true;
    char text[CUT_BY_SIZE];
    if (cut_by_text(prove->directory, sequence, text))
        complain("record %" PRIu64 " %s: nothing is left of it that could be proved", sequence,
                 text);
    else
        complain("record %" PRIu64 " cannot be read: %s", sequence, ledger_reader_why(*reader));
    ledger_reader_free(*reader);
    return false;
}

/* The proof holds without the personal part; by which request it was destroyed says the same ledger. */
static void add_erasure(const struct prove *prove, json_t *object, uint64_t sequence)
{
    struct erased_by by;
    if (erased_by_find(prove->directory, sequence, &by))
        json_object_set_new(object, "destroyed", erased_by_json(&by));
}

static int prove_inclusion(const struct prove *prove, uint64_t sequence, struct span note,
                           const struct checkpoint *checkpoint)
{
    struct ledger_reader *reader;
    struct ledger_record record;
    if (sequence == 0 || sequence > checkpoint->size) {
        complain("the newest checkpoint covers records 1 to %" PRIu64 "%s", checkpoint->size,
                 sequence > checkpoint->size ? "; a newer one comes within a second of the record"
                                             : "");
        return EXIT_REFUSED;
    }
    if (!checkpoint_matches(prove->nodes, checkpoint) ||
        !read_record(prove, sequence, &reader, &record))
        return EXIT_REFUSED;
    json_t *object = inclusion_json(prove->nodes, &record, note, checkpoint, prove->personal);
    if (object != NULL && record.commitment.length > 0 && record.personal_part.length == 0)
        add_erasure(prove, object, sequence);
    ledger_reader_free(reader);
    return object == NULL ? EXIT_REFUSED : print_json(object);
}

/* Consistency --------------------------------------------------------------------------------- */

/* The last checkpoint in the file: of a witness' many, the newest. */
static bool read_checkpoint(const char *path, char note[NOTE_SIZE], size_t *ret_length,
                            struct checkpoint *ret_checkpoint)
{
    size_t length, used;
    bool found = false;
    char *text = read_file(path, 64u << 20, &length);
    if (text == NULL)
        return false;
    struct span rest = span_of(text, length);
    while (rest.length > 0 && checkpoint_read(rest, ret_checkpoint, &used) == ERR_OK) {
        memcpy(note, rest.data, used);
        *ret_length = used;
        found = true;
        rest = span_of(rest.data + used, rest.length - used);
        while (rest.length > 0 && rest.data[0] == '\n')
            rest = span_of(rest.data + 1, rest.length - 1);
    }
    if (!found || rest.length > 0)
        complain("%s: no checkpoint stands %s", path, found ? "behind the last good one" : "there");
    free(text);
    return found && rest.length == 0;
}

static int prove_consistency(const struct prove *prove, const char *from_path, const char *to_path,
                             struct span newest, const struct checkpoint *newest_checkpoint)
{
    char from_note[NOTE_SIZE], to_note[NOTE_SIZE];
    size_t from_length, to_length = newest.length;
    struct checkpoint from, to = *newest_checkpoint;
    struct proof proof;
    struct tree_source source = ledger_nodes_source(prove->nodes);
    memcpy(to_note, newest.data, newest.length);
    if (!read_checkpoint(from_path, from_note, &from_length, &from) ||
        (to_path != NULL && !read_checkpoint(to_path, to_note, &to_length, &to)))
        return EXIT_REFUSED;
    if (from.size == 0 || from.size > to.size) {
        complain("--from covers %" PRIu64 " records, --to %" PRIu64
                 ": from the smaller to the larger",
                 from.size, to.size);
        return EXIT_REFUSED;
    }
    if (!checkpoint_matches(prove->nodes, &from) || !checkpoint_matches(prove->nodes, &to))
        return EXIT_REFUSED;
    if (proof_of_consistency(&source, from.size, to.size, &proof) != ERR_OK) {
        complain("%s", ledger_nodes_why(prove->nodes));
        return EXIT_REFUSED;
    }
    return print_json(json_pack("{s:s, s:I, s:I, s:o, s:s%, s:s%}", "proof", "consistency",
                                "from_size", (json_int_t)from.size, "to_size", (json_int_t)to.size,
                                "nodes", proof_nodes_json(&proof), "from", from_note, from_length,
                                "to", to_note, to_length));
}

static int run(struct prove *prove, uint64_t sequence, const char *from, const char *to)
{
    char note[NOTE_SIZE];
    size_t length;
    struct checkpoint checkpoint;
    const char *why = "";
    if (checkpoint_newest(prove->directory, note, &length, &checkpoint) != ERR_OK) {
        complain("%s has no checkpoint yet: assentd makes one a second while records come",
                 prove->directory);
        return EXIT_REFUSED;
    }
    if (ledger_nodes_open(prove->directory, &prove->nodes, &why) != ERR_OK) {
        complain("%s", why);
        return EXIT_REFUSED;
    }
    struct span newest = span_of(note, length);
    int code = from != NULL ? prove_consistency(prove, from, to, newest, &checkpoint)
                            : prove_inclusion(prove, sequence, newest, &checkpoint);
    ledger_nodes_free(prove->nodes);
    return code;
}

int command_prove(const struct cli *cli, int argc, char **argv)
{
    const char *word = NULL, *data = NULL, *from = NULL, *to = NULL;
    struct prove prove = {0};
    uint64_t sequence = 0;
    const struct option_row rows[] = {
        {"data", "DIR", "the gateway's data directory; else from -c", &data, NULL},
        {"personal", NULL,
         "with the number and text, and what shows that they are those\n"
         "                        that were recorded",
         NULL, &prove.personal},
        {"from", "CHECKPOINT",
         "a checkpoint that somebody has kept: its records still are the\n"
         "                        beginning of the ledger",
         &from, NULL},
        {"to", "CHECKPOINT", "a later one; else the newest", &to, NULL},
    };
    const struct usage usage = {
        .synopsis = "assent {-c FILE prove | prove --data DIR} {SEQ | --from CHECKPOINT}",
        .about =
            "Prints, as JSON, a proof that record SEQ is in the ledger, or that the ledger of a\n"
            "checkpoint has only grown since (RFC 6962). Anybody who has the public key can check\n"
            "it: tests/verify.py needs nothing of this program.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &word, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if ((words == 0) == (from == NULL) || (to != NULL && from == NULL))
        return usage_error(&usage, "either SEQ or --from CHECKPOINT [--to CHECKPOINT]");
    if (words > 0 && !config_integer(word[0] == '#' ? word + 1 : word, &sequence))
        return usage_error(&usage, "%s is no record's sequence number", word);
    char *directory = ledger_path(cli, data);
    if (directory == NULL)
        return EXIT_REFUSED;
    prove.directory = directory;
    int code = run(&prove, sequence, from, to);
    free(directory);
    return code;
}
