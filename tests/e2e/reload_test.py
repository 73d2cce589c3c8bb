#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SIGHUP under traffic: a new rate, new routes and a new carrier hold, a removed one drains, sessions that
did not change stay bound, and nothing is lost or sent twice. A bad file changes nothing and is explained."""
import signal
import threading
import time

import carrier_log
import harness
import wire
from harness import say, wait_for

MARKETING = 3

BETA = """\
  - name: beta
    address: "tcp://127.0.0.1:{port}"
    system_id: acme
    password_file: alpha.secret
    window: 100
    rate: 500
    routes: [""]
"""


def load(world, text):
    """Writes the file, sends SIGHUP, and gives what the gateway logged about it."""
    before = len(world.gateway.output())
    world.config_file.write_text(text)
    world.gateway.signal(signal.SIGHUP)
    wait_for("the file is read", lambda: any(
        word in world.gateway.output()[before:] for word in ("config_loaded", "config_kept")))
    return world.gateway.output()[before:]


def feed(world, numbers, accepted, stop):
    with world.connect() as client:
        client.hello()
        call = 2
        while not stop.is_set():
            batch = [("news", MARKETING, n, f"news {call}") for n in numbers]
            answer = client.call(call, wire.SUBMIT, wire.submit_request(*batch))
            verdicts = [wire.parse(verdict) for verdict in answer[2][1]]
            assert all(1 not in v for v in verdicts), verdicts[:3]
            accepted += [v[2][0] for v in verdicts]
            call += 1
            time.sleep(0.05)


def binds(pdus):
    return sum(pdu.name == "bind_transceiver" for pdu in pdus)


def submits(pdus):
    return sum(pdu.name == "submit_sm" for pdu in pdus)


def start_beta(world, port):
    world.spawn("beta", [harness.BUILD / "smsc-sim", "--listen", f"tcp://127.0.0.1:{port}", "--log",
                         world.folder / "beta-pdus.log"], harness.like_another_machine)
    wait_for("the second carrier listens", lambda: harness.can_connect(port))


def bad_files_change_nothing(world, good):
    rate = world.metric("assent_carrier_rate", "alpha")
    log = load(world, good.replace("rate: 300", "rate: fast"))
    line = next(n for n, text in enumerate(good.splitlines(), 1) if "rate: 300" in text)
    assert "config_kept" in log and f"assent.yaml:{line}: `rate`" in log, log
    log = load(world, good.replace("node: test", "node: other"))
    assert "config_kept" in log and "node cannot change" in log, log
    log = load(world, good.replace("[\"12025550102\"]", "[\"12025550199\"]"))
    assert "config_kept" in log and "senders" in log, log
    assert world.metric("assent_carrier_rate", "alpha") == rate
    assert binds(world.pdus()) == 1
    say("bad files change nothing, and the log says the line or the reason")


def a_new_carrier_shares(world, good, port):
    start_beta(world, port)
    text = good.replace("rate: 300", "rate: 200") + BETA.format(port=port)
    assert "config_loaded" in load(world, text)
    wait_for("beta is bound", lambda: world.metric("assent_carrier_sessions_bound", "beta") == 1)
    wait_for("beta takes its share",
             lambda: submits(carrier_log.read(world.folder / "beta-pdus.log")) > 20)
    assert world.metric("assent_carrier_rate", "alpha") == 200
    assert binds(world.pdus()) == 1, "alpha's session did not change"
    say("a new carrier and a new rate hold; the session that did not change stays")
    return text


def a_removed_carrier_drains(world, text):
    begin, end = text.index("  - name: alpha"), text.index("  - name: beta")
    assert "config_loaded" in load(world, text[:begin] + text[end:])
    wait_for("alpha has drained", lambda: world.metric("assent_carrier_sessions_bound", "alpha") == 0)
    assert any(pdu.name == "unbind" for pdu in world.pdus()), "no unbind at alpha"
    say("a removed carrier takes its receipts and is unbound")


def everything_arrived_once(world, accepted):
    wait_for("every message ended", lambda: world.metric("assent_open_messages") == 0)
    delivered = [e["message"] for e in world.events() if "receipt" in e and e["message"]]
    assert set(accepted) <= set(delivered), len(set(accepted) - set(delivered))
    at_carriers = submits(world.pdus()) + submits(carrier_log.read(world.folder / "beta-pdus.log"))
    assert at_carriers == len(accepted), (at_carriers, len(accepted))
    say(f"all {len(accepted)} messages arrived, each once")


def main():
    with harness.World(rate=300) as world:
        numbers = [f"1202555{n:04d}" for n in range(100, 105)]
        world.record_opt_ins("news", numbers)
        accepted, stop = [], threading.Event()
        feeder = threading.Thread(target=feed, args=(world, numbers, accepted, stop), daemon=True)
        feeder.start()
        wait_for("traffic flows", lambda: submits(world.pdus()) > 50)
        bad_files_change_nothing(world, world.config_text)
        text = a_new_carrier_shares(world, world.config_text, harness.free_port())
        a_removed_carrier_drains(world, text)
        time.sleep(0.5)
        stop.set()
        feeder.join(10)
        everything_arrived_once(world, accepted)
        loaded = [e for e in world.events() if "config_loaded" in e]
        assert len(loaded) == 2, loaded
        say("the ledger holds each configuration that was loaded")


if __name__ == "__main__":
    main()
