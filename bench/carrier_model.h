/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier and its subscribers as a pure model: given a submit_sm, the time and a random source, it
 * says how it is answered, which receipts follow and what the subscriber replies. It does no I/O and
 * keeps no clock, so that the simulation and smsc-sim share it.
 *
 * It is also the judge of the promises as a carrier sees them: the highest number of submit_sm in any
 * sliding second, and every submit_sm to a number that comes after that number's STOP was answered.
 * A conversation is a number and a sender: a STOP holds for the sender that it was sent to. */
#ifndef BENCH_CARRIER_MODEL_H
#define BENCH_CARRIER_MODEL_H

#include "bench/subscriber.h"
#include "proto/base/rng.h"
#include "smpp/pdu.h"
#include "smpp/text.h"

/* Uniform in mean ± spread, never below 0. */
struct carrier_delay {
    uint64_t mean_us, spread_us;
};

/* A reason to refuse, besides rate and window. */
struct carrier_error {
    uint32_t ppm, command_status;
};
#define CARRIER_ERRORS_MAX 8

#define CARRIER_NO_UDH     0x1u
#define CARRIER_NO_SAR     0x2u
#define CARRIER_NO_PAYLOAD 0x4u

struct carrier_config { /* _ppm: parts per million */
    uint64_t seed;      /* of the subscribers' behaviour */
    uint32_t rate;   /* submit_sm taken in a sliding second; above it ESME_RTHROTTLED; 0 no limit */
    uint32_t window; /* unanswered submit_sm of a session; above it ESME_RMSGQFUL; 0 no limit */
    struct carrier_delay answer_delay, receipt_delay, reply_delay;
    struct carrier_error errors[CARRIER_ERRORS_MAX];
    unsigned error_count;
    unsigned refused_forms;      /* CARRIER_NO_ bits: such submit_sm get ESME_RSUBMITFAIL */
    enum text_alphabet alphabet; /* what data_coding 0 means here */
    uint32_t answer_lost_ppm;    /* taken, and never answered */
    uint32_t receipt_ppm;        /* of the receipts asked for */
    uint32_t undelivered_ppm;    /* of the receipts */
    uint32_t receipt_twice_ppm;  /* of the receipts */
    uint32_t receipt_early_ppm;  /* of the receipts: before the submit_sm_resp */
    bool subscribers;            /* false: nobody reads and nobody replies, which is faster */
    struct subscriber_shares shares;
    struct text_marks marks;
    uint32_t
        other_session_us; /* a submit_sm on another session so soon after a STOP's answer may have
                                  been written before it: counted as in flight */
};

struct carrier_submit {
    const struct sm_body *body;
    uint32_t session; /* which connection, any numbering */
    uint32_t
        unanswered; /* submit_sm of that session that wait for their answer, without this one */
};

struct carrier_receipt {
    uint8_t message_state; /* as in the TLV: 2 delivered, 5 undeliverable */
    uint64_t message_id;
    uint64_t delay_us; /* after the submit_sm */
};

#define CARRIER_RECEIPTS_MAX 8 /* of one message; the model makes two at most */

#define REPLY_OCTETS_MAX 255

struct carrier_reply { /* goes as a deliver_sm from the number to the sender */
    enum reply_kind kind;
    uint8_t data_coding;
    uint8_t length;
    uint8_t octets[REPLY_OCTETS_MAX];
    uint64_t delay_us;
    uint64_t conversation;
};

struct carrier_outcome {
    uint32_t command_status;
    unsigned error; /* which of config.errors it is, from 1; 0: none of them */
    bool answered;  /* false: the answer is lost */
    uint64_t answer_delay_us;
    uint64_t message_id; /* 0 with an error */
    unsigned receipt_count;
    struct carrier_receipt receipts[CARRIER_RECEIPTS_MAX];
    struct carrier_reply reply; /* kind REPLY_NONE: none */
};

struct carrier_counts {
    uint64_t submits, accepted, throttled, over_window, refused, answers_lost;
    uint64_t highest_second;          /* of all submit_sm, taken or not */
    uint64_t highest_second_accepted; /* of those taken */
    uint64_t in_second;               /* submit_sm in the second until the last one */
    uint64_t receipts, receipts_withheld, receipts_twice, receipts_early, undelivered;
    uint64_t questions, marketing_texts;
    uint64_t replies[REPLY_KINDS];
    uint64_t stops_answered;
    uint64_t confirmations; /* at most one a STOP, within five minutes */
    uint64_t after_stop;    /* any other submit_sm after a STOP's answer: must stay 0 */
    uint64_t after_stop_in_flight;
};

struct carrier_model;

struct carrier_model *carrier_model_new(const struct carrier_config *config);
void carrier_model_free(struct carrier_model *model);

/* Sets how one number behaves, whatever the shares say. */
void carrier_model_set_subscriber(struct carrier_model *model, uint64_t number,
                                  const struct subscriber *subscriber);

/* Times never go back from call to call. */
void carrier_model_submit(struct carrier_model *model, const struct carrier_submit *submit,
                          uint64_t now_us, struct rng *rng, struct carrier_outcome *ret_outcome);

/* The deliver_sm of a reply leaves: from a START on, the STOP before it counts no more. */
void carrier_model_reply_sent(struct carrier_model *model, const struct carrier_reply *reply);

/* The deliver_sm of a reply was answered with ESME_ROK on `session`: from now on a STOP counts. */
void carrier_model_reply_answered(struct carrier_model *model, const struct carrier_reply *reply,
                                  uint32_t session, uint64_t now_us);

/* Must a deliver_sm with this answer be sent again later? */
bool carrier_model_redelivers(uint32_t command_status);

const struct carrier_counts *carrier_model_counts(struct carrier_model *model);

#endif
