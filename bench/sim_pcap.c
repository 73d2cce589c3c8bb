/* SPDX-License-Identifier: Apache-2.0 */
/* A pcap file is a header of 24 octets in the machine's own order, then packets, each behind 16 octets:
 * seconds, microseconds, octets here, octets on the wire. Only whole packets are written, so a carrier
 * that is killed leaves a file that can be read. */
#include "bench/sim_pcap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/bytes.h"
#include "proto/base/check.h"
#include "proto/base/clock.h"

#define MAGIC         0xa1b2c3d4u /* microseconds */
#define RAW_IP        101         /* LINKTYPE_RAW */
#define SERVER_PORT   2775
#define FIRST_PORT    10000 /* of the clients */
#define PORTS         50000
#define HEADERS       40   /* IPv4 and TCP, without options */
#define SEGMENT       1400 /* octets of a stream in a packet */
#define CAPTURE_ROOM  (1u << 18)
#define CLIENT        0x0a000001u /* 10.0.0.1 */
#define SERVER        0x0a000002u
#define TCP_SYN       2
#define TCP_PUSH      8
#define TCP_ACK       16
#define DONT_FRAGMENT 0x4000

struct sim_pcap {
    int fd;
    int64_t wall_minus_mono_us;
    size_t used;
    uint8_t data[CAPTURE_ROOM];
};

static void put_words(struct sim_pcap *pcap, const uint32_t *words, size_t count)
{
    memcpy(pcap->data + pcap->used, words, count * sizeof *words);
    pcap->used += count * sizeof *words;
}

static void put_headers(struct sim_pcap *pcap, const struct sim_pcap_stream *stream, bool outgoing,
                        uint8_t flags, size_t payload)
{
    struct writer w = writer_over(pcap->data + pcap->used, HEADERS);
    write_u16(&w, 0x4500); /* version 4, 20 octets of header */
    write_u16(&w, (uint16_t)(HEADERS + payload));
    write_u32(&w, DONT_FRAGMENT);
    write_u32(&w, 0x40060000); /* 64 hops, TCP; no checksum here nor below */
    write_u32(&w, outgoing ? SERVER : CLIENT);
    write_u32(&w, outgoing ? CLIENT : SERVER);
    write_u16(&w, outgoing ? SERVER_PORT : stream->port);
    write_u16(&w, outgoing ? stream->port : SERVER_PORT);
    write_u32(&w, stream->next[outgoing]);
    write_u32(&w, flags & TCP_ACK ? stream->next[!outgoing] : 0);
    write_u16(&w, (uint16_t)(0x5000 | flags)); /* 20 octets of header */
    write_u16(&w, 0xffff);                     /* window */
    write_u32(&w, 0);
    CHECK(!w.failed && writer_length(&w) == HEADERS);
    pcap->used += HEADERS;
}

static void put_packet(struct sim_pcap *pcap, struct sim_pcap_stream *stream, uint64_t now_us,
                       bool outgoing, uint8_t flags, struct span payload)
{
    if (pcap->used + 16 + HEADERS + SEGMENT > CAPTURE_ROOM)
        sim_pcap_flush(pcap);
    uint64_t wall_us = now_us + (uint64_t)pcap->wall_minus_mono_us;
    uint32_t length = (uint32_t)(HEADERS + payload.length);
    put_words(pcap,
              (const uint32_t[]){(uint32_t)(wall_us / US_PER_S), (uint32_t)(wall_us % US_PER_S),
                                 length, length},
              4);
    put_headers(pcap, stream, outgoing, flags, payload.length);
    if (payload.length > 0)
        memcpy(pcap->data + pcap->used, payload.data, payload.length);
    pcap->used += payload.length;
    stream->next[outgoing] += (uint32_t)payload.length + (flags & TCP_SYN ? 1 : 0);
}

void sim_pcap_begin(struct sim_pcap *pcap, struct sim_pcap_stream *stream, uint32_t number,
                    uint64_t now_us)
{
    /* Another carrier's capture may be joined to this one: sequence numbers begin by the clock. */
    *stream = (struct sim_pcap_stream){.port = (uint16_t)(FIRST_PORT + number % PORTS),
                                       .next = {(uint32_t)now_us, (uint32_t)now_us}};
    put_packet(pcap, stream, now_us, false, TCP_SYN, (struct span){0});
    put_packet(pcap, stream, now_us, true, TCP_SYN | TCP_ACK, (struct span){0});
}

void sim_pcap_octets(struct sim_pcap *pcap, struct sim_pcap_stream *stream, uint64_t now_us,
                     bool outgoing, struct span octets)
{
    while (octets.length > 0) {
        size_t part = octets.length < SEGMENT ? octets.length : SEGMENT;
        put_packet(pcap, stream, now_us, outgoing, TCP_PUSH | TCP_ACK, span_of(octets.data, part));
        octets = span_of(octets.data + part, octets.length - part);
    }
}

void sim_pcap_flush(struct sim_pcap *pcap)
{
    size_t done = 0;
    while (pcap != NULL && done < pcap->used) {
        ssize_t n = write(pcap->fd, pcap->data + done, pcap->used - done);
        if (n <= 0)
            break; /* a full disk: the capture has a hole, the carrier goes on */
        done += (size_t)n;
    }
    if (pcap != NULL)
        pcap->used = 0;
}

struct sim_pcap *sim_pcap_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    struct sim_pcap *pcap = check_malloc(sizeof *pcap);
    pcap->fd = fd;
    pcap->used = 0;
    pcap->wall_minus_mono_us = (int64_t)(clock_wall_ms() * 1000) - (int64_t)clock_mono_us();
    const uint16_t version[2] = {2, 4};
    uint32_t header[6] = {MAGIC, 0, 0, 0, UINT16_MAX, RAW_IP};
    memcpy(&header[1], version, sizeof version);
    put_words(pcap, header, 6);
    sim_pcap_flush(pcap);
    return pcap;
}

void sim_pcap_close(struct sim_pcap *pcap)
{
    if (pcap == NULL)
        return;
    sim_pcap_flush(pcap);
    close(pcap->fd);
    free(pcap);
}
