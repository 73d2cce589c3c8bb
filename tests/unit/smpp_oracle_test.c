/* SPDX-License-Identifier: Apache-2.0 */
/* libsmpp34 as oracle, on the subset that it accepts: what our encoder writes are the octets that it
 * packs; it unpacks them, and packs what it found to the same octets again; and what it packs our
 * decoder reads as the same fields. Seeded: a failure repeats. Its other PDUs: smpp_fields_oracle_test.c.
 *
 *     smpp_oracle_test [PDUS [SEED]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <smpp34_structs.h>
#include <smpp34_params.h>

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "smpp/decode.h"
#include "smpp/encode.h"

#define PDUS         100000 /* where the command line does not say */
#define ROUND_PDUS   10     /* of all kinds together */
#define ROUND_TEXT   253    /* it refuses 254 */
#define ROUND_TLVS   6      /* its log has no bounds: few TLVs keep it inside its 2 KiB */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static size_t rounds = PDUS / ROUND_PDUS, pdus;
static uint64_t seed = 20261121;
static struct rng rng;
static struct buffer ours;
static uint8_t theirs[8192];
static int their_length;

static int setup(void **state)
{
    (void)state;
    rng.state = seed;
    buffer_init(&ours, SESSION_OUTPUT_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_release(&ours);
    return 0;
}

static struct span pack(void *pdu)
{
    if (smpp34_pack2(theirs, sizeof theirs, &their_length, pdu) != 0)
        fail_msg("libsmpp34 refuses: %s", smpp34_strerror);
    pdus++;
    return span_of(theirs, (size_t)their_length);
}

/* It finds TLVs in the reverse of their order. */
static struct tlv_t *reversed(struct tlv_t *tlv)
{
    struct tlv_t *list = NULL;
    while (tlv != NULL) {
        struct tlv_t *next = tlv->next;
        tlv->next = list;
        list = tlv;
        tlv = next;
    }
    return list;
}

/* Ours are the octets that it packs from `pdu`, and from what it unpacks of ours into `found`, which is
 * zeroed. `tlvs` is the member of `found`, or NULL. Ends with our octets consumed. */
static void assert_both_ways(void *pdu, void *found, struct tlv_t **tlvs)
{
    struct span packed = pack(pdu);
    struct span written = buffer_span(&ours);
    assert_int_equal(written.length, packed.length);
    assert_memory_equal(written.data, packed.data, packed.length);
    if (smpp34_unpack2(found, written.data, (int)written.length) != 0)
        fail_msg("libsmpp34 cannot read ours: %s", smpp34_strerror);
    if (tlvs != NULL)
        *tlvs = reversed(*tlvs);
    packed = pack(found);
    assert_int_equal(written.length, packed.length);
    assert_memory_equal(written.data, packed.data, packed.length);
    if (tlvs != NULL)
        destroy_tlv(*tlvs);
    buffer_consume(&ours, written.length);
}

static uint8_t octet(void)
{
    return (uint8_t)rng_next(&rng);
}

static uint32_t sequence(void)
{
    return 1 + (uint32_t)rng_below(&rng, 0x7fffffff);
}

static uint8_t one_of(const uint8_t *values, size_t count)
{
    return values[rng_below(&rng, count)];
}

static uint8_t ton(void)
{
    return (uint8_t)rng_below(&rng, 7);
}

static uint8_t npi(void)
{
    static const uint8_t values[] = {0, 1, 3, 4, 6, 8, 9, 10, 14, 18};
    return one_of(values, COUNT(values));
}

/* A string of at most `size` - 1 octets into a zeroed field. */
static void fill_string(uint8_t *field, size_t size)
{
    size_t length = rng_below(&rng, size);
    for (size_t i = 0; i < length; i++)
        field[i] = (uint8_t)(1 + rng_below(&rng, 126));
}

static struct smpp_address random_address(void)
{
    struct smpp_address address = {.ton = ton(), .npi = npi()};
    fill_string((uint8_t *)address.digits, 21);
    return address;
}

static uint32_t random_status(void)
{
    static const uint8_t values[] = {0x00, 0x00, 0x01, 0x08, 0x0b, 0x14, 0x45, 0x58, 0x64, 0xff};
    return one_of(values, COUNT(values));
}

/* ---- TLVs, in our form and in theirs ---- */

struct tlvs {
    struct tlv ours[ROUND_TLVS];
    uint8_t values[ROUND_TLVS][256];
    struct tlv_t theirs[ROUND_TLVS];
    size_t count;
};

static void set_value(struct tlv_t *tlv, const uint8_t *octets, size_t width)
{
    memset(&tlv->value, 0, sizeof tlv->value);
    if (width == 1)
        tlv->value.val08 = octets[0];
    else if (width == 2)
        tlv->value.val16 = (uint16_t)(octets[0] << 8 | octets[1]);
    else
        memcpy(tlv->value.octet, octets, tlv->length);
}

static void random_tlvs(struct tlvs *tlvs)
{
    static const struct {
        uint16_t tag;
        uint16_t width; /* 0: any length */
    } kinds[] = {
        {TLV_USER_MESSAGE_REFERENCE, 2},
        {TLV_SOURCE_PORT, 2},
        {TLV_DESTINATION_PORT, 2},
        {TLV_SAR_MSG_REF_NUM, 2},
        {TLV_SAR_TOTAL_SEGMENTS, 1},
        {TLV_SAR_SEGMENT_SEQNUM, 1},
        {0x1400, 0},
        {0x2fff, 0},
        {0x4001, 0},
    };
    tlvs->count = rng_below(&rng, ROUND_TLVS + 1);
    for (size_t i = 0; i < tlvs->count; i++) {
        size_t kind = rng_below(&rng, COUNT(kinds));
        size_t width = kinds[kind].width;
        size_t length = width != 0 ? width : rng_below(&rng, sizeof tlvs->values[i]);
        for (size_t k = 0; k < length; k++)
            tlvs->values[i][k] = octet();
        tlvs->ours[i] =
            (struct tlv){.tag = kinds[kind].tag, .value = span_of(tlvs->values[i], length)};
        tlvs->theirs[i].tag = kinds[kind].tag;
        tlvs->theirs[i].length = (uint16_t)length;
        tlvs->theirs[i].next = i + 1 < tlvs->count ? &tlvs->theirs[i + 1] : NULL;
        set_value(&tlvs->theirs[i], tlvs->values[i], width);
    }
}

static void assert_same_tlvs(const struct tlv_list *decoded, const struct tlvs *tlvs)
{
    assert_int_equal(decoded->count, tlvs->count);
    for (size_t i = 0; i < tlvs->count; i++) {
        assert_int_equal(decoded->items[i].tag, tlvs->ours[i].tag);
        assert_true(span_equal(decoded->items[i].value, tlvs->ours[i].value));
    }
}

/* ---- Encoding ---- */

/* submit_sm_t and deliver_sm_t have the same members, of other sizes. */
#define SET_FIELDS(pdu, id, sm, list)                                                              \
    do {                                                                                           \
        (pdu)->command_id = (id);                                                                  \
        (pdu)->sequence_number = number;                                                           \
        memcpy((pdu)->service_type, (sm)->service_type.data, (sm)->service_type.length);           \
        (pdu)->source_addr_ton = (sm)->source.ton;                                                 \
        (pdu)->source_addr_npi = (sm)->source.npi;                                                 \
        memcpy((pdu)->source_addr, (sm)->source.digits, 21);                                       \
        (pdu)->dest_addr_ton = (sm)->destination.ton;                                              \
        (pdu)->dest_addr_npi = (sm)->destination.npi;                                              \
        memcpy((pdu)->destination_addr, (sm)->destination.digits, 21);                             \
        (pdu)->esm_class = (sm)->esm_class;                                                        \
        (pdu)->registered_delivery = (sm)->registered_delivery;                                    \
        (pdu)->data_coding = (sm)->data_coding;                                                    \
        (pdu)->sm_length = (uint8_t)(sm)->short_message.length;                                    \
        memcpy((pdu)->short_message, (sm)->short_message.data, (sm)->short_message.length);        \
        (pdu)->tlv = (list)->count > 0 ? (list)->theirs : NULL;                                    \
    } while (0)

static void messages_are_written_as_libsmpp34_packs_them(void **state)
{
    (void)state;
    static struct tlvs tlvs;
    static uint8_t text[ROUND_TEXT];
    for (size_t round = 0; round < rounds; round++) {
        uint32_t number = sequence();
        random_tlvs(&tlvs);
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = octet();
        uint8_t service_type[SERVICE_TYPE_MAX + 1] = {0}, validity_period[TIME_TEXT_MAX + 1] = {0};
        fill_string(service_type, sizeof service_type);
        fill_string(validity_period, sizeof validity_period);
        struct sm_out sm = {
            .service_type = span_from_string((const char *)service_type),
            .source = random_address(),
            .destination = random_address(),
            .esm_class = octet(),
            .registered_delivery = octet(),
            .data_coding = octet(),
            .short_message = span_of(text, rng_below(&rng, ROUND_TEXT + 1)),
            .tlvs = tlvs.ours,
            .tlv_count = tlvs.count,
        };
        struct deliver_sm_t deliver = {0}, deliver_found = {0};
        SET_FIELDS(&deliver, SMPP_DELIVER_SM, &sm, &tlvs);
        assert_int_equal(encode_sm(&ours, SMPP_DELIVER_SM, number, &sm), ERR_OK);
        assert_both_ways(&deliver, &deliver_found, &deliver_found.tlv);
        struct submit_sm_t submit = {0}, submit_found = {0};
        SET_FIELDS(&submit, SMPP_SUBMIT_SM, &sm, &tlvs);
        sm.validity_period = span_from_string((const char *)validity_period);
        memcpy(submit.validity_period, validity_period, sizeof validity_period);
        assert_int_equal(encode_sm(&ours, SMPP_SUBMIT_SM, number, &sm), ERR_OK);
        assert_both_ways(&submit, &submit_found, &submit_found.tlv);
    }
}

static void write_resp(uint32_t command_id, uint32_t status, uint32_t number, const uint8_t *id)
{
    assert_int_equal(encode_message_resp(&ours, command_id | SMPP_RESPONSE, status, number,
                                         span_from_string((const char *)id)),
                     ERR_OK);
}

static void responses_are_written_as_libsmpp34_packs_them(void **state)
{
    (void)state;
    for (size_t round = 0; round < rounds; round++) {
        uint32_t number = sequence();
        uint32_t status = random_status();
        struct submit_sm_resp_t submit = {.command_id = SMPP_SUBMIT_SM | SMPP_RESPONSE,
                                          .command_status = status,
                                          .sequence_number = number};
        fill_string(submit.message_id, sizeof submit.message_id);
        write_resp(SMPP_SUBMIT_SM, status, number, submit.message_id);
        struct submit_sm_resp_t submit_found = {0};
        assert_both_ways(&submit, &submit_found, NULL);
        struct data_sm_resp_t data = {.command_id = SMPP_DATA_SM | SMPP_RESPONSE,
                                      .command_status = status,
                                      .sequence_number = number};
        fill_string(data.message_id, sizeof data.message_id);
        write_resp(SMPP_DATA_SM, status, number, data.message_id);
        struct data_sm_resp_t data_found = {0};
        assert_both_ways(&data, &data_found, NULL);
        struct deliver_sm_resp_t deliver = {.command_id = SMPP_DELIVER_SM | SMPP_RESPONSE,
                                            .command_status = status,
                                            .sequence_number = number};
        write_resp(SMPP_DELIVER_SM, status, number, data.message_id);
        struct deliver_sm_resp_t deliver_found = {0};
        assert_both_ways(&deliver, &deliver_found, NULL);
    }
}

/* ---- Decoding ---- */

#define assert_string_span(span, field)                                                            \
    assert_true(span_equal((span), span_from_string((const char *)(field))))

#define FILL_COMMON(pdu, id, list)                                                                 \
    do {                                                                                           \
        (pdu)->command_id = (id);                                                                  \
        (pdu)->sequence_number = sequence();                                                       \
        fill_string((pdu)->service_type, sizeof(pdu)->service_type);                               \
        (pdu)->source_addr_ton = ton();                                                            \
        (pdu)->source_addr_npi = npi();                                                            \
        fill_string((pdu)->source_addr, 21);                                                       \
        (pdu)->dest_addr_ton = ton();                                                              \
        (pdu)->dest_addr_npi = npi();                                                              \
        fill_string((pdu)->destination_addr, 21);                                                  \
        (pdu)->esm_class = octet();                                                                \
        (pdu)->registered_delivery = octet();                                                      \
        (pdu)->data_coding = octet();                                                              \
        (pdu)->tlv = (list)->count > 0 ? (list)->theirs : NULL;                                    \
    } while (0)

#define FILL_SHORT(pdu)                                                                            \
    do {                                                                                           \
        (pdu)->protocol_id = octet();                                                              \
        (pdu)->priority_flag = octet();                                                            \
        (pdu)->replace_if_present_flag = octet();                                                  \
        (pdu)->sm_default_msg_id = octet();                                                        \
        (pdu)->sm_length = (uint8_t)rng_below(&rng, ROUND_TEXT + 1);                               \
        for (size_t i_ = 0; i_ < (pdu)->sm_length; i_++)                                           \
            (pdu)->short_message[i_] = octet();                                                    \
    } while (0)

#define ASSERT_COMMON(body, pdu)                                                                   \
    do {                                                                                           \
        assert_string_span((body)->service_type, (pdu)->service_type);                             \
        assert_int_equal((body)->source.ton, (pdu)->source_addr_ton);                              \
        assert_int_equal((body)->source.npi, (pdu)->source_addr_npi);                              \
        assert_string_equal((body)->source.digits, (const char *)(pdu)->source_addr);              \
        assert_int_equal((body)->destination.ton, (pdu)->dest_addr_ton);                           \
        assert_int_equal((body)->destination.npi, (pdu)->dest_addr_npi);                           \
        assert_string_equal((body)->destination.digits, (const char *)(pdu)->destination_addr);    \
        assert_int_equal((body)->esm_class, (pdu)->esm_class);                                     \
        assert_int_equal((body)->registered_delivery, (pdu)->registered_delivery);                 \
        assert_int_equal((body)->data_coding, (pdu)->data_coding);                                 \
    } while (0)

#define ASSERT_SHORT(body, pdu)                                                                    \
    do {                                                                                           \
        assert_int_equal((body)->protocol_id, (pdu)->protocol_id);                                 \
        assert_int_equal((body)->priority_flag, (pdu)->priority_flag);                             \
        assert_string_span((body)->schedule_delivery_time, (pdu)->schedule_delivery_time);         \
        assert_string_span((body)->validity_period, (pdu)->validity_period);                       \
        assert_int_equal((body)->replace_if_present_flag, (pdu)->replace_if_present_flag);         \
        assert_int_equal((body)->sm_default_msg_id, (pdu)->sm_default_msg_id);                     \
        assert_true(span_equal((body)->text, span_of((pdu)->short_message, (pdu)->sm_length)));    \
    } while (0)

static void packed_messages_are_read_as_the_same_fields(void **state)
{
    (void)state;
    static struct tlvs tlvs;
    static struct sm_body body;
    for (size_t round = 0; round < rounds; round++) {
        random_tlvs(&tlvs);
        struct submit_sm_t submit = {0};
        FILL_COMMON(&submit, SMPP_SUBMIT_SM, &tlvs);
        FILL_SHORT(&submit);
        fill_string(submit.schedule_delivery_time, sizeof submit.schedule_delivery_time);
        fill_string(submit.validity_period, sizeof submit.validity_period);
        assert_int_equal(decode_sm(pack(&submit), &body), ESME_ROK);
        ASSERT_COMMON(&body, &submit);
        ASSERT_SHORT(&body, &submit);
        assert_same_tlvs(&body.tlvs, &tlvs);
        struct deliver_sm_t deliver = {0};
        FILL_COMMON(&deliver, SMPP_DELIVER_SM, &tlvs);
        FILL_SHORT(&deliver);
        assert_int_equal(decode_sm(pack(&deliver), &body), ESME_ROK);
        ASSERT_COMMON(&body, &deliver);
        ASSERT_SHORT(&body, &deliver);
        assert_same_tlvs(&body.tlvs, &tlvs);
    }
}

static void packed_data_sm_is_read_as_the_same_fields(void **state)
{
    (void)state;
    static struct tlvs tlvs;
    static struct sm_body body;
    for (size_t round = 0; round < rounds; round++) {
        random_tlvs(&tlvs);
        struct data_sm_t data = {0};
        FILL_COMMON(&data, SMPP_DATA_SM, &tlvs);
        struct tlv_t payload = {.tag = TLV_MESSAGE_PAYLOAD,
                                .length = (uint16_t)rng_below(&rng, 1025),
                                .next = data.tlv};
        for (size_t i = 0; i < payload.length; i++)
            payload.value.octet[i] = octet();
        data.tlv = &payload;
        assert_int_equal(decode_sm(pack(&data), &body), ESME_ROK);
        ASSERT_COMMON(&body, &data);
        assert_true(span_equal(body.text, span_of(payload.value.octet, payload.length)));
        assert_int_equal(body.tlvs.count, tlvs.count + 1);
    }
}

/* Both ways: encode.c packs these with libsmpp34, or by hand to the same octets. */
static void session_pdus_both_ways(void **state)
{
    (void)state;
    static const uint32_t binds[] = {SMPP_BIND_RECEIVER, SMPP_BIND_TRANSMITTER,
                                     SMPP_BIND_TRANSCEIVER};
    for (size_t round = 0; round < rounds; round++) {
        struct bind_transceiver_t pdu = {.command_id = binds[round % 3],
                                         .sequence_number = sequence(),
                                         .interface_version = 0x34,
                                         .addr_ton = ton(),
                                         .addr_npi = npi()};
        fill_string(pdu.system_id, sizeof pdu.system_id);
        fill_string(pdu.password, sizeof pdu.password);
        fill_string(pdu.system_type, sizeof pdu.system_type);
        fill_string(pdu.address_range, sizeof pdu.address_range);
        struct bind_body body;
        assert_int_equal(decode_bind(pack(&pdu), &body), ESME_ROK);
        assert_string_span(body.system_id, pdu.system_id);
        assert_string_span(body.password, pdu.password);
        assert_string_span(body.system_type, pdu.system_type);
        assert_string_span(body.address_range, pdu.address_range);
        assert_int_equal(encode_bind(&ours, pdu.command_id, pdu.sequence_number, &body), ERR_OK);
        struct bind_transceiver_t pdu_found = {0};
        assert_both_ways(&pdu, &pdu_found, NULL);

        struct tlv_t version = {.tag = TLV_SC_INTERFACE_VERSION, .length = 1, .value.val08 = 0x34};
        struct bind_transceiver_resp_t resp = {.command_id = pdu.command_id | SMPP_RESPONSE,
                                               .command_status = random_status(),
                                               .sequence_number = pdu.sequence_number};
        resp.tlv = resp.command_status == 0 ? &version : NULL;
        memcpy(resp.system_id, pdu.system_id, sizeof resp.system_id);
        assert_int_equal(encode_bind_resp(&ours, resp.command_id, resp.command_status,
                                          resp.sequence_number,
                                          span_from_string((const char *)resp.system_id)),
                         ERR_OK);
        struct bind_transceiver_resp_t resp_found = {0};
        assert_both_ways(&resp, &resp_found, &resp_found.tlv);
    }
}

static void headers_are_written_as_libsmpp34_packs_them(void **state)
{
    (void)state;
    static const uint32_t ids[] = {SMPP_UNBIND, SMPP_UNBIND | SMPP_RESPONSE, SMPP_ENQUIRE_LINK,
                                   SMPP_ENQUIRE_LINK | SMPP_RESPONSE, SMPP_GENERIC_NACK};
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct generic_nack_t pdu = {.command_id = ids[i], .sequence_number = sequence()};
        pdu.command_status = ids[i] == SMPP_GENERIC_NACK ? ESME_RINVCMDID : ESME_ROK;
        assert_int_equal(encode_header(&ours, ids[i], pdu.command_status, pdu.sequence_number),
                         ERR_OK);
        struct generic_nack_t found = {0};
        assert_both_ways(&pdu, &found, NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = strtoull(argv[1], NULL, 10) / ROUND_PDUS;
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        TEST(messages_are_written_as_libsmpp34_packs_them),
        TEST(responses_are_written_as_libsmpp34_packs_them),
        TEST(packed_messages_are_read_as_the_same_fields),
        TEST(packed_data_sm_is_read_as_the_same_fields),
        TEST(session_pdus_both_ways),
        TEST(headers_are_written_as_libsmpp34_packs_them),
    };
    uint64_t begin_us = clock_mono_us();
    int failed = cmocka_run_group_tests_name("smpp_oracle", tests, NULL, NULL);
    double seconds = (double)(clock_mono_us() - begin_us) / US_PER_S;
    printf("%zu PDUs packed by libsmpp34, seed %llu, %.0f a second\n", pdus,
           (unsigned long long)seed, (double)pdus / seconds);
    return failed;
}
