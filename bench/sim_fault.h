/* SPDX-License-Identifier: Apache-2.0 */
/* Where smsc-sim plays the faults of bench/faults.h: each hook is called at one place of sim.c, and
 * does nothing unless a fault of its kind was asked for. Those that carrier_model.h can play by
 * itself (early and double receipts, lost answers, errors, rate, window) are set in its
 * configuration. */
#ifndef BENCH_SIM_FAULT_H
#define BENCH_SIM_FAULT_H

#include "bench/sim.h"

/* Tells the model its part, and chooses the forms of message ids. */
void sim_faults_configure(struct sim_options *options);

/* A connection was accepted; its bind came, and may be refused with the status given; it was bound. */
void fault_connected(struct peer *peer);
uint32_t fault_bind_status(struct peer *peer);
void fault_bound(struct peer *peer);
void fault_unbound(struct peer *peer, const char *why);

/* Octets came: to be used instead of session_receive(). */
void fault_receive(struct peer *peer, struct span octets);

/* A submit_sm came, and the model has said what is to become of it. Gives the fault that shapes the
 * answer (FAULTS: none), for fault_shape_answer() when the answer has been written behind `at`. */
enum fault fault_submitted(struct peer *peer, const struct sm_body *body,
                           struct carrier_outcome *outcome);
void fault_shape_answer(struct peer *peer, enum fault shape, size_t at);

/* A receipt or a reply is planned; it was written behind `at`; it was answered, and is delivered once
 * more when this says so. */
void fault_plan_receipt(struct sim *sim, struct item *item);
void fault_plan_reply(struct sim *sim, struct item *item);
void fault_shape_deliver(struct peer *peer, const struct item *item, size_t at);
bool fault_delivers_again(struct sim *sim, struct item *item);

/* May this item go on this session? */
bool fault_allows(const struct sim *sim, const struct peer *peer, const struct item *item);

/* A reply as the faults want it; the buffers live as long as *message is used. */
struct reply_buffers {
    uint8_t octets[UINT8_MAX + 10];
    uint8_t reference[2], total, part;
    struct tlv tlvs[3];
};
void fault_write_reply(const struct sim *sim, const struct item *item,
                       struct reply_buffers *buffers, struct sm_out *message);

/* The end of a turn: what was due to happen to this connection; then what may now be written of what
 * its session said. Gives the buffer for link_flush(). */
void fault_end_turn(struct peer *peer);
struct buffer *fault_output(struct peer *peer);

/* Has the connection something that waits? When is it to be looked at next? (UINT64_MAX: never.) */
bool fault_holds(const struct peer *peer);
uint64_t fault_next_us(const struct peer *peer);

/* How often a fault was played, by the model or here. */
uint64_t fault_played(struct sim *sim, enum fault fault);

#endif
