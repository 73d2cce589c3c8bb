# SPDX-License-Identifier: Apache-2.0
"""A TCP relay that writes what passes as a capture file, so that no capture rights are needed.

The file is pcap with raw IPv4 packets. Addresses are made up; the server's port is 2775, SMPP's own,
so that dissectors know what it is. Sequence numbers are right: streams can be put together again.
"""
import socket
import struct
import threading
import time

SERVER_PORT = 2775
SEGMENT = 1400  # octets of payload in a packet


class Capture:
    def __init__(self, path):
        self.lock = threading.Lock()
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))

    def packet(self, source, target, sequence, acknowledged, flags, payload=b""):
        """`source` and `target` are (last octet of the address, port)."""
        tcp = struct.pack(">HHIIBBHHH", source[1], target[1], sequence, acknowledged, 5 << 4, flags,
                          65535, 0, 0)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0,
                         bytes([10, 0, 0, source[0]]), bytes([10, 0, 0, target[0]]))
        octets = ip + tcp + payload
        now = time.time()
        with self.lock:
            self.file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(octets), len(octets)))
            self.file.write(octets)

    def close(self):
        with self.lock:
            self.file.close()


class Stream:
    """The two directions of one connection; each direction is pumped by a thread of its own."""

    SYN, ACK, PUSH, FIN = 2, 16, 8, 1

    def __init__(self, capture, client, server, number):
        self.capture = capture
        self.ends = [(1, 40000 + number), (2, SERVER_PORT)]
        self.sequence = [1, 1]
        self.lock = threading.Lock()
        capture.packet(self.ends[0], self.ends[1], 0, 0, self.SYN)
        capture.packet(self.ends[1], self.ends[0], 0, 1, self.SYN | self.ACK)
        sockets = [client, server]
        for side in (0, 1):
            threading.Thread(target=self.pump, args=(side, sockets[side], sockets[1 - side]),
                             daemon=True).start()

    def pump(self, side, source, target):
        try:
            while octets := source.recv(65536):
                self.record(side, octets)
                target.sendall(octets)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            target.close()

    def record(self, side, octets):
        with self.lock:
            for at in range(0, len(octets), SEGMENT):
                part = octets[at:at + SEGMENT]
                self.capture.packet(self.ends[side], self.ends[1 - side], self.sequence[side],
                                    self.sequence[1 - side], self.ACK | self.PUSH, part)
                self.sequence[side] += len(part)


class Recorder:
    """Listens on a port of its own (`port`) and relays to `target`."""

    def __init__(self, target, path):
        self.target = target
        self.capture = Capture(path)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.count = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target, timeout=10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            self.count += 1
            Stream(self.capture, client, server, self.count)

    def close(self):
        self.listener.close()
        self.capture.close()
