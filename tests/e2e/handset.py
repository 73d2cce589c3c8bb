# SPDX-License-Identifier: Apache-2.0
"""A carrier with one handset that a test holds in its hand: it keeps every text that a gateway sends, and says what
the test tells it to, through the gateway that the test names by its system_id."""
import socket
import struct
import threading
from typing import NamedTuple

import harness

SUBMIT, DELIVER, UNBIND, BIND, ENQUIRE, RESPONSE = 0x04, 0x05, 0x06, 0x09, 0x15, 0x80000000


class Text(NamedTuple):
    gateway: str
    source: str
    number: str
    text: str


def cstring(octets, at):
    end = octets.index(0, at)
    return octets[at:end].decode("latin-1"), end + 1


def read_submit(gateway, body):
    _, at = cstring(body, 0)
    source, at = cstring(body, at + 2)
    number, at = cstring(body, at + 2)
    _, at = cstring(body, at + 3)
    _, at = cstring(body, at)
    coding, length = body[at + 2], body[at + 4]
    octets = body[at + 5:at + 5 + length]
    return Text(gateway, source, number, octets.decode("utf-16-be" if coding == 8 else "latin-1"))


class Handset:
    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.texts, self.sockets, self.answers = [], {}, {}
        self.sequence = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def write(self, peer, command, status, sequence, body=b""):
        with self.lock:
            peer.sendall(struct.pack(">IIII", 16 + len(body), command, status, sequence) + body)

    def serve(self, peer):
        gateway, stream = "", peer.makefile("rb")
        while head := stream.read(16):
            length, command, status, sequence = struct.unpack(">IIII", head)
            body = stream.read(length - 16)
            if command == BIND:
                gateway, _ = cstring(body, 0)
                self.sockets[gateway] = peer
                self.write(peer, command | RESPONSE, 0, sequence, b"carrier\0")
            elif command == SUBMIT:
                self.texts.append(read_submit(gateway, body))
                self.write(peer, command | RESPONSE, 0, sequence, b"id%d\0" % len(self.texts))
            elif command == DELIVER | RESPONSE:
                self.answers[sequence] = status
            elif command in (ENQUIRE, UNBIND):
                self.write(peer, command | RESPONSE, 0, sequence)

    def says(self, gateway, number, sender, text):
        """Waits until the gateway has taken it."""
        self.sequence += 1
        sequence, octets = self.sequence, text.encode("ascii")
        body = b"\0\1\1" + number.encode() + b"\0\1\1" + sender.encode() + b"\0" + bytes(9) + \
            bytes([len(octets)]) + octets
        harness.wait_for(f"{gateway} is bound", lambda: gateway in self.sockets)
        self.write(self.sockets[gateway], DELIVER, 0, sequence, body)
        harness.wait_for("the reply is taken", lambda: self.answers.get(sequence) == 0)

    def got(self, number, words=""):
        """The texts that this number has got."""
        return [t for t in self.texts if t.number == number and words in t.text]

    def gets(self, number, words, count=1):
        return harness.wait_for(f"a text with {words!r}", lambda: len(self.got(number, words)) >= count and
                                self.got(number, words)[-1])
