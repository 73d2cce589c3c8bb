/* SPDX-License-Identifier: Apache-2.0 */
/* codec: what a PDU costs to write and to read, ours beside libsmpp34, in turns in one run; as JSON.
 *
 *     codec [ROUNDS]
 *
 * Each figure is the median of the rounds, in nanoseconds of processor a PDU. Each side does what its
 * user must do: ours frames and decodes, or encodes into an output that is taken from; libsmpp34 unpacks
 * into a struct that was zeroed and frees its TLVs, or packs from a filled one. Memory that our side
 * asks for while it is measured is counted by wrapping the allocator at link time: there must be none,
 * else the exit status is 1. */
#include <inttypes.h>
#include <smpp34_structs.h>
#include <smpp34_params.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/base/check.h"
#include "smpp/decode.h"
#include "smpp/encode.h"

#define ROUNDS_MAX  101
#define ROUND_OURS  20000 /* PDUs */
#define ROUND_OTHER 500
#define NS_PER_S    1000000000ull

/* ---- memory ---- */

static uint64_t allocations;
static volatile uint64_t sink; /* so that no result is thrown away unread */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations++;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocations++;
    return __real_realloc(old, size);
}

/* ---- the three PDUs, in both forms ---- */

static const char text[] =
    "Acme: your order 4711 has left our house and will be with you tomorrow between nine and noon. "
    "Reply STOP to end, HELP for help.";
static const char receipt[] =
    "id:0123456789 sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD "
    "err:000 text:Acme: your order 47";
#define MESSAGE_ID "0123456789"

static struct sm_out submit_out, deliver_out;
static struct tlv receipt_tlvs[2];
static struct submit_sm_t submit_theirs;
static struct submit_sm_resp_t resp_theirs;
static struct deliver_sm_t deliver_theirs;
static struct tlv_t deliver_tlvs[2];
static struct buffer output;
static uint8_t octets[3][1024]; /* of each PDU, to be read */
static size_t lengths[3];

static void fill_ours(void)
{
    submit_out = (struct sm_out){.source = {.ton = 5, .digits = "ACME"},
                                 .destination = {.ton = 1, .npi = 1, .digits = "12025550100"},
                                 .registered_delivery = 1,
                                 .short_message = span_of(text, sizeof text - 1)};
    receipt_tlvs[0] =
        (struct tlv){TLV_RECEIPTED_MESSAGE_ID, span_of(MESSAGE_ID, sizeof MESSAGE_ID)};
    receipt_tlvs[1] = (struct tlv){TLV_MESSAGE_STATE, span_of("\2", 1)};
    deliver_out = (struct sm_out){.source = {.ton = 1, .npi = 1, .digits = "12025550100"},
                                  .destination = {.ton = 5, .digits = "ACME"},
                                  .esm_class = ESM_TYPE_RECEIPT,
                                  .short_message = span_of(receipt, sizeof receipt - 1),
                                  .tlvs = receipt_tlvs,
                                  .tlv_count = 2};
}

#define FILL_MESSAGE(pdu, id, out)                                                                 \
    do {                                                                                           \
        (pdu)->command_id = (id);                                                                  \
        (pdu)->sequence_number = 1;                                                                \
        (pdu)->source_addr_ton = (out)->source.ton;                                                \
        (pdu)->source_addr_npi = (out)->source.npi;                                                \
        memcpy((pdu)->source_addr, (out)->source.digits, 21);                                      \
        (pdu)->dest_addr_ton = (out)->destination.ton;                                             \
        (pdu)->dest_addr_npi = (out)->destination.npi;                                             \
        memcpy((pdu)->destination_addr, (out)->destination.digits, 21);                            \
        (pdu)->esm_class = (out)->esm_class;                                                       \
        (pdu)->registered_delivery = (out)->registered_delivery;                                   \
        (pdu)->sm_length = (uint8_t)(out)->short_message.length;                                   \
        memcpy((pdu)->short_message, (out)->short_message.data, (out)->short_message.length);      \
    } while (0)

static void fill_theirs(void)
{
    FILL_MESSAGE(&submit_theirs, SMPP_SUBMIT_SM, &submit_out);
    FILL_MESSAGE(&deliver_theirs, SMPP_DELIVER_SM, &deliver_out);
    deliver_tlvs[0] = (struct tlv_t){
        .tag = TLV_RECEIPTED_MESSAGE_ID, .length = sizeof MESSAGE_ID, .next = &deliver_tlvs[1]};
    memcpy(deliver_tlvs[0].value.octet, MESSAGE_ID, sizeof MESSAGE_ID);
    deliver_tlvs[1] = (struct tlv_t){.tag = TLV_MESSAGE_STATE, .length = 1, .value = {.val08 = 2}};
    deliver_theirs.tlv = deliver_tlvs;
    resp_theirs.command_id = SMPP_SUBMIT_SM | SMPP_RESPONSE;
    resp_theirs.sequence_number = 1;
    memcpy(resp_theirs.message_id, MESSAGE_ID, sizeof MESSAGE_ID);
}

/* ---- what is measured ---- */

static void taken(void)
{
    sink += buffer_span(&output).data[7];
    buffer_consume(&output, buffer_length(&output));
}

static void encode_submit(void)
{
    CHECK(encode_sm(&output, SMPP_SUBMIT_SM, 1, &submit_out) == ERR_OK);
    taken();
}

static void encode_resp(void)
{
    CHECK(encode_message_resp(&output, SMPP_SUBMIT_SM | SMPP_RESPONSE, ESME_ROK, 1,
                              span_of(MESSAGE_ID, sizeof MESSAGE_ID - 1)) == ERR_OK);
    taken();
}

static void encode_deliver(void)
{
    CHECK(encode_sm(&output, SMPP_DELIVER_SM, 1, &deliver_out) == ERR_OK);
    taken();
}

static struct span framed(size_t kind)
{
    struct pdu_header header;
    struct span stream = span_of(octets[kind], lengths[kind]);
    CHECK(decode_frame(stream, PDU_MAX, &header) == FRAME_WHOLE);
    sink += header.sequence_number;
    return span_of(octets[kind], header.command_length);
}

static void decode_message(size_t kind)
{
    static struct sm_body body;
    CHECK(decode_sm(framed(kind), &body) == ESME_ROK);
    sink += body.text.length + body.tlvs.count;
}

static void decode_submit(void)
{
    decode_message(0);
}

static void decode_resp(void)
{
    sink += decode_message_id(framed(1)).length;
}

static void decode_deliver(void)
{
    decode_message(2);
}

static void their_pack(void *pdu)
{
    uint8_t packed[1024];
    int length = 0;
    CHECK(smpp34_pack2(packed, sizeof packed, &length, pdu) == 0);
    sink += packed[7];
}

static void their_encode_submit(void)
{
    their_pack(&submit_theirs);
}

static void their_encode_resp(void)
{
    their_pack(&resp_theirs);
}

static void their_encode_deliver(void)
{
    their_pack(&deliver_theirs);
}

static void their_decode_submit(void)
{
    struct submit_sm_t pdu = {0};
    CHECK(smpp34_unpack2(&pdu, octets[0], (int)lengths[0]) == 0);
    sink += pdu.sm_length;
}

static void their_decode_resp(void)
{
    struct submit_sm_resp_t pdu = {0};
    CHECK(smpp34_unpack2(&pdu, octets[1], (int)lengths[1]) == 0);
    sink += pdu.message_id[0];
}

static void their_decode_deliver(void)
{
    struct deliver_sm_t pdu = {0};
    CHECK(smpp34_unpack2(&pdu, octets[2], (int)lengths[2]) == 0);
    sink += pdu.sm_length;
    destroy_tlv(pdu.tlv);
}

static const struct work {
    const char *pdu, *what;
    void (*ours)(void), (*theirs)(void);
} works[] = {
    {"submit_sm", "encode", encode_submit, their_encode_submit},
    {"submit_sm", "decode", decode_submit, their_decode_submit},
    {"submit_sm_resp", "encode", encode_resp, their_encode_resp},
    {"submit_sm_resp", "decode", decode_resp, their_decode_resp},
    {"deliver_sm", "encode", encode_deliver, their_encode_deliver},
    {"deliver_sm", "decode", decode_deliver, their_decode_deliver},
};
#define WORKS (sizeof works / sizeof works[0])

/* What ours writes is what both read, and what libsmpp34 writes must be the same. */
static void fill_octets(void)
{
    void *const theirs[] = {&submit_theirs, &resp_theirs, &deliver_theirs};
    for (size_t kind = 0; kind < 3; kind++) {
        enum err err = kind == 1
                           ? encode_message_resp(&output, SMPP_SUBMIT_SM | SMPP_RESPONSE, ESME_ROK,
                                                 1, span_of(MESSAGE_ID, sizeof MESSAGE_ID - 1))
                           : encode_sm(&output, kind == 0 ? SMPP_SUBMIT_SM : SMPP_DELIVER_SM, 1,
                                       kind == 0 ? &submit_out : &deliver_out);
        uint8_t packed[1024];
        int length = 0;
        CHECK(err == ERR_OK && smpp34_pack2(packed, sizeof packed, &length, theirs[kind]) == 0);
        CHECK(span_equal(buffer_span(&output), span_of(packed, (size_t)length)));
        lengths[kind] = (size_t)length;
        memcpy(octets[kind], packed, lengths[kind]);
        taken();
    }
}

/* ---- measuring ---- */

static uint64_t processor_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static double each_ns(void (*act)(void), unsigned count)
{
    uint64_t begin = processor_ns();
    for (unsigned i = 0; i < count; i++)
        act();
    return (double)(processor_ns() - begin) / count;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints one row; gives how often our side asked for memory. */
static uint64_t measure(const struct work *work, unsigned rounds, bool last)
{
    double ours[ROUNDS_MAX] = {0}, theirs[ROUNDS_MAX] = {0};
    uint64_t asked = 0;
    work->ours(); /* the output grows once */
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t before = allocations;
        ours[i] = each_ns(work->ours, ROUND_OURS);
        asked += allocations - before;
        theirs[i] = each_ns(work->theirs, ROUND_OTHER);
    }
    qsort(ours, rounds, sizeof *ours, by_size);
    qsort(theirs, rounds, sizeof *theirs, by_size);
    printf("  {\"pdu\": \"%s\", \"what\": \"%s\", \"ours_ns\": %.1f, \"libsmpp34_ns\": %.1f, "
           "\"times\": %.1f, \"allocations\": %" PRIu64 "}%s\n",
           work->pdu, work->what, ours[rounds / 2], theirs[rounds / 2],
           theirs[rounds / 2] / ours[rounds / 2], asked, last ? "" : ",");
    return asked;
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 21;
    if (argc > 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: codec [ROUNDS]    1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    buffer_init(&output, SESSION_OUTPUT_MAX);
    fill_ours();
    fill_theirs();
    fill_octets();
    uint64_t asked = 0;
    printf("[\n");
    for (size_t i = 0; i < WORKS; i++)
        asked += measure(&works[i], rounds, i + 1 == WORKS);
    printf("]\n");
    buffer_release(&output);
    if (asked > 0)
        fprintf(stderr, "codec: our side asked for memory %" PRIu64 " times\n", asked);
    return asked > 0;
}
