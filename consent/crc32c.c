/* SPDX-License-Identifier: Apache-2.0 */
#include "consent/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u
#define LANES      8

/* table[k][b]: what octet b does to the remainder when k octets follow it. */
static uint32_t table[LANES][256];
static uint32_t (*best)(uint32_t crc, const void *data, size_t length);

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *at = data;
    crc = ~crc;
    for (; length >= LANES; at += LANES, length -= LANES) {
        uint32_t next = 0;
        for (unsigned lane = 0; lane < LANES; lane++) {
            uint8_t octet = at[lane] ^ (lane < 4 ? (uint8_t)(crc >> 8 * lane) : 0);
            next ^= table[LANES - 1 - lane][octet];
        }
        crc = next;
    }
    for (; length > 0; at++, length--)
        crc = crc >> 8 ^ table[0][(uint8_t)crc ^ *at];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t with_instruction(uint32_t crc, const void *data,
                                                                   size_t length)
{
    const uint8_t *at = data;
    uint64_t state = (uint32_t)~crc;
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        state = _mm_crc32_u64(state, word);
    }
    uint32_t rest = (uint32_t)state;
    if (length & 4) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        rest = _mm_crc32_u32(rest, word);
        at += sizeof word;
    }
    if (length & 2) {
        uint16_t word;
        memcpy(&word, at, sizeof word);
        rest = _mm_crc32_u16(rest, word);
        at += sizeof word;
    }
    return ~(length & 1 ? _mm_crc32_u8(rest, *at) : rest);
}
#endif

__attribute__((constructor)) static void choose(void)
{
    for (uint32_t octet = 0; octet < 256; octet++) {
        uint32_t crc = octet;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][octet] = crc;
    }
    for (unsigned lane = 1; lane < LANES; lane++)
        for (unsigned octet = 0; octet < 256; octet++)
            table[lane][octet] =
                table[lane - 1][octet] >> 8 ^ table[0][(uint8_t)table[lane - 1][octet]];
    best = crc32c_portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2"))
        best = with_instruction;
#endif
}

uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
    return best(crc, data, length);
}
