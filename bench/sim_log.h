/* SPDX-License-Identifier: Apache-2.0 */
/* smsc-sim's log of every PDU, for tests: one line a PDU, columns parted by tabs, `-` for what a PDU
 * does not have.
 *
 *     time_us  session  in|out  command  sequence  status  message_id  source  destination  part  text
 *
 * time_us is monotonic; the first line, a comment, ties it to the wall clock. `part` is k/n. A
 * receipt's message_id is the one it is about. Tabs, line ends and backslashes in a text are escaped
 * as \t, \n, \r and \\. The short form ends after `status`. Sessions coming and going are lines too,
 * with the commands `connected` and `closed`; so is `stood_still`, when the simulator could not read for so
 * many microseconds (its text) until then. Written at the latest 50 ms after the event.
 *
 * It holds numbers and texts, so it is for test numbers alone. */
#ifndef BENCH_SIM_LOG_H
#define BENCH_SIM_LOG_H

#include "smpp/text.h"

struct sim_log;

/* `alphabet` is what data_coding 0 means. NULL when the file cannot be made; errno says why. */
struct sim_log *sim_log_open(const char *path, bool is_short, enum text_alphabet alphabet);
void sim_log_close(struct sim_log *log); /* flushes; NULL is fine */

void sim_log_pdu(struct sim_log *log, uint64_t now_us, uint32_t session, bool outgoing,
                 struct span pdu);
void sim_log_event(struct sim_log *log, uint64_t now_us, uint32_t session, const char *command,
                   const char *why);
void sim_log_flush(struct sim_log *log);

#endif
