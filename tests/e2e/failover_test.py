#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two carriers with the same routes, alpha before beta, and alpha's process dies under traffic: codes go to
beta at once, marketing when `failover_after` has passed, both go back when alpha is there again, and
nothing arrives twice. `assent status` and the metrics say what happened."""
import json
import time

import carrier_log
import harness
from harness import say, wait_for

MARKETING, OTP = 3, 1
FAILOVER_AFTER_S = 3

TWO = harness.CONFIG.replace('    routes: [""]\n', """\
    reconnect_min: 100ms
    reconnect_max: 200ms
    failover_after: %ds
    routes: [""]
  - name: beta
    address: "tcp://127.0.0.1:{beta}"
    system_id: acme
    password_file: alpha.secret
    rate: 500
    routes: [{{prefix: "", priority: 1}}]
""" % FAILOVER_AFTER_S)


def texts(path):
    return [pdu.text for pdu in carrier_log.read(path) if pdu.name == "submit_sm"]


class Cast:
    def __init__(self, world):
        self.world, self.count = world, 0
        self.beta_log = world.folder / "beta-pdus.log"

    def at_alpha(self, text):
        return text in texts(self.world.folder / "pdus.log")

    def at_beta(self, text):
        return text in texts(self.beta_log)

    def send(self, program, message_class):
        self.count += 1
        text = f"Herald: text {self.count} end. Reply STOP to end"
        self.world.submit((program, message_class, "12025550123", text))
        return text


def alpha_dies(cast):
    cast.world.carrier.kill()
    bulk, begin = cast.send("news", MARKETING), time.monotonic()
    code = cast.send("login", OTP)
    wait_for("a code is at beta", lambda: cast.at_beta(code), pause=0.01)
    took = time.monotonic() - begin
    wait_for("marketing is at beta", lambda: cast.at_beta(bulk), pause=0.01)
    waited = time.monotonic() - begin
    at_beta = texts(cast.beta_log)
    assert at_beta.index(code) < at_beta.index(bulk), "marketing waits for failover_after, a code does not"
    assert waited > FAILOVER_AFTER_S - 0.5, waited
    say(f"alpha dies: a code is at beta after {took * 1000:.0f} ms, marketing after {waited:.1f} s")
    later = cast.send("news", MARKETING)
    wait_for("new marketing goes to beta at once", lambda: cast.at_beta(later), 1, 0.01)


def it_is_told(world):
    assert world.metric("assent_carrier_passed_over", "alpha") == 1
    assert world.metric("assent_carrier_failover_total", 'reason="down"') >= 3
    status = json.loads(world.cli("status", "--json").stdout)
    alpha = next(c for c in status["carriers"] if c["name"] == "alpha")
    assert alpha["passed_over"], alpha
    shown = world.cli("status", "--once").stdout
    assert "passed over" in shown and "took another carrier (down)" in shown, shown
    say("status and metrics tell it")


def alpha_returns(cast):
    world = cast.world
    (world.folder / "pdus.log").rename(world.folder / "pdus-1.log")
    world.start_carrier()
    wait_for("alpha is bound", lambda: world.metric("assent_carrier_sessions_bound", "alpha") == 1)
    wait_for("alpha is fit", lambda: world.metric("assent_carrier_passed_over", "alpha") == 0)
    bulk = cast.send("news", MARKETING)
    wait_for("marketing is at alpha", lambda: cast.at_alpha(bulk))
    assert not cast.at_beta(bulk)
    say("alpha is there again and gets what is its own")


def main():
    beta = harness.free_port()
    with harness.World(config=TWO.replace("{beta}", str(beta)), start=False) as world:
        cast = Cast(world)
        world.start_redis()
        world.start_carrier()
        world.spawn("beta", [harness.BUILD / "smsc-sim", "--listen", f"tcp://127.0.0.1:{beta}", "--log",
                             cast.beta_log], harness.like_another_machine)
        wait_for("beta listens", lambda: harness.can_connect(beta))
        world.start_gateway()
        wait_for("both are bound", lambda: world.metric("assent_carrier_sessions_bound") == 2)
        world.record_opt_ins("news", ["12025550123"])
        first = cast.send("news", MARKETING)
        wait_for("marketing is at alpha", lambda: cast.at_alpha(first))
        alpha_dies(cast)
        it_is_told(world)
        alpha_returns(cast)
        everywhere = texts(cast.beta_log) + texts(world.folder / "pdus.log") + texts(
            world.folder / "pdus-1.log")
        assert len(everywhere) == len(set(everywhere)) == cast.count, everywhere
        say(f"{cast.count} messages, each once")


main()
