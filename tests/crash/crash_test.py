#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: crash_test.py KILLS [WORLDS [SEED]]

Kills assentd with SIGKILL at random moments, KILLS times, while submitters push marketing messages and
codes, subscribers answer STOP, and real Redis and smsc-sim run on. WORLDS share the kills, each with its own
Redis, carrier and gateway: most of a round is waiting. Then, by the carrier's log, the ledger and what the
submitters were told:

  - every message that was accepted is in the ledger and has an end there (P5);
  - a client reference never became two messages;
  - no message was sent twice (P6);
  - no message followed the answer to its number's STOP (P2), and no STOP was confirmed twice (P4);
  - the carrier's rate was kept through it all (P7).
"""
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import carrier_log  # noqa: E402
import harness  # noqa: E402
import wire  # noqa: E402
from harness import say  # noqa: E402

OTP, MARKETING = 1, 3
RATE = 2000
CONFIG = harness.CONFIG + "limits: {{snapshot_records: 20000}}\n"  # so that some are killed while they make one
NUMBERS = [f"1{area}555{n:04d}" for area in (202, 303, 404) for n in range(300)]


class Submitter(threading.Thread):
    """Submits batches, and the same batch again after a lost connection, until told to end."""

    def __init__(self, world, name, kind, batch, pause):
        super().__init__(daemon=True)
        self.world, self.label, self.kind, self.batch, self.pause = world, name, kind, batch, pause
        self.rng = random.Random(name)
        self.accepted = {}  # reference: id
        self.count = self.again = 0
        self.ending = threading.Event()
        self.fault = None

    def next_batch(self):
        program = "news" if self.kind == MARKETING else "login"
        out = []
        for _ in range(self.batch):
            self.count += 1
            reference = f"{self.label}{self.count}"
            text = f"<{reference}> Herald for you. STOP ends" if self.kind == MARKETING else f"<{reference}> is your code"
            out.append((program, self.kind, self.rng.choice(NUMBERS), text, reference))
        return out

    def take(self, batch, answer):
        """True when every message of the batch has its verdict."""
        assert answer[1] == wire.SUBMIT_REPLY, answer
        verdicts = [wire.parse(verdict) for verdict in answer[2][1]]
        full = False
        for message, verdict in zip(batch, verdicts):
            code = verdict.get(1, [0])[0]
            if code in (8, 14):  # RESOURCE_EXHAUSTED, UNAVAILABLE: later
                full = True
                continue
            assert code == 0, (message, verdict)
            known = self.accepted.setdefault(message[4], verdict[2][0])
            assert known == verdict[2][0], f"{message[4]} became {known} and {verdict[2][0]}"
            self.again += 5 in verdict
        return not full

    def run(self):
        batch = None
        while not self.ending.is_set() or batch:
            try:
                with self.world.connect() as client:
                    if client.hello()[1] != wire.HELLO_REPLY:
                        continue
                    while not self.ending.is_set() or batch:
                        batch = batch or self.next_batch()
                        if self.take(batch, client.call(2, wire.SUBMIT, wire.submit_request(*batch))):
                            batch = None
                        time.sleep(self.pause)
            except (OSError, TypeError):  # TypeError: closed in the middle of an answer
                time.sleep(0.02)
            except AssertionError as fault:
                self.fault = fault
                return


def kill_again_and_again(world, submitters, kills, rng):
    begin = time.monotonic()
    for number in range(1, kills + 1):
        # In the first second after a start nothing is sent: the rate may have been used up before.
        time.sleep(rng.choice((rng.uniform(0, 0.1), rng.uniform(0, 0.6), rng.uniform(1, 1.5), rng.uniform(1, 1.5))))
        assert world.gateway.running(), "assentd ended by itself"
        world.gateway.kill()
        # One in four dies again while it recovers.
        world.start_gateway(wait=number % 4 != 0)
        faults = [s.fault for s in submitters if s.fault]
        assert not faults, faults
        if number % 25 == 0 or number == kills:
            say(f"kill {number} of {kills}: {sum(len(s.accepted) for s in submitters)} accepted, "
                f"{time.monotonic() - begin:.0f} s")


def ended_ids(events):
    ids = Counter(e["message"] for e in events if "ended" in e)
    ids.update(e["message"] for e in events if "receipt" in e and 6 in e["receipt"])
    return ids


def settle(world):
    world.wait_ready()

    def quiet():
        now = world.metrics()
        # Messages in doubt have ended as unknown; they stay open for a late receipt.
        return now and not any(now[name] for name in (
            "assent_waiting_messages", "assent_awaiting_receipt", 'assent_carrier_window_used{carrier="alpha"}'))
    try:
        harness.wait_for("every message has ended", quiet, 60, 0.2)
    except AssertionError:
        tell_open(world)
        raise


def tell_open(world):
    """What the ledger and the carrier know of messages that have not ended."""
    events = world.events()
    open_ids = sorted({e["sequence"] for e in events if "accepted" in e} - set(ended_ids(events)))
    say(f"{len(open_ids)} messages have no end in the ledger, {world.metric('assent_open_messages'):.0f} are "
        f"open, {world.metric('assent_waiting_messages'):.0f} wait, "
        f"{world.metric('assent_awaiting_receipt'):.0f} await a receipt")
    pdus = world.pdus()
    for message in open_ids[:3]:
        story = [e for e in events if message in (e["sequence"], e["message"])]
        ids = [e["sent"][2][0].decode() for e in story if "sent" in e and 2 in e["sent"]]
        story += [e for e in events if "receipt" in e and e["receipt"].get(5, [b""])[0].decode() in ids]
        for event in sorted(story, key=lambda e: e["sequence"])[:12]:
            say(f"  {event}")
        keys = {(p.session, p.sequence) for p in pdus if p.message_id in ids and p.name == "deliver_sm"}
        for pdu in pdus:
            if pdu.message_id in ids or pdu.name == "deliver_sm_resp" and (pdu.session, pdu.sequence) in keys:
                say(f"  {pdu}")


def judge_ledger(submitters, events):
    accepted = {e["sequence"] for e in events if "accepted" in e}
    told = {i for s in submitters for i in s.accepted.values()}
    missing = told - accepted
    assert not missing, f"{len(missing)} accepted messages are not in the ledger, {sorted(missing)[:5]}"
    open_ones = accepted - set(ended_ids(events))
    assert not open_ones, f"{len(open_ones)} messages have no end, {sorted(open_ones)[:5]}"
    sequences = [e["sequence"] for e in events]
    assert sequences == list(range(1, len(sequences) + 1)), "the ledger has a gap"
    assert len(told) == sum(len(s.accepted) for s in submitters), "two references share a message"
    say(f"ledger: {len(events)} records without a gap; all {len(told)} accepted messages are there, each with an end")


def judge_carrier(world, pdus):
    marks = Counter(p.text.split(">")[0] for p in pdus if p.name == "submit_sm" and p.text.startswith("<"))
    twice = [mark for mark, count in marks.items() if count > 1]
    assert not twice, f"sent twice: {twice[:10]}"
    stops = carrier_log.stops_answered(pdus)
    late = carrier_log.sent_after_stop(pdus, "<")
    assert not late, f"{len(late)} messages after a STOP: {late[:3]}"
    confirmations = Counter((p.destination, p.source) for p in pdus
                            if p.name == "submit_sm" and not p.text.startswith("<"))
    double = [key for key, count in confirmations.items() if count > 1]
    assert not double, f"confirmed twice: {double[:5]}"
    busiest = carrier_log.busiest_second(pdus)
    assert busiest <= RATE, f"{busiest} in one second, {RATE} allowed"
    say(f"carrier: {len(marks)} messages, none twice; {len(stops)} STOPs, none followed by a message, "
        f"{len(confirmations)} confirmations; busiest second {busiest} of {RATE}")


def judge_outcomes(world, events):
    outcomes = Counter(e["ended"].get(1, [0])[0] for e in events if "ended" in e)
    say(f"outcomes of `ended` (proto/event.proto): {dict(sorted(outcomes.items()))}")


def one_world(kills, seed):
    rng = random.Random(seed)
    say(f"{kills} kills, seed {seed}")
    carrier = ["--stop-share", "40%", "--stop-within", "30", "--help-share", "0%", "--receipt-delay", "200ms:200ms",
               "--reply-delay", "100ms:100ms", "--redeliver-after", "500ms", "--fault", "double-receipt:2%",
               "--fault", "early-receipt:2%"]
    with harness.World(rate=RATE, config=CONFIG, carrier_options=carrier) as world:
        world.record_opt_ins("news", NUMBERS)
        submitters = [Submitter(world, "m", MARKETING, 40, 0.06), Submitter(world, "n", MARKETING, 7, 0.02),
                      Submitter(world, "c", OTP, 1, 0.02)]
        for submitter in submitters:
            submitter.start()
        kill_again_and_again(world, submitters, kills, rng)
        for submitter in submitters:
            submitter.ending.set()
        for submitter in submitters:
            submitter.join(30)
            assert not submitter.is_alive() and not submitter.fault, submitter.fault
        settle(world)
        events = world.events()
        judge_ledger(submitters, events)
        judge_carrier(world, world.pdus())
        judge_outcomes(world, events)
        say(f"{sum(s.again for s in submitters)} references were answered a second time with the first id")


def many_worlds(kills, worlds, seed):
    """Each in a process of its own, as this one."""
    shares = [kills // worlds + (n < kills % worlds) for n in range(worlds)]
    children = [subprocess.Popen([sys.executable, __file__, str(share), "1", str(seed + n)],
                                 preexec_fn=harness.die_with_parent) for n, share in enumerate(shares)]
    codes = [child.wait() for child in children]
    assert not any(codes), f"of {worlds} worlds, these did not hold: {[n for n, code in enumerate(codes) if code]}"
    say(f"{kills} kills in {worlds} worlds: every promise was kept")


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    worlds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int.from_bytes(os.urandom(4), "big")
    if worlds > 1:
        many_worlds(kills, worlds, seed)
    else:
        one_world(kills, seed)


main()
