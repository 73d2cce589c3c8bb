/* SPDX-License-Identifier: Apache-2.0 */
/* assent erase: a person's records are destroyed by every gateway on the Redis; this waits for the end at one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gateway/cli/client.h"
#include "gateway/cli/json.h"
#include "gateway/cli/options.h"
#include "gateway/cli/print.h"

#define ASK_EVERY_MS 200

static Assent__V1__ConsentReply *ask(struct client *client, Assent__V1__EraseRequest *request)
{
    Assent__V1__Frame frame = ASSENT__V1__FRAME__INIT;
    frame.body_case = ASSENT__V1__FRAME__BODY_ERASE;
    frame.erase = request;
    Assent__V1__Frame *reply = client_call(client, &frame, ASSENT__V1__FRAME__BODY_CONSENT_REPLY);
    if (reply == NULL)
        return NULL;
    if (reply->consent_reply->code == ASSENT__V1__CODE__CODE_OK)
        return reply->consent_reply;
    complain("refused: %s: %s", code_name(reply->consent_reply->code),
             reply->consent_reply->message);
    return NULL;
}

/* Tells each new state once. */
static bool wait_for_end(struct client *client, uint64_t sequence)
{
    char told[256] = "", text[256];
    for (;;) {
        Assent__V1__EraseRequest request = ASSENT__V1__ERASE_REQUEST__INIT;
        request.sequence = sequence;
        const Assent__V1__ConsentReply *reply = ask(client, &request);
        if (reply == NULL)
            return false;
        snprintf(text, sizeof text, "%.120s%s%.120s", reply->state, reply->message[0] ? ": " : "",
                 reply->message);
        if (strcmp(text, told) != 0)
            printf("%s\n", text);
        fflush(stdout);
        if (strcmp(reply->state, "erased") == 0)
            return true;
        strcpy(told, text);
        nanosleep(&(struct timespec){.tv_nsec = ASK_EVERY_MS * 1000000L}, NULL);
    }
}

static bool erase(struct client *client, const char *number, const char *why, bool no_wait)
{
    Assent__V1__EraseRequest request = ASSENT__V1__ERASE_REQUEST__INIT;
    request.number = (char *)number;
    request.request = (char *)why;
    const Assent__V1__ConsentReply *reply = ask(client, &request);
    if (reply == NULL)
        return false;
    printf("erasure recorded (record #%" PRIu64 "): nothing takes it back\n", reply->sequence);
    fflush(stdout);
    return no_wait || wait_for_end(client, reply->sequence);
}

int command_erase(const struct cli *cli, int argc, char **argv)
{
    const char *number = NULL, *request = NULL;
    bool no_wait = false;
    const struct option_row rows[] = {
        {"request", "ID", "your id of the person's request; stays in the record, public", &request,
         NULL},
        {"no-wait", NULL, "return when it is recorded; `assent status` shows the rest", NULL,
         &no_wait},
    };
    const struct usage usage = {
        .synopsis = "assent erase --request ID [--no-wait] NUMBER",
        .about =
            "Destroys what the gateway has recorded of a person: number, texts, references, "
            "evidence, in\n"
            "every file of its data directory, and what stands under the number in Redis. The "
            "records "
            "stay\n"
            "as hashes, so that every proof stays valid. An opt-out goes on to deny by a keyed "
            "fingerprint,\n"
            "which START lifts. Messages that wait for the number are cancelled. The other "
            "gateways "
            "on this\n"
            "Redis do the same within a second, or when they are back. For the operator. Nothing "
            "takes it back.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
    };
    size_t words;
    enum options_result result = options_read(&usage, argc, argv, &number, 1, &words);
    if (result != OPTIONS_READ)
        return options_exit(result);
    if (words == 0)
        return usage_error(&usage, "which NUMBER?");
    if (request == NULL)
        return usage_error(&usage, "--request is needed: by which request of theirs?");
    struct client *client = client_open(cli);
    bool ok = client != NULL && erase(client, number, request, no_wait);
    client_close(client);
    return ok ? EXIT_DONE : EXIT_REFUSED;
}
