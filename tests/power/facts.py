# SPDX-License-Identifier: Apache-2.0
"""What the world had seen of a gateway at each point of its journal: the answers of its submitters and what it wrote
to its carrier, each with the record that it rests on."""
import re
import struct
from typing import NamedTuple

import carrier_log
import handset
import wire

SUBMIT_SM, DELIVER_SM_RESP = 0x00000004, 0x80000005
OTP_EPOCH = 7  # Personal.epoch


class Fact(NamedTuple):
    index: int  # of the entry with which it may have left
    what: str
    sequence: int  # of the record that has to be safe by then


class Stream:
    """What went out of one connection; `take()` cuts whole units from its front."""

    def __init__(self, name):
        self.name, self.octets, self.begun = name, b"", {}

    def add(self, octets):
        self.octets += octets

    def take(self, length):
        out, self.octets = self.octets[:length], self.octets[length:]
        return out


def units(entries, is_mine, length_of):
    """(index, connection, octets) of each frame or PDU that was sent on connections that are mine."""
    streams, sending = {}, {}
    for index, entry in enumerate(entries):
        if entry.kind == "C" and is_mine(entry.octets.decode().split()):
            streams[entry.a] = Stream(entry.a)
        elif entry.kind == "N" and entry.a in streams:
            sending[entry.thread] = (index, entry.octets)
        elif entry.kind == "n" and entry.thread in sending:
            began, octets = sending.pop(entry.thread)
            stream = streams[entry.a]
            stream.add(octets[:entry.b])
            while len(stream.octets) >= 4 and len(stream.octets) >= length_of(stream.octets):
                yield began, entry.a, stream.take(length_of(stream.octets))


def answers(entries, socket):
    """Submissions accepted and consent recorded, as their submitters were told."""
    for index, _, octets in units(entries, lambda words: words == ["unix", socket],
                                  lambda head: 4 + struct.unpack_from(">I", head)[0]):
        fields = wire.parse(octets[4:])
        if wire.SUBMIT_REPLY in fields:
            for verdict in wire.parse(fields[wire.SUBMIT_REPLY][0]).get(1, []):
                one = wire.parse(verdict)
                if 2 in one:
                    yield Fact(index, f"message {one[2][0]} accepted", one[2][0])
        elif wire.CONSENT_REPLY in fields:
            one = wire.parse(fields[wire.CONSENT_REPLY][0])
            if 4 in one:
                yield Fact(index, "consent answered", one[4][0])


def pdus(entries, port):
    return units(entries, lambda words: words[0] == "tcp" and words[2] == str(port),
                 lambda head: struct.unpack_from(">I", head)[0])


class Carrier:
    """What of the gateway's PDUs rests on which record: its events and the carrier's log say so."""

    def __init__(self, events, log, marks):
        self.marks = marks  # of a text: message
        self.attempts, self.service, self.stops, self.receipts = {}, {}, {}, {}
        for event in events:
            if "attempt" in event:
                self.attempts.setdefault(event["message"], event["sequence"])
            elif "opted_out" in event and 5 in event["opted_out"]:
                self.stops.setdefault(str(event["personal"][1][0]), event["sequence"])
            elif "accepted" in event and 10 in event["accepted"]:
                self.service.setdefault(str(event["personal"][1][0]), event["sequence"])
            elif "receipt" in event and 5 in event["receipt"]:
                self.receipts.setdefault(event["receipt"][5][0].decode(), event["sequence"])
        self.bound = [p.session for p in log if p.name == "bind_transceiver"]  # in the order of connections
        self.delivered = {(p.session, p.sequence): p for p in log if p.name == "deliver_sm"}

    def sent(self, index, octets):
        text = handset.read_submit("", octets[16:])
        mark = re.match(r"<(\w+)>", text.text)
        message = self.marks[mark.group(1)] if mark else self.service[text.number]
        return Fact(index, f"message {message} written to the carrier", self.attempts[message])

    def taken(self, index, session, octets):
        """A STOP or a receipt, by the answer to it."""
        status, sequence = struct.unpack_from(">II", octets, 8)
        pdu = self.delivered[session, sequence]
        if status != 0:
            return None
        if carrier_log.is_stop(pdu.text):
            return Fact(index, f"STOP of {pdu.source} answered", self.stops[pdu.source])
        if pdu.message_id in self.receipts:
            return Fact(index, f"receipt of {pdu.message_id} answered", self.receipts[pdu.message_id])
        return None

    def facts(self, entries, port):
        sessions = {}
        for index, connection, octets in pdus(entries, port):
            session = sessions.setdefault(connection, self.bound[min(len(sessions), len(self.bound) - 1)])
            command = struct.unpack_from(">I", octets, 4)[0]
            if command == SUBMIT_SM:
                yield self.sent(index, octets)
            elif command == DELIVER_SM_RESP:
                fact = self.taken(index, session, octets)
                if fact:
                    yield fact


def needs_key(events):
    """{message: key} of those whose text is encrypted, and {message: first record behind which it may be gone}."""
    keys, gone = {}, {}
    for event in events:
        if "accepted" in event and OTP_EPOCH in event.get("personal", {}):
            keys[event["sequence"]] = event["personal"][OTP_EPOCH][0]
        elif "attempt" in event or "ended" in event:
            gone.setdefault(event["message"], event["sequence"])
    return keys, gone
