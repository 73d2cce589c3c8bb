/* SPDX-License-Identifier: Apache-2.0 */
/* Every PDU with a body that libsmpp34 knows: filled at random by its own lists of fields, packed by it,
 * and walked by ours: the same names in the same order with the same values. Seeded.
 *
 *     smpp_fields_oracle_test [PDUS [SEED]]
 *
 * Its headers define each PDU as a list of macros, of which this file makes two functions a PDU: fill_X
 * and walk_X. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <smpp34_structs.h>

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "smpp/fields.h"

#define PDUS         100000 /* where the command line does not say */
#define TEXT_MAX     253    /* it refuses 254 */
#define LIST_MAX     6      /* its log has no bounds: short lists keep it inside its 2 KiB */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct rng rng;
static struct fields walk;
static struct tlv_t tlvs[LIST_MAX];
static struct dad_t destinations[LIST_MAX];
static struct udad_t failures[LIST_MAX];

/* ---- filling ---- */

static uint8_t octet(void)
{
    return (uint8_t)rng_next(&rng);
}

static void fill_string(uint8_t *field, size_t size)
{
    size_t length = rng_below(&rng, size);
    for (size_t i = 0; i < length; i++)
        field[i] = (uint8_t)(1 + rng_below(&rng, 126));
}

/* Named by what the lists call the text of a field. */
static uint32_t random_valueDec_08(void)
{
    return octet();
}

static uint32_t random_str_addr_ton(void)
{
    return (uint32_t)rng_below(&rng, 7);
}

static uint32_t random_str_addr_npi(void)
{
    static const uint8_t values[] = {0, 1, 3, 4, 6, 8, 9, 10, 14, 18};
    return values[rng_below(&rng, COUNT(values))];
}

static uint32_t random_test_interface_version(void)
{
    return 0x34;
}

static uint32_t random_str_command_status(void)
{
    static const uint8_t values[] = {0x01, 0x08, 0x0b, 0x14, 0x45, 0x58, 0x64, 0xff};
    return values[rng_below(&rng, COUNT(values))];
}

static uint32_t random_test_sequence_number(void)
{
    return 1 + (uint32_t)rng_below(&rng, 0x7fffffff);
}

static void fill_octets(uint8_t *field, uint8_t *length)
{
    *length = (uint8_t)rng_below(&rng, TEXT_MAX + 1);
    for (size_t i = 0; i < *length; i++)
        field[i] = octet();
}

static struct tlv_t *fill_tlvs(void)
{
    size_t count = rng_below(&rng, LIST_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        tlvs[i].tag = (uint16_t)(0x1400 + rng_below(&rng, 0x2bff)); /* the vendors' */
        tlvs[i].length = (uint16_t)rng_below(&rng, 256);
        for (size_t k = 0; k < tlvs[i].length; k++)
            tlvs[i].value.octet[k] = octet();
        tlvs[i].next = i + 1 < count ? &tlvs[i + 1] : NULL;
    }
    return count > 0 ? tlvs : NULL;
}

/* It packs what the list holds, and believes the count. */
static struct dad_t *fill_destinations(uint8_t *count)
{
    *count = (uint8_t)(1 + rng_below(&rng, LIST_MAX));
    memset(destinations, 0, sizeof destinations);
    for (size_t i = 0; i < *count; i++) {
        struct dad_t *d = &destinations[i];
        d->dest_flag = (uint8_t)(1 + rng_below(&rng, 2));
        if (d->dest_flag == 1) {
            d->value.sme.dest_addr_ton = (uint8_t)random_str_addr_ton();
            d->value.sme.dest_addr_npi = (uint8_t)random_str_addr_npi();
            fill_string(d->value.sme.destination_addr, sizeof d->value.sme.destination_addr);
        } else {
            fill_string(d->value.dl_name, sizeof d->value.dl_name);
        }
        d->next = i + 1u < *count ? d + 1 : NULL;
    }
    return destinations;
}

static struct udad_t *fill_failures(uint8_t *count)
{
    *count = (uint8_t)(1 + rng_below(&rng, LIST_MAX));
    memset(failures, 0, sizeof failures);
    for (size_t i = 0; i < *count; i++) {
        struct udad_t *f = &failures[i];
        f->dest_addr_ton = (uint8_t)random_str_addr_ton();
        f->dest_addr_npi = (uint8_t)random_str_addr_npi();
        fill_string(f->destination_addr, sizeof f->destination_addr);
        f->error_status_code = random_str_command_status();
        f->next = i + 1u < *count ? f + 1 : NULL;
    }
    return failures;
}

/* ---- walking ---- */

static struct field next(const char *name)
{
    struct field field;
    if (!fields_next(&walk, &field))
        fail_msg("the walk ends before %s", name);
    if (!field.is_tlv)
        assert_string_equal(field.name, name);
    return field;
}

static void want_integer(const char *name, uint32_t value)
{
    struct field field = next(name);
    assert_int_equal(field.kind, FIELD_INTEGER);
    assert_int_equal(field.value, value);
}

static void want_string(const char *name, const uint8_t *value)
{
    struct field field = next(name);
    assert_int_equal(field.kind, FIELD_STRING);
    assert_true(span_equal(field.octets, span_from_string((const char *)value)));
}

static void want_octets(const char *name, const uint8_t *value, size_t length)
{
    struct field field = next(name);
    assert_int_equal(field.kind, FIELD_OCTETS);
    assert_true(span_equal(field.octets, span_of(value, length)));
}

static void want_tlvs(const struct tlv_t *tlv)
{
    for (; tlv != NULL; tlv = tlv->next) {
        struct field field = next("a TLV");
        assert_true(field.is_tlv && field.tag == tlv->tag);
        assert_true(span_equal(field.octets, span_of(tlv->value.octet, tlv->length)));
    }
}

static void want_destinations(const struct dad_t *d)
{
    for (; d != NULL; d = d->next) {
        want_integer("dest_flag", d->dest_flag);
        if (d->dest_flag == 2) {
            want_string("dl_name", d->value.dl_name);
            continue;
        }
        want_integer("dest_addr_ton", d->value.sme.dest_addr_ton);
        want_integer("dest_addr_npi", d->value.sme.dest_addr_npi);
        want_string("destination_addr", d->value.sme.destination_addr);
    }
}

static void want_failures(const struct udad_t *f)
{
    for (; f != NULL; f = f->next) {
        want_integer("dest_addr_ton", f->dest_addr_ton);
        want_integer("dest_addr_npi", f->dest_addr_npi);
        want_string("destination_addr", f->destination_addr);
        want_integer("error_status_code", f->error_status_code);
    }
}

/* ---- two functions a PDU ---- */

/* clang-format off */
#define instancia        pdu->
#define PASTE(a, b)      a##b
#define U32(at, name, how)          at name = PASTE(random_, how)();
#define U08(at, name, how)          at name = (uint8_t)PASTE(random_, how)();
#define C_OCTET(at, name, size)     fill_string(at name, size);
#define O_C_OCTET(at, name, size)   fill_string(at name, size);
#define OCTET8(at, name, size, len) fill_octets(at name, &len);
#define TLV(at, name, how)          at name = fill_tlvs();
#define DAD(at, name, how)          at name = fill_destinations(&at number_of_dests);
#define UDAD(at, name, how)         at name = fill_failures(&at no_unsuccess);

static void fill_bind_receiver(void *to)
{
    struct bind_receiver_t *pdu = to;
    pdu->command_id = SMPP_BIND_RECEIVER;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/bind_receiver.frame>
}

static void fill_bind_transmitter(void *to)
{
    struct bind_transmitter_t *pdu = to;
    pdu->command_id = SMPP_BIND_TRANSMITTER;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/bind_transmitter.frame>
}

static void fill_bind_transceiver(void *to)
{
    struct bind_transceiver_t *pdu = to;
    pdu->command_id = SMPP_BIND_TRANSCEIVER;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/bind_transceiver.frame>
}

static void fill_bind_transceiver_resp(void *to)
{
    struct bind_transceiver_resp_t *pdu = to;
    pdu->command_id = SMPP_BIND_TRANSCEIVER | SMPP_RESPONSE;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/bind_transceiver_resp.frame>
}

static void fill_outbind(void *to)
{
    struct outbind_t *pdu = to;
    pdu->command_id = SMPP_OUTBIND;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/outbind.frame>
}

static void fill_submit_sm(void *to)
{
    struct submit_sm_t *pdu = to;
    pdu->command_id = SMPP_SUBMIT_SM;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/submit_sm.frame>
}

static void fill_submit_sm_resp(void *to)
{
    struct submit_sm_resp_t *pdu = to;
    pdu->command_id = SMPP_SUBMIT_SM | SMPP_RESPONSE;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/submit_sm_resp.frame>
}

static void fill_deliver_sm(void *to)
{
    struct deliver_sm_t *pdu = to;
    pdu->command_id = SMPP_DELIVER_SM;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/deliver_sm.frame>
}

static void fill_deliver_sm_resp(void *to)
{
    struct deliver_sm_resp_t *pdu = to;
    pdu->command_id = SMPP_DELIVER_SM | SMPP_RESPONSE;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/deliver_sm_resp.frame>
}

static void fill_data_sm(void *to)
{
    struct data_sm_t *pdu = to;
    pdu->command_id = SMPP_DATA_SM;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/data_sm.frame>
}

static void fill_data_sm_resp(void *to)
{
    struct data_sm_resp_t *pdu = to;
    pdu->command_id = SMPP_DATA_SM | SMPP_RESPONSE;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/data_sm_resp.frame>
}

static void fill_submit_multi(void *to)
{
    struct submit_multi_t *pdu = to;
    pdu->command_id = SMPP_SUBMIT_MULTI;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/submit_multi.frame>
}

static void fill_submit_multi_resp(void *to)
{
    struct submit_multi_resp_t *pdu = to;
    pdu->command_id = SMPP_SUBMIT_MULTI | SMPP_RESPONSE;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/submit_multi_resp.frame>
}

static void fill_query_sm(void *to)
{
    struct query_sm_t *pdu = to;
    pdu->command_id = SMPP_QUERY_SM;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/query_sm.frame>
}

static void fill_query_sm_resp(void *to)
{
    struct query_sm_resp_t *pdu = to;
    pdu->command_id = SMPP_QUERY_SM | SMPP_RESPONSE;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/query_sm_resp.frame>
}

static void fill_cancel_sm(void *to)
{
    struct cancel_sm_t *pdu = to;
    pdu->command_id = SMPP_CANCEL_SM;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/cancel_sm.frame>
}

static void fill_replace_sm(void *to)
{
    struct replace_sm_t *pdu = to;
    pdu->command_id = SMPP_REPLACE_SM;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/replace_sm.frame>
}

static void fill_alert_notification(void *to)
{
    struct alert_notification_t *pdu = to;
    pdu->command_id = SMPP_ALERT_NOTIFICATION;
    pdu->sequence_number = random_test_sequence_number();
#include <def_frame/alert_notification.frame>
}

#undef U32
#undef U08
#undef C_OCTET
#undef O_C_OCTET
#undef OCTET8
#undef TLV
#undef DAD
#undef UDAD
#define U32(at, name, how)          want_integer(#name, at name);
#define U08(at, name, how)          want_integer(#name, at name);
#define C_OCTET(at, name, size)     want_string(#name, at name);
#define O_C_OCTET(at, name, size)   want_string(#name, at name);
#define OCTET8(at, name, size, len) want_octets(#name, at name, len);
#define TLV(at, name, how)          want_tlvs(at name);
#define DAD(at, name, how)          want_destinations(at name);
#define UDAD(at, name, how)         want_failures(at name);

static void walk_bind_receiver(const void *from)
{
    const struct bind_receiver_t *pdu = from;
#include <def_frame/bind_receiver.frame>
}

static void walk_bind_transmitter(const void *from)
{
    const struct bind_transmitter_t *pdu = from;
#include <def_frame/bind_transmitter.frame>
}

static void walk_bind_transceiver(const void *from)
{
    const struct bind_transceiver_t *pdu = from;
#include <def_frame/bind_transceiver.frame>
}

static void walk_bind_transceiver_resp(const void *from)
{
    const struct bind_transceiver_resp_t *pdu = from;
#include <def_frame/bind_transceiver_resp.frame>
}

static void walk_outbind(const void *from)
{
    const struct outbind_t *pdu = from;
#include <def_frame/outbind.frame>
}

static void walk_submit_sm(const void *from)
{
    const struct submit_sm_t *pdu = from;
#include <def_frame/submit_sm.frame>
}

static void walk_submit_sm_resp(const void *from)
{
    const struct submit_sm_resp_t *pdu = from;
#include <def_frame/submit_sm_resp.frame>
}

static void walk_deliver_sm(const void *from)
{
    const struct deliver_sm_t *pdu = from;
#include <def_frame/deliver_sm.frame>
}

static void walk_deliver_sm_resp(const void *from)
{
    const struct deliver_sm_resp_t *pdu = from;
#include <def_frame/deliver_sm_resp.frame>
}

static void walk_data_sm(const void *from)
{
    const struct data_sm_t *pdu = from;
#include <def_frame/data_sm.frame>
}

static void walk_data_sm_resp(const void *from)
{
    const struct data_sm_resp_t *pdu = from;
#include <def_frame/data_sm_resp.frame>
}

static void walk_submit_multi(const void *from)
{
    const struct submit_multi_t *pdu = from;
#include <def_frame/submit_multi.frame>
}

static void walk_submit_multi_resp(const void *from)
{
    const struct submit_multi_resp_t *pdu = from;
#include <def_frame/submit_multi_resp.frame>
}

static void walk_query_sm(const void *from)
{
    const struct query_sm_t *pdu = from;
#include <def_frame/query_sm.frame>
}

static void walk_query_sm_resp(const void *from)
{
    const struct query_sm_resp_t *pdu = from;
#include <def_frame/query_sm_resp.frame>
}

static void walk_cancel_sm(const void *from)
{
    const struct cancel_sm_t *pdu = from;
#include <def_frame/cancel_sm.frame>
}

static void walk_replace_sm(const void *from)
{
    const struct replace_sm_t *pdu = from;
#include <def_frame/replace_sm.frame>
}

static void walk_alert_notification(const void *from)
{
    const struct alert_notification_t *pdu = from;
#include <def_frame/alert_notification.frame>
}

/* clang-format on */

static const struct {
    const char *name;
    void (*fill)(void *pdu);
    void (*walk)(const void *pdu);
} kinds[] = {
    {"bind_receiver", fill_bind_receiver, walk_bind_receiver},
    {"bind_transmitter", fill_bind_transmitter, walk_bind_transmitter},
    {"bind_transceiver", fill_bind_transceiver, walk_bind_transceiver},
    {"bind_transceiver_resp", fill_bind_transceiver_resp, walk_bind_transceiver_resp},
    {"outbind", fill_outbind, walk_outbind},
    {"submit_sm", fill_submit_sm, walk_submit_sm},
    {"submit_sm_resp", fill_submit_sm_resp, walk_submit_sm_resp},
    {"deliver_sm", fill_deliver_sm, walk_deliver_sm},
    {"deliver_sm_resp", fill_deliver_sm_resp, walk_deliver_sm_resp},
    {"data_sm", fill_data_sm, walk_data_sm},
    {"data_sm_resp", fill_data_sm_resp, walk_data_sm_resp},
    {"submit_multi", fill_submit_multi, walk_submit_multi},
    {"submit_multi_resp", fill_submit_multi_resp, walk_submit_multi_resp},
    {"query_sm", fill_query_sm, walk_query_sm},
    {"query_sm_resp", fill_query_sm_resp, walk_query_sm_resp},
    {"cancel_sm", fill_cancel_sm, walk_cancel_sm},
    {"replace_sm", fill_replace_sm, walk_replace_sm},
    {"alert_notification", fill_alert_notification, walk_alert_notification},
};

union any {
    uint32_t command_length; /* each begins with it */

    struct bind_receiver_t bind_receiver;
    struct bind_transmitter_t bind_transmitter;
    struct bind_transceiver_t bind_transceiver;
    struct bind_transceiver_resp_t bind_transceiver_resp;
    struct outbind_t outbind;
    struct submit_sm_t submit_sm;
    struct submit_sm_resp_t submit_sm_resp;
    struct deliver_sm_t deliver_sm;
    struct deliver_sm_resp_t deliver_sm_resp;
    struct data_sm_t data_sm;
    struct data_sm_resp_t data_sm_resp;
    struct submit_multi_t submit_multi;
    struct submit_multi_resp_t submit_multi_resp;
    struct query_sm_t query_sm;
    struct query_sm_resp_t query_sm_resp;
    struct cancel_sm_t cancel_sm;
    struct replace_sm_t replace_sm;
    struct alert_notification_t alert_notification;
};

static size_t pdus = PDUS;

static void what_libsmpp34_packs_is_walked_in_its_order(void **state)
{
    (void)state;
    static union any pdu;
    static uint8_t octets[8192];
    for (size_t i = 0; i < pdus; i++) {
        size_t kind = i % COUNT(kinds);
        memset(&pdu, 0, sizeof pdu);
        kinds[kind].fill(&pdu);
        int length = 0;
        if (smpp34_pack2(octets, sizeof octets, &length, &pdu) != 0)
            fail_msg("libsmpp34 refuses %s: %s", kinds[kind].name, smpp34_strerror);
        fields_begin(&walk, span_of(octets, (size_t)length));
        want_integer("command_length", (uint32_t)length);
        struct field id = next("command_id");
        assert_string_equal(command_name(id.value), kinds[kind].name);
        want_integer("command_status", 0);
        (void)next("sequence_number");
        kinds[kind].walk(&pdu);
        struct field field;
        assert_false(fields_next(&walk, &field));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        pdus = strtoull(argv[1], NULL, 10);
    rng.state = argc > 2 ? strtoull(argv[2], NULL, 10) : 20261121;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libsmpp34_packs_is_walked_in_its_order),
    };
    uint64_t begin_us = clock_mono_us();
    int failed = cmocka_run_group_tests_name("smpp_fields_oracle", tests, NULL, NULL);
    double seconds = (double)(clock_mono_us() - begin_us) / US_PER_S;
    printf("%zu PDUs of %zu kinds, %.0f a second\n", pdus, COUNT(kinds), (double)pdus / seconds);
    return failed;
}
