#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A carrier that takes 137 a second and has told nobody: after ten seconds at least 95 % of that is used
and under 1 % of what is sent is refused, by the carrier's own log; status and metrics say why it waits."""
import carrier_log
import harness
from harness import say

MARKETING = 3
LIMIT, CONFIGURED, SETTLE, JUDGED = 137, 5000, 10, 15


def carrier_status(world):
    return next(line for line in world.cli("status").stdout.splitlines() if line.startswith("alpha"))


def run():
    count = LIMIT * (SETTLE + JUDGED + 4)
    numbers = [f"1202555{n:04d}" for n in range(100, 200)]
    with harness.World(rate=CONFIGURED, carrier_options=("--rate", str(LIMIT))) as world:
        world.record_opt_ins("news", numbers)
        world.submit(*[("news", MARKETING, numbers[n % 100], f"news {n}") for n in range(count)])

        def waits():
            return world.metric("assent_carrier_paused", 'carrier="alpha",reason="rate_cut"') == 1
        harness.wait_for("the reason is shown", waits, SETTLE)
        status = carrier_status(world)
        assert "rate_cut" in status and f"of {CONFIGURED}" in status, status
        assert world.metric("assent_carrier_rate_now", 'carrier="alpha"') < CONFIGURED
        harness.wait_for("the campaign is over",
                         lambda: world.metric("assent_carrier_waiting",
                                              'carrier="alpha",class="marketing"') == 0,
                         SETTLE + JUDGED + 60, 0.5)
        pdus = world.pdus()
        answers = [p for p in pdus if p.name == "submit_sm_resp"]
        begin = answers[0].time_us + SETTLE * 1000000
        judged = [p for p in answers if begin <= p.time_us < begin + JUDGED * 1000000]
        taken = sum(p.status == 0 for p in judged)
        used, refused = taken / (LIMIT * JUDGED), 1 - taken / len(judged)
        say(f"{used:.1%} of {LIMIT}/s used, {refused:.2%} refused")
        calm = carrier_log.was_calm(pdus)
        assert used >= (0.95 if calm else 0.5), used
        assert refused < (0.01 if calm else 0.2), refused


def run_patiently(tries):
    """On a busy machine the gateway or the carrier may stand still: once is noise."""
    for attempt in range(1, tries + 1):
        try:
            return run()
        except AssertionError as fault:
            say(f"try {attempt} of {tries}: {fault}")
            if attempt == tries:
                raise


run_patiently(3)
