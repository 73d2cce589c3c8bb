/* SPDX-License-Identifier: Apache-2.0 */
/* smsc-sim's capture of its sessions as a pcap file, so that a dissector which is not ours can judge
 * them without the right to listen on an interface.
 *
 * What came is written as it was read, so PDUs are split and joined as they were; what is sent, a
 * packet a PDU, and not at all where faults are played. Packets are raw IPv4 with made-up addresses, the carrier's port 2775, and sequence
 * numbers that are right: streams can be put together again. With TLS it is what was inside. Written
 * at the latest 50 ms after the event. It holds numbers and texts: for test numbers alone. */
#ifndef BENCH_SIM_PCAP_H
#define BENCH_SIM_PCAP_H

#include "proto/base/span.h"

struct sim_pcap;

/* One connection; belongs to whoever has the connection, needs no release. */
struct sim_pcap_stream {
    uint16_t port;
    uint32_t next[2]; /* TCP sequence numbers: of what came, of what was sent */
};

/* NULL when the file cannot be made; errno says why. */
struct sim_pcap *sim_pcap_open(const char *path);
void sim_pcap_close(struct sim_pcap *pcap); /* flushes; NULL is fine */

void sim_pcap_begin(struct sim_pcap *pcap, struct sim_pcap_stream *stream, uint32_t number,
                    uint64_t now_us);
void sim_pcap_octets(struct sim_pcap *pcap, struct sim_pcap_stream *stream, uint64_t now_us,
                     bool outgoing, struct span octets);
void sim_pcap_flush(struct sim_pcap *pcap); /* NULL is fine */

#endif
