/* SPDX-License-Identifier: Apache-2.0 */
/* assent trace ID --is-text TEXT: whether a message had this text, by what the ledger keeps of it. */
#ifndef GATEWAY_CLI_TRACE_TEXT_H
#define GATEWAY_CLI_TRACE_TEXT_H

/* `word`: the message's id, maybe with # before it. Says the answer; EXIT_DONE where it had. */
int trace_is_text(const char *directory, const char *word, const char *text);

#endif
