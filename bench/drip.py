#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds many connections to a port of this machine, each of which sends one octet a second of something
that could become a request. What the server closes is opened again, as an attacker would. Ends when its
standard input does, and then prints {"opened": n, "closed_by_server": n, "held": n, "most_held": n}."""
import argparse
import errno
import json
import resource
import select
import socket
import struct
import sys
import time

STEPS = 20  # of a second: each connection has its turn in one of them
OPENED_AT_ONCE = 500

# What is dripped: its beginning is right, so that only patience tells it from an honest peer's.
BEGINNINGS = {
    "smpp": struct.pack(">IIII", 47, 9, 0, 1) + b"drip\0" + b"x" * 26,
    "frames": struct.pack(">I", 1000) + b"\x08\x01" + b"R" * 998,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 501,
}


class Dripper:
    def __init__(self, port, count, octets):
        self.address, self.count, self.octets = ("127.0.0.1", port), count, octets
        self.poll = select.epoll()
        self.open = {}  # by descriptor: [socket, octets sent]
        self.steps = [set() for _ in range(STEPS)]
        self.opened = self.closed = self.most = 0

    def connect(self):
        one = socket.socket()
        one.setblocking(False)
        if one.connect_ex(self.address) not in (0, errno.EINPROGRESS):
            one.close()
            return False
        self.poll.register(one, select.EPOLLIN | select.EPOLLRDHUP)
        self.open[one.fileno()] = [one, 0]
        self.steps[self.opened % STEPS].add(one.fileno())
        self.opened += 1
        return True

    def refill(self):
        for _ in range(min(OPENED_AT_ONCE, self.count - len(self.open))):
            try:
                if not self.connect():
                    return
            except OSError:
                return
        self.most = max(self.most, len(self.open))

    def drop(self, number):
        self.open.pop(number)[0].close()
        for step in self.steps:
            step.discard(number)
        self.closed += 1

    def drip(self, step):
        for number in list(self.steps[step]):
            connection = self.open[number]
            try:
                connection[0].send(self.octets[connection[1] % len(self.octets):][:1])
                connection[1] += 1
            except BlockingIOError:
                pass
            except OSError:
                self.drop(number)

    def run(self):
        step = 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            end = time.monotonic() + 1 / STEPS
            self.refill()
            self.drip(step)
            step = (step + 1) % STEPS
            while (left := end - time.monotonic()) > 0:
                for number, _ in self.poll.poll(left, 1000):
                    if number in self.open:
                        self.drop(number)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--speak", choices=BEGINNINGS, default="smpp")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < options.connections + 50:
        sys.exit(f"drip: this process may open {hard} files, too few for {options.connections} connections")
    dripper = Dripper(options.port, options.connections, BEGINNINGS[options.speak])
    dripper.run()
    print(json.dumps({"opened": dripper.opened, "closed_by_server": dripper.closed, "held": len(dripper.open),
                      "most_held": dripper.most}), flush=True)


if __name__ == "__main__":
    main()
