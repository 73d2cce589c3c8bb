#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A carrier that lies: garbage, lengths that cannot be, refusals, halves of PDUs, messages of any shape,
silence. The gateway gets through all of it, and sends as soon as a good carrier answers at the address."""
import random
import socket
import struct
import threading

import harness
from harness import say

OTP = 1
BIND, SUBMIT, DELIVER, UNBIND, ENQUIRE, NACK, RESPONSE = 9, 4, 5, 6, 0x15, 0x80000000, 0x80000000


def pdu(command, sequence=1, body=b"", status=0):
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def read_pdu(connection):
    head = connection.recv(16, socket.MSG_WAITALL)
    if len(head) < 16:
        return None
    length, command, status, sequence = struct.unpack(">IIII", head)
    connection.recv(length - 16, socket.MSG_WAITALL) if length > 16 else b""
    return command, sequence


def bind(connection):
    _, sequence = read_pdu(connection)
    connection.sendall(pdu(BIND | RESPONSE, sequence, b"liar\0"))


def shaped(rng):
    """A deliver_sm with fields that are cut, too long or overlap."""
    body = rng.choice([b"\0", b"CMT\0"]) + b"\1\1" + b"12025550150"[:rng.randrange(12)] + b"\0" * rng.randrange(3)
    body += b"\1\1" + b"1" * rng.randrange(30) + b"\0" + rng.randbytes(rng.randrange(12))
    body += bytes([rng.randrange(256)]) + b"id:" + rng.randbytes(rng.randrange(200))
    for _ in range(rng.randrange(40)):
        body += struct.pack(">HH", rng.choice((0x1E, 0x424, 0x427, 0x20C, rng.randrange(65536))),
                            rng.choice((0, 1, 2, 4, 70, 65535))) + rng.randbytes(rng.randrange(8))
    return pdu(DELIVER, rng.randrange(1 << 31), body)


LIES = [
    lambda c, r: None,
    lambda c, r: c.sendall(r.randbytes(500)),
    lambda c, r: c.sendall(struct.pack(">I", 0xFFFFFFFF) + r.randbytes(100)),
    lambda c, r: c.sendall(struct.pack(">I", 3) + r.randbytes(100)),
    lambda c, r: (read_pdu(c), c.sendall(pdu(BIND | RESPONSE, 1, b"", 0x0E))),
    lambda c, r: (read_pdu(c), c.sendall(pdu(NACK, 0, b"", 3))),
    lambda c, r: (read_pdu(c), c.sendall(pdu(BIND | RESPONSE, 77, b"liar\0"))),
    lambda c, r: (read_pdu(c), c.sendall(pdu(SUBMIT | RESPONSE, 1, b"what\0"))),
    lambda c, r: (bind(c), c.sendall(pdu(DELIVER, 5, r.randbytes(60))[:30])),
    lambda c, r: (bind(c), c.sendall(pdu(SUBMIT | RESPONSE, 4242, b"never-asked\0"))),
    lambda c, r: (bind(c), c.sendall(pdu(0x77777777, 9, b"?"))),
    lambda c, r: (bind(c), c.sendall(b"".join(pdu(ENQUIRE, n) for n in range(1, 2000)))),
    lambda c, r: (bind(c), c.sendall(b"".join(shaped(r) for _ in range(50)))),
    lambda c, r: (bind(c), c.sendall(pdu(BIND, 3, b"who\0are\0you\0\x34\0\0\0"))),
    lambda c, r: (bind(c), c.sendall(pdu(UNBIND, 8)), read_pdu(c)),
    lambda c, r: (bind(c), c.sendall(shaped(r)), [read_pdu(c) for _ in range(2)]),
]


class Liar(threading.Thread):
    def __init__(self, port, rounds, seed):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(harness.PATIENCE)
        self.rng, self.rounds, self.told = random.Random(seed), rounds, 0

    def run(self):
        with self.listener:
            for number in range(self.rounds * len(LIES)):
                connection, _ = self.listener.accept()
                with connection:
                    connection.settimeout(1)
                    try:
                        LIES[number % len(LIES)](connection, self.rng)
                        connection.settimeout(0.05)
                        while connection.recv(65536):
                            pass
                    except (OSError, TypeError):
                        pass
                self.told = number + 1


def main():
    config = harness.CONFIG.replace("    rate: {rate}", "    rate: {rate}\n    reconnect_min: 10ms\n    reconnect_max: 20ms")
    with harness.World(rate=500, start=False, config=config) as world:
        liar = Liar(world.carrier_port, rounds=8, seed=11)
        liar.start()
        world.start_redis()
        world.start_gateway(wait=False)
        harness.wait_for("the gate is open", lambda: harness.can_connect(world.http_port) and
                         world.metric("assent_gate_open") == 1)
        ids = world.submit(*[("login", OTP, "12025550150", f"code {n}") for n in range(20)])
        liar.join(120)
        assert not liar.is_alive() and liar.told == 8 * len(LIES), liar.told
        assert world.gateway.running() and world.http("/healthz") is not None
        say(f"{liar.told} connections of a lying carrier (seed 11), and the gateway lives")
        world.start_carrier()
        world.wait_ready()
        world.submit(("login", OTP, "12025550151", "after the lies"))
        harness.wait_for("a good carrier gets the message",
                         lambda: any(p.text == "after the lies" for p in world.pdus()))
        # What the liar took without an answer is unknown and is not sent again; the rest is sent.
        sent = [p.text for p in world.pdus() if p.name == "submit_sm"]
        assert len(sent) == len(set(sent)), sent
        say(f"a good carrier at the same address gets the message at once, and {len(sent) - 1} of {len(ids)} that waited")


main()
