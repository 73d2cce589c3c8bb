#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire between assentd and smsc-sim, as Wireshark's dissectors see it: every kind of
PDU that a day brings, and the codings and headers of every kind of text. That no PDU is malformed, the
harness asks at the end of every test."""
import collections
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import dissector  # noqa: E402
import harness  # noqa: E402
from harness import say  # noqa: E402

OTP, MARKETING = 1, 3
TEXTS = ["plain", "with { } [ ] ~ \\ | ^ € of the extension table", "ünïcödé für Ärger ñ", "مرحبا، رمزك ١٢٣٤",
         "emoji 🌱 in UCS-2", "long " * 60, "длинный " * 40, "x" * 160, "x" * 161, "x" * 1000]
NAMES = {"0x00000009": "bind_transceiver", "0x80000009": "bind_transceiver_resp", "0x00000004": "submit_sm",
         "0x80000004": "submit_sm_resp", "0x00000005": "deliver_sm", "0x80000005": "deliver_sm_resp",
         "0x00000015": "enquire_link", "0x80000015": "enquire_link_resp", "0x00000006": "unbind",
         "0x80000006": "unbind_resp"}


def traffic(world):
    world.start_redis()
    world.start_carrier("--stop-share", "20%", "--stop-within", "1", "--receipt-delay", "20ms", "--reply-delay", "20ms",
                        "--enquire-link", "100ms")
    world.start_gateway()
    numbers = [f"1202555{n:04d}" for n in range(100, 150)]
    world.record_opt_ins("news", numbers)
    world.submit(*[("news", MARKETING, n, "News. Reply STOP to end") for n in numbers],
                 *[("login", OTP, n, text) for n in numbers[:5] for text in TEXTS])
    harness.wait_for("every message has ended", lambda: world.metric("assent_open_messages") == 0, 60)
    harness.wait_for("the carrier asks whether we live", lambda: any(p.name == "enquire_link" for p in world.pdus()))
    world.gateway.stop()
    world.carrier.stop()


def judge(capture):
    commands = collections.Counter(c for ids, in dissector.fields(capture, "smpp", "smpp.command_id") for c in ids)
    for command, name in NAMES.items():
        assert commands[command] > 0, f"no {name} was seen: {commands}"
    assert set(commands) <= set(NAMES), commands
    say(f"tshark dissects {sum(commands.values())} PDUs: " +
        ", ".join(f"{count} {NAMES[c]}" for c, count in commands.most_common()))
    submits = dissector.fields(capture, "smpp.command_id == 4", "smpp.data_coding", "smpp.esm.submit.features")
    codings = {coding for packet in submits for coding in packet[0]}
    features = {feature for packet in submits for feature in packet[1]}
    assert len(codings) == 2, codings
    assert features & {"1", "0x01", "0x40"}, features  # UDHI


def main():
    if not shutil.which("tshark"):
        harness.missing("tshark")
    with harness.World(start=False, rate=500) as world:
        traffic(world)
        judge(world.captures[0])


main()
