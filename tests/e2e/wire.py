# SPDX-License-Identifier: Apache-2.0
"""Frames of the submission protocol by hand: just enough protobuf to speak to assentd and to lie to it.

A message is a list of (field, value) when written, and {field: [values]} when read: integers for
varints and fixed64, bytes for everything with a length.
"""
import socket
import struct

# Fields of Frame.body in proto/assent.proto.
HELLO, SUBMIT, CANCEL, QUERY, WATCH, STATUS = 10, 11, 12, 13, 14, 15
REQUEST_OPT_IN, CONFIRM_OPT_IN, RECORD_OPT_IN, OPT_OUT, SHOW_CONSENT = range(16, 21)
FAILURE, HELLO_REPLY, SUBMIT_REPLY, CANCEL_REPLY, QUERY_REPLY, WATCH_EVENT, STATUS_REPLY, CONSENT_REPLY, \
    SHOW_REPLY = range(50, 59)


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*fields):
    out = bytearray()
    for field, value in fields:
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
        else:
            octets = value.encode() if isinstance(value, str) else value
            out += varint(field << 3 | 2) + varint(len(octets)) + octets
    return bytes(out)


def frame(call, body, content=b""):
    payload = message((1, call), (body, content))
    return struct.pack(">I", len(payload)) + payload


def read_varint(octets, at):
    value = shift = 0
    while True:
        octet = octets[at]
        at += 1
        value |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return value, at


def parse(octets):
    fields, at = {}, 0
    while at < len(octets):
        key, at = read_varint(octets, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(octets, at)
        elif kind == 1:
            value, at = struct.unpack_from("<Q", octets, at)[0], at + 8
        elif kind == 2:
            length, at = read_varint(octets, at)
            value, at = octets[at:at + length], at + length
        elif kind == 5:
            value, at = struct.unpack_from("<I", octets, at)[0], at + 4
        else:
            raise ValueError(f"wire type {kind}")
        fields.setdefault(key >> 3, []).append(value)
    return fields


class Client:
    """One connection; `receive` gives (call, body field, content) or None when the peer has closed."""

    def __init__(self, address, timeout=30.0):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def read(self, count):
        while len(self.buffer) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.buffer += more
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def receive(self):
        head = self.read(4)
        payload = head and self.read(struct.unpack(">I", head)[0])
        if payload is None:
            return None
        fields = parse(payload)
        body = next(field for field in fields if field >= 10)
        return fields.get(1, [0])[0], body, parse(fields[body][-1])

    def call(self, number, body, content=b""):
        self.send(frame(number, body, content))
        return self.receive()

    def hello(self, name="", key=""):
        return self.call(1, HELLO, message((1, name), (2, key), (3, "tests")))


def submit_request(*messages, dry_run=False):
    """Each of `messages` is (program, class, number, text) and perhaps a reference."""
    fields = []
    for program, kind, number, text, *reference in messages:
        one = [(1, program), (2, kind), (4, number), (5, text)]
        if reference:
            one.append((6, reference[0]))
        fields.append((1, message(*one)))
    if dry_run:
        fields.append((2, 1))
    return message(*fields)


# Bodies of Event in proto/event.proto.
EVENTS = {10: "accepted", 11: "attempt", 12: "sent", 13: "held", 14: "deferred", 15: "ended", 16: "receipt",
          17: "inbound", 30: "opt_in_requested", 31: "opt_in_confirmed", 32: "opt_in_recorded",
          33: "opt_in_declined", 34: "opted_out", 35: "opted_in_again", 36: "scope_registered", 45: "number_vacant",
          47: "erased", 48: "erasure_done",
          50: "node_started", 51: "node_stopped", 52: "carrier_state", 53: "gate_state",
          54: "config_loaded"}


def events(client):
    """What a Watch call brings until its end; a failure or a lost connection is a ConnectionError."""
    while True:
        answer = client.receive()
        if answer is None or answer[1] != WATCH_EVENT:
            raise ConnectionError(f"the watch ended with {answer}")
        if 4 in answer[2]:
            return
        event = parse(answer[2][2][0])
        out = {"sequence": answer[2][1][0], "message": event.get(3, [0])[0]}
        for field, name in EVENTS.items():
            if field in event:
                out[name] = parse(event[field][0])
        if 3 in answer[2]:
            out["personal"] = parse(answer[2][3][0])
        yield out
