/* SPDX-License-Identifier: Apache-2.0 */
/* assent key: the key that signs the ledger. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/ledger_path.h"
#include "gateway/cli/options.h"
#include "gateway/signing_key.h"
#include "proto/base/base64.h"
#include "proto/base/check.h"

/* SubjectPublicKeyInfo of Ed25519 (RFC 8410 section 4): this, and the 32 octets. */
static const uint8_t spki_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                    0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static void print_key(const struct note_key *key, bool pem)
{
    char text[NOTE_KEY_TEXT_SIZE];
    uint8_t octets[sizeof spki_head + NOTE_PUBLIC_KEY_SIZE];
    char line[BASE64_SIZE(sizeof octets) + 1];
    if (!pem) {
        printf("%s\n", note_key_text(key, text));
        return;
    }
    memcpy(octets, spki_head, sizeof spki_head);
    memcpy(octets + sizeof spki_head, key->public_key, NOTE_PUBLIC_KEY_SIZE);
    printf("-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n",
           base64_encode(span_of(octets, sizeof octets), line));
}

static int show(const struct cli *cli, int argc, char **argv)
{
    bool pem = false;
    const struct option_row rows[] = {
        {"pem", NULL, "in PEM, for openssl and others", NULL, &pem},
    };
    const struct usage usage = {
        .synopsis = "assent -c FILE key show [--pem]",
        .about =
            "Prints the public key that the ledger's checkpoints are signed with. Give it to whom\n"
            "shall be able to check your records, before they need it.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    struct config *config = cli_load_config(cli);
    struct note_signer *signer = NULL;
    const char *why = "";
    if (config == NULL)
        return EXIT_REFUSED;
    enum err err = signing_key_read(config->data_dir, config->node, &signer, &why);
    if (err == ERR_OK)
        print_key(note_signer_key(signer), pem);
    else if (err == ERR_NOT_FOUND)
        complain("%s has no key yet: assentd makes it at its first start", config->data_dir);
    else
        complain("%s", why);
    note_signer_free(signer);
    config_free(config);
    return err == ERR_OK ? EXIT_DONE : EXIT_REFUSED;
}

static enum err rotate_in(const struct config *config, bool lost, struct note_signer **previous,
                          struct note_signer **ret_next, const char **ret_why)
{
    struct ledger *ledger;
    enum err err =
        lost ? ERR_OK : signing_key_read(config->data_dir, config->node, previous, ret_why);
    if (err == ERR_OK)
        err = ledger_open(config->data_dir, &ledger, ret_why);
    if (err != ERR_OK)
        return err;
    err = signing_key_rotate(config->data_dir, config->node, ledger, *previous, ret_next, ret_why);
    ledger_close(ledger);
    return err;
}

static int rotate(const struct cli *cli, int argc, char **argv)
{
    bool lost = false;
    const struct option_row rows[] = {
        {"lost", NULL,
         "the old key is gone: who verifies is told that here\n"
         "                        nobody vouches for the new one",
         NULL, &lost},
    };
    const struct usage usage = {
        .synopsis = "assent -c FILE key rotate [--lost]",
        .about = "A new key takes over: the ledger records it, and one checkpoint is signed by "
                 "both, so\n"
                 "that who knows the old key can trust the new one. The gateway must not run.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, NULL, 0, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    struct config *config = cli_load_config(cli);
    struct note_signer *previous = NULL, *next = NULL;
    const char *why = "";
    if (config == NULL)
        return EXIT_REFUSED;
    enum err err = ERR_DENIED;
    if (ledger_is_ours(config->data_dir)) {
        umask(077);
        err = rotate_in(config, lost, &previous, &next, &why);
        if (err != ERR_OK)
            complain("%s", why);
    }
    if (err == ERR_OK)
        print_key(note_signer_key(next), false);
    note_signer_free(previous);
    note_signer_free(next);
    config_free(config);
    return err == ERR_OK ? EXIT_DONE : EXIT_REFUSED;
}

int command_key(const struct cli *cli, int argc, char **argv)
{
    static const struct command commands[] = {
        {"show", "print the public key", show},
        {"rotate", "a new key takes over from the old one", rotate},
        {0},
    };
    return command_dispatch(commands, "assent key", cli, argc - 1, argv + 1);
}
