/* SPDX-License-Identifier: Apache-2.0 */
#include "smpp/status.h"

#include <stddef.h>

struct status_row {
    const char *name;
    enum status_policy policy;
};

/* Indexed by value. RETRY is for what the carrier or the session may be over in a while; whatever
 * names a field of the message as wrong is PERMANENT, since the same octets would be sent again.
 * ELSEWHERE is what this carrier has against us and another need not have: our sender, our account. */
static const struct status_row rows[] = {
    [0x00] = {"ESME_ROK", STATUS_OK},
    [0x01] = {"ESME_RINVMSGLEN", STATUS_PERMANENT},
    [0x02] = {"ESME_RINVCMDLEN", STATUS_PERMANENT},
    [0x03] = {"ESME_RINVCMDID", STATUS_PERMANENT},
    [0x04] = {"ESME_RINVBNDSTS", STATUS_RETRY}, /* the session's fault, not the message's */
    [0x05] = {"ESME_RALYBND", STATUS_RETRY},
    [0x06] = {"ESME_RINVPRTFLG", STATUS_PERMANENT},
    [0x07] = {"ESME_RINVREGDLVFLG", STATUS_PERMANENT},
    [0x08] = {"ESME_RSYSERR", STATUS_RETRY},
    [0x0a] = {"ESME_RINVSRCADR", STATUS_ELSEWHERE},
    [0x0b] = {"ESME_RINVDSTADR", STATUS_PERMANENT},
    [0x0c] = {"ESME_RINVMSGID", STATUS_PERMANENT},
    [0x0d] = {"ESME_RBINDFAIL", STATUS_RETRY},
    [0x0e] = {"ESME_RINVPASWD", STATUS_ELSEWHERE},
    [0x0f] = {"ESME_RINVSYSID", STATUS_ELSEWHERE},
    [0x11] = {"ESME_RCANCELFAIL", STATUS_PERMANENT},
    [0x13] = {"ESME_RREPLACEFAIL", STATUS_PERMANENT},
    [0x14] = {"ESME_RMSGQFUL", STATUS_THROTTLE},
    [0x15] = {"ESME_RINVSERTYP", STATUS_ELSEWHERE},
    [0x33] = {"ESME_RINVNUMDESTS", STATUS_PERMANENT},
    [0x34] = {"ESME_RINVDLNAME", STATUS_PERMANENT},
    [0x40] = {"ESME_RINVDESTFLAG", STATUS_PERMANENT},
    [0x42] = {"ESME_RINVSUBREP", STATUS_PERMANENT},
    [0x43] = {"ESME_RINVESMCLASS", STATUS_PERMANENT},
    [0x44] = {"ESME_RCNTSUBDL", STATUS_PERMANENT},
    [0x45] = {"ESME_RSUBMITFAIL", STATUS_RETRY}, /* what many give when the window is too large */
    [0x48] = {"ESME_RINVSRCTON", STATUS_PERMANENT},
    [0x49] = {"ESME_RINVSRCNPI", STATUS_PERMANENT},
    [0x50] = {"ESME_RINVDSTTON", STATUS_PERMANENT},
    [0x51] = {"ESME_RINVDSTNPI", STATUS_PERMANENT},
    [0x53] = {"ESME_RINVSYSTYP", STATUS_ELSEWHERE},
    [0x54] = {"ESME_RINVREPFLAG", STATUS_PERMANENT},
    [0x55] = {"ESME_RINVNUMMSGS", STATUS_PERMANENT},
    [0x58] = {"ESME_RTHROTTLED", STATUS_THROTTLE},
    [0x61] = {"ESME_RINVSCHED", STATUS_PERMANENT},
    [0x62] = {"ESME_RINVEXPIRY", STATUS_PERMANENT},
    [0x63] = {"ESME_RINVDFTMSGID", STATUS_PERMANENT},
    [0x64] = {"ESME_RX_T_APPN", STATUS_RETRY},
    [0x65] = {"ESME_RX_P_APPN", STATUS_PERMANENT},
    [0x66] = {"ESME_RX_R_APPN", STATUS_PERMANENT},
    [0x67] = {"ESME_RQUERYFAIL", STATUS_PERMANENT},
    [0xc0] = {"ESME_RINVOPTPARSTREAM", STATUS_PERMANENT},
    [0xc1] = {"ESME_ROPTPARNOTALLWD", STATUS_PERMANENT},
    [0xc2] = {"ESME_RINVPARLEN", STATUS_PERMANENT},
    [0xc3] = {"ESME_RMISSINGOPTPARAM", STATUS_PERMANENT},
    [0xc4] = {"ESME_RINVOPTPARAMVAL", STATUS_PERMANENT},
    [0xfe] = {"ESME_RDELIVERYFAILURE", STATUS_PERMANENT},
    [0xff] = {"ESME_RUNKNOWNERR", STATUS_PERMANENT},
};

static const struct status_row *find_row(uint32_t command_status)
{
    if (command_status >= sizeof rows / sizeof rows[0] || rows[command_status].name == NULL)
        return NULL;
    return &rows[command_status];
}

enum status_policy status_policy(uint32_t command_status)
{
    const struct status_row *row = find_row(command_status);
    return row != NULL ? row->policy : STATUS_UNKNOWN_PERMANENT;
}

enum status_policy status_policy_here(uint32_t command_status)
{
    return status_policy(command_status) == STATUS_RETRY ? STATUS_RETRY : STATUS_PERMANENT;
}

const char *status_name(uint32_t command_status)
{
    const struct status_row *row = find_row(command_status);
    return row != NULL ? row->name : NULL;
}
