/* SPDX-License-Identifier: Apache-2.0 */
/* What a command_status means: one row a status of section 5.1.3, with the default policy for a
 * submit_sm that was answered with it. A carrier's own table may overrule the policy. */
#ifndef SMPP_STATUS_H
#define SMPP_STATUS_H

#include <stdint.h>

enum status_policy {
    STATUS_OK,
    STATUS_RETRY,     /* temporary: this message again, later */
    STATUS_THROTTLE,  /* too fast: pause the lane so that order is kept, then this message again */
    STATUS_PERMANENT, /* this message will never be taken */
    STATUS_ELSEWHERE, /* not by this carrier: by the next route, where there is one */
    STATUS_OPTED_OUT, /* the recipient has told the carrier to stop: an opt-out, and never again */
    STATUS_UNKNOWN_SUBSCRIBER, /* nobody has this number: permanent, and counted */
    STATUS_FILTERED,           /* the carrier's filter: permanent, and counted */
    STATUS_UNKNOWN_PERMANENT   /* no row (vendor status): not tried again; keep the raw code */
};

enum status_policy status_policy(uint32_t command_status);

/* Where a message that should go elsewhere has nowhere to go: RETRY or PERMANENT, by the nature of its
 * status. */
enum status_policy status_policy_here(uint32_t command_status);

/* "ESME_RTHROTTLED", or NULL when there is no row. */
const char *status_name(uint32_t command_status);

#endif
