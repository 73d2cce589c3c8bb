/* SPDX-License-Identifier: Apache-2.0 */
/* Which carriers may take a message, and in which order they are tried. Pure: built once from the
 * configuration, then only read.
 *
 * The choice narrows and then sorts. Of the routes whose filters let the message pass:
 *   1. only those with the longest prefix stay; a shorter one is no way round a longer one;
 *   2. if one of these names the message's sender, only those that name it stay;
 *   3. likewise for its class;
 *   4. what is left is sorted by priority, then by cost, the smaller first;
 *   5. equals share by weight. The recipient's number draws, so that every message to one handset
 *      takes the same carrier for as long as it is fit, at every gateway with these routes, and the
 *      parts and the order of messages hold. When a carrier drops out only its share moves.
 * The gateway's own replies (class service) pass every filter of classes. */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include "gateway/config.h"

struct route_query {
    uint64_t number;
    const char *sender;
    Assent__V1__Class message_class;
};

struct route_table;

/* `config` must outlive it. */
struct route_table *route_table_new(const struct config *config);
void route_table_free(struct route_table *table);

/* Indices of the carriers that may take it, each once, the best first, `wanted` of them at most. Gives their count. */
uint16_t route_order(const struct route_table *table, const struct route_query *query,
                     uint16_t wanted, uint16_t ret_carriers[CARRIERS_MAX]);

/* True when some number could be reached from this sender in this class. */
bool route_leads_anywhere(const struct config *config, const char *sender,
                          Assent__V1__Class message_class);

#endif
