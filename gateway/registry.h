/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of senders: `senders` and `do_not_originate` of the configuration. Who is not in it sends
 * nothing; without a registry nobody is asked, and the gates say so ("exempt"). Asked when a message is
 * submitted and, since a registration may end while it waits, again right before the wire. */
#ifndef GATEWAY_REGISTRY_H
#define GATEWAY_REGISTRY_H

#include "gateway/config.h"

enum registered { REGISTERED, REGISTERED_NOT, REGISTERED_EXPIRED };

/* What is not asked of a class by itself, as the gateway's own replies, needs any class in the country.
 * `today`: since 1970. NULL is not registered. */
enum registered sender_registered(const struct sender_config *sender,
                                  Assent__V1__Class message_class, uint64_t number, int32_t today);

#endif
