#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Frames too long, truncated, garbage, in the wrong order, unknown calls, keys that are wrong: a status
and, where framing is lost, a close. Another client's connection works all the way through."""
import random
import struct

import harness
import wire
from harness import say

MARKETING, OTP = 3, 1
INVALID, DENIED, PRECONDITION, UNIMPLEMENTED, UNAUTHENTICATED = 3, 7, 9, 12, 16


def code_of(answer):
    return answer[2].get(1, [0])[0] if answer[1] == wire.FAILURE else 0


def drain(client, limit=50):
    """Answers until the peer closes; True when it closed."""
    for _ in range(limit):
        if client.receive() is None:
            return True
    return False


def wrong_order(world):
    with world.connect() as client:
        answer = client.call(1, wire.STATUS)
        assert answer is None or code_of(answer) in (PRECONDITION, UNAUTHENTICATED), answer
    say("a call before hello: refused")
    with world.connect() as client:
        client.hello()
        answer = client.call(2, wire.HELLO, wire.message((3, "again")))
        assert answer is None or code_of(answer) != 0, answer
    say("hello twice: refused")


def wrong_key(world):
    for name, key in (("shop", "wrong"), ("nobody", harness.API_KEY), ("", ""), ("x" * 5000, "y" * 5000)):
        with world.connect_tcp() as client:
            answer = client.call(1, wire.HELLO, wire.message((1, name), (2, key)))
            assert answer is None or code_of(answer) in (INVALID, UNAUTHENTICATED), answer
    with world.connect_tcp() as client:
        assert client.hello("shop", harness.API_KEY)[1] == wire.HELLO_REPLY
    say("wrong names and keys: refused; the right one: welcome")


def unknown_calls(world):
    with world.connect() as client:
        client.hello()
        payload = wire.message((1, 7), (49, b"future"))
        client.send(struct.pack(">I", len(payload)) + payload)
        answer = client.receive()
        assert answer is None or code_of(answer) in (INVALID, UNIMPLEMENTED), answer
    with world.connect() as client:
        client.hello()
        client.send(wire.frame(8, wire.SUBMIT_REPLY, b""))
        answer = client.receive()
        assert answer is None or code_of(answer) != 0, answer
    say("unknown calls, and answers where a call is due: refused")


def lost_framing(world):
    for octets in (struct.pack(">I", 0xFFFFFFFF), struct.pack(">I", 64 << 20) + b"x" * 1000,
                   b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", struct.pack(">I", 5) + b"\xff" * 5):
        with world.connect() as client:
            client.hello()
            client.send(octets)
            assert drain(client), octets[:8]
    with world.connect() as client:
        client.send(struct.pack(">I", 100) + b"half")
    say("lengths too large, another protocol, octets that are no frame: closed")


def garbage(world, connections=300, seed=4):
    rng = random.Random(seed)
    good = wire.frame(2, wire.SUBMIT, wire.submit_request(("login", OTP, "12025550123", "code", "ref")))
    for number in range(connections):
        with world.connect() as client:
            if number % 2:
                client.hello()
            octets = bytearray(good if number % 3 else rng.randbytes(rng.randrange(1, 400)))
            for _ in range(rng.randrange(1, 8)):
                octets[rng.randrange(len(octets))] = rng.randrange(256)
            try:
                client.send(bytes(octets))
            except BrokenPipeError:
                pass
    say(f"{connections} connections of garbage (seed {seed})")


def bad_messages(world):
    good = ("login", OTP, "12025550111", "your code is 1234")
    bad = [("login", OTP, "0044", "x"), ("login", OTP, "+1 202 555", "x"), ("login", OTP, "", "x"),
           ("login", OTP, "1" * 16, "x"), ("nothing", OTP, "12025550111", "x"),
           ("login", MARKETING, "12025550111", "x"), ("login", OTP, "12025550111", b"\xff\xfe"),
           ("login", OTP, "12025550111", ""), ("login", OTP, "12025550111", "x" * 100000),
           ("login", 77, "12025550111", "x"), ("login", OTP, "12025550111", "a\0b")]
    with world.connect() as client:
        client.hello()
        answer = client.call(2, wire.SUBMIT, wire.submit_request(good, *bad, good))
        assert answer[1] == wire.SUBMIT_REPLY, answer
        codes = [wire.parse(verdict).get(1, [0])[0] for verdict in answer[2][1]]
        assert len(codes) == len(bad) + 2 and codes[0] == codes[-1] == 0, codes
        assert all(codes[1:-1]), codes
        far = wire.message((1, "login"), (2, OTP), (4, "12025550111"), (5, "x"), (8, 1 << 62))
        past = wire.message((1, "login"), (2, OTP), (4, "12025550111"), (5, "x"), (8, 1000))
        answer = client.call(3, wire.SUBMIT, wire.message((1, far), (1, past)))
        codes = [wire.parse(verdict).get(1, [0])[0] for verdict in answer[2][1]]
        assert codes[0] != 0, codes
        answer = client.call(4, wire.SUBMIT, wire.submit_request(*[good] * 1001))
        assert code_of(answer) == INVALID, answer
        answer = client.call(5, wire.SUBMIT, b"")
        assert code_of(answer) == INVALID, answer
    say(f"{len(bad) + 1} bad messages: a verdict each, the good ones among them accepted")


def main():
    with harness.World(rate=500) as world:
        with world.connect() as bystander:
            bystander.hello()
            for number, attack in enumerate((wrong_order, wrong_key, unknown_calls, lost_framing, garbage,
                                             bad_messages)):
                attack(world)
                answer = bystander.call(100 + number, wire.STATUS)
                assert answer[0] == 100 + number and answer[1] == wire.STATUS_REPLY, answer
        assert world.gateway.running()
        say("the bystander's connection answered all the way through")


main()
