#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""P2, P3 and P4 with real processes: two gateways on one Redis under full load, and a STOP from every number at
a random moment, while messages to it are queued, scheduled and in dispatch at both. What left after a STOP is
judged by stop-judge, from the carrier's log."""
import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from harness import BUILD, World, can_connect, free_port, like_another_machine, say, wait_for  # noqa: E402

MARK = "half price"
TEXT = f"Acme: seeds at {MARK} today. Reply STOP to end."
FIRST = 15550000000  # made up
WAVE = 5_000     # numbers that get texts at a time
TEXTS = 6        # to each number from each gateway, at once,
LATER = 2        # and so many for a little later
STOP_WITHIN = 8  # a number says STOP to one of its first so many texts

CONFIG = """\
node: one
data_dir: {data}
redis: {{url: "unix://{folder}/redis.sock"}}
listeners: [{{address: "unix://{folder}/assent.sock"}}]
http: {{address: "tcp://127.0.0.1:{http}"}}
clients:
  - {{name: shop, key_sha256: "{key}", programs: [offers]}}
programs:
  - name: offers
    brand: Acme
    classes: [marketing]
    senders: ["12025550100"]
    opt_in: single
    quiet_hours: off
reputation: {{filtered: {{alarm: off, pause: off}}, unknown: {{alarm: off, pause: off}}, opt_outs: {{alarm: off, pause: off}}, complaints: {{alarm: off, pause: off}}}}
carriers:
  - name: alpha
    address: "tcp://127.0.0.1:{carrier}"
    system_id: acme
    password_file: alpha.secret
    bind: transceiver
    sessions: {sessions}
    window: {window}
    rate: {rate}
    routes: [""]
"""


class Gateways(World):
    """Two of them: the second beside harness.World's own."""

    def __init__(self, stops):
        # A hundred thousand a second is more than two processors give: they are the limit.
        super().__init__(rate=100_000, window=1000, sessions=1, config=CONFIG, start=False)
        self.stops = stops
        (self.folder / "two").mkdir()
        self.ports = (self.http_port, free_port())
        text = self.config_text.replace("node: one", "node: two")
        text = text.replace(f"data_dir: {self.data}", f"data_dir: {self.folder}/two")
        text = text.replace("system_id: acme", "system_id: acme2")  # a reply goes to whose text it answers
        text = text.replace("assent.sock", "two.sock").replace(str(self.http_port), str(self.ports[1]))
        (self.folder / "two.yaml").write_text(text)
        self.sockets = (self.folder / "assent.sock", self.folder / "two.sock")

    def start(self):
        self.start_redis()
        # No receipts: they would only take processor time. Every number says STOP, once.
        self.carrier = self.spawn("carrier", [
            BUILD / "smsc-sim", "--listen", f"tcp://127.0.0.1:{self.carrier_port}", "--log", self.folder / "pdus.log",
            "--report", self.folder / "carrier.json", "--receipt-share", "0%", "--stop-share", "100%",
            "--stop-within", STOP_WITHIN, "--help-share", "0%", "--answer-delay", "10ms:10ms",
            "--reply-delay", "150ms:150ms", "--campaign-text", MARK], like_another_machine)
        wait_for("the carrier listens", lambda: can_connect(self.carrier_port))
        self.start_gateway()
        self.spawn("other", [BUILD / "assentd", "-c", self.folder / "two.yaml"])
        for port in self.ports:
            wait_for("a session of each",
                     lambda: self.metrics_of(port).get('assent_carrier_sessions_bound{carrier="alpha"}'))

    def metrics_of(self, port):
        mine, self.http_port = self.http_port, port
        try:
            return self.metrics()
        finally:
            self.http_port = mine

    def bench(self, socket, *options):
        done = subprocess.run([BUILD / "assent-bench", "--connect", f"unix://{socket}", "--client", "shop", "--key",
                               "a key for tests", *map(str, options)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def record_all_opt_ins(self):
        """Again while Redis is away for a moment, as on a busy machine it is."""
        def recorded():
            result = self.bench(self.sockets[0], "--task", "opt-in", "--messages", self.stops, "--first-number", FIRST,
                                "--calls", 256, "--connections", 4)
            assert set(result["codes"]) <= {"0", "14"}, result
            return result["refused"] == 0
        wait_for("every opt-in", recorded, 240, 1)

    def submit_wave(self, socket, first, count):
        common = ("--first-number", first, "--numbers", count, "--text", TEXT)
        self.bench(socket, "--messages", LATER * count, "--send-in", "1500ms", *common)
        result = self.bench(socket, "--messages", TEXTS * count, "--calls", 8, *common)
        assert result["refused"] == 0, result

    def submit_all(self):
        """Wave by wave, both gateways side by side."""
        failures = []
        together = threading.Barrier(len(self.sockets))

        def submit(socket):
            try:
                for at in range(0, self.stops, WAVE):
                    together.wait()
                    self.submit_wave(socket, FIRST + at, min(WAVE, self.stops - at))
            except BaseException as failure:
                failures.append(failure)
                together.abort()
        threads = [threading.Thread(target=submit, args=(socket,)) for socket in self.sockets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures

    def under_way(self, port):
        metrics = self.metrics_of(port)
        return metrics["assent_open_messages"] - metrics["assent_awaiting_receipt"]

    def wait_for_the_end(self):
        wait_for("the answer to every STOP", lambda: self.carrier_so_far()["stops"]["answered"] >= self.stops, 240, 0.2)
        for port in self.ports:
            wait_for("every message is sent or stopped", lambda: self.under_way(port) == 0, 240, 0.2)

    def judge(self):
        self.carrier.stop()
        done = subprocess.run([BUILD / "stop-judge", MARK, self.folder / "pdus.log", self.data,
                               self.folder / "two"], capture_output=True, text=True, timeout=120)
        print(done.stdout + done.stderr, end="", flush=True)
        assert done.returncode in (0, 1), "the judge could not judge"
        return json.loads(done.stdout)


def check(verdict, stops):
    assert verdict["stops"] == stops, f"{verdict['stops']} of {stops} STOPs were answered"
    assert verdict["own_gateway"] == 0, "P2: texts after a STOP, from the gateway that had answered it"
    assert verdict["other_gateway"] == 0, "P2: texts after a STOP, checked when Redis had it"
    assert verdict["unaccounted"] == 0, "a submit_sm that no ledger knows"
    assert verdict["confirmed_twice"] == 0 and verdict["unconfirmed"] == 0, f"P4: {verdict}"
    for met in ("cancelled_waiting", "cancelled_scheduled", "with_some_in_flight", "refused_elsewhere"):
        assert verdict[met] > 0, f"{met}: the STOPs did not meet what they should have met"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=5_000, help="so many numbers, each with a STOP (5000)")
    stops = parser.parse_args().stops
    with Gateways(stops) as world:
        world.start()
        world.record_all_opt_ins()
        begin = time.monotonic()
        world.submit_all()
        world.wait_for_the_end()
        say(f"{stops} STOPs under load in {time.monotonic() - begin:.1f} s")
        begin = time.monotonic()
        verdict = world.judge()
        say(f"judged in {time.monotonic() - begin:.1f} s")
        check(verdict, stops)


main()
