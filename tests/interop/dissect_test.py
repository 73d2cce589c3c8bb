#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire between assentd and smsc-sim, as Wireshark's dissectors see it: every PDU
well formed, both ways, and the texts, headers and receipts as they were meant."""
import collections
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import harness  # noqa: E402
from harness import say  # noqa: E402
from recorder import Recorder  # noqa: E402

OTP, MARKETING = 1, 3
TEXTS = ["plain", "with { } [ ] ~ \\ | ^ € of the extension table", "ünïcödé für Ärger ñ", "مرحبا، رمزك ١٢٣٤",
         "emoji 🌱 in UCS-2", "long " * 60, "длинный " * 40, "x" * 160, "x" * 161, "x" * 1000]


def traffic(capture):
    with harness.World(start=False, rate=500) as world:
        world.start_redis()
        world.start_carrier("--stop-share", "20%", "--stop-within", "1", "--receipt-delay", "20ms", "--reply-delay", "20ms",
                            "--fault", "status:0x58:5%")
        recorder = Recorder(("127.0.0.1", world.carrier_port), capture)
        world.config_file.write_text(world.config_text.replace(str(world.carrier_port), str(recorder.port)))
        world.start_gateway()
        numbers = [f"1202555{n:04d}" for n in range(100, 150)]
        world.record_opt_ins("news", numbers)
        world.submit(*[("news", MARKETING, n, "News. Reply STOP to end") for n in numbers],
                     *[("login", OTP, n, text) for n in numbers[:5] for text in TEXTS])
        harness.wait_for("every message has ended", lambda: world.metric("assent_open_messages") == 0, 60)
        world.gateway.stop()
        world.carrier.stop()
        recorder.close()


def tshark(capture, *arguments):
    result = subprocess.run(["tshark", "-r", str(capture), "-d", "tcp.port==2775,smpp", *arguments],
                            capture_output=True, text=True, timeout=harness.PATIENCE * 2)
    assert result.returncode == 0, result.stderr
    return result.stdout


def judge(capture):
    faults = tshark(capture, "-Y", "_ws.malformed || _ws.expert.severity == error || tcp.analysis.lost_segment")
    assert not faults, faults[:2000]
    commands = collections.Counter()
    for line in tshark(capture, "-Y", "smpp", "-T", "fields", "-e", "smpp.command_id").splitlines():
        commands.update(line.split(","))
    names = {"0x00000009": "bind_transceiver", "0x80000009": "bind_transceiver_resp", "0x00000004": "submit_sm",
             "0x80000004": "submit_sm_resp", "0x00000005": "deliver_sm", "0x80000005": "deliver_sm_resp",
             "0x00000006": "unbind", "0x80000006": "unbind_resp"}
    for command, name in names.items():
        assert commands[command] > 0, f"no {name} was seen: {commands}"
    say(f"tshark dissects {sum(commands.values())} PDUs, none malformed: " +
        ", ".join(f"{count} {names.get(c, c)}" for c, count in commands.most_common()))
    codings = set(",".join(tshark(capture, "-Y", "smpp.command_id == 4", "-T", "fields", "-e",
                                  "smpp.data_coding").split()).split(","))
    assert len(codings) == 2, codings
    udh = tshark(capture, "-Y", "smpp.esm.submit.features", "-T", "fields", "-e", "smpp.esm.submit.features")
    assert any(value in ("1", "0x01", "0x40") for value in ",".join(udh.split()).split(",")), udh[:200]


def main():
    if not shutil.which("tshark"):
        harness.skip("tshark is not installed")
    import tempfile
    with tempfile.TemporaryDirectory(prefix="assent-interop-") as folder:
        capture = Path(folder) / "run.pcap"
        traffic(capture)
        judge(capture)


main()
