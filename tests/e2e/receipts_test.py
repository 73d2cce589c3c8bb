#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receipts: open ones over a restart and over kill -9, a flood of them beside submits, thousands in random
order, a setting that is wrong and named, and what a full disk does to replies and receipts."""
import itertools
import signal
import time
from collections import Counter

import harness
import small_disk
from harness import say

TRANSACTIONAL, MARKETING = 2, 3
DELIVERED, NO_RECEIPT = 1, 9
LONG = " 0123456789" * 20  # two parts


def outcomes(world):
    """{id: how it ended}, by the ledger."""
    ended = {}
    for event in world.events():
        if "accepted" in event:
            ended[event["message"] or event["sequence"]] = 0
        outcome = event.get("ended", {}).get(1) or event.get("receipt", {}).get(6)
        if outcome and outcome[0] and event["message"] in ended:
            ended[event["message"]] = outcome[0]
    return ended


def login(count, mark):
    """To made up numbers, each part once; every other message has two."""
    return [("login", TRANSACTIONAL, f"999{n:08d}", f"{mark}{n}" + (LONG + mark) * (n % 2)) for n in range(count)]


def all_end(world):
    harness.wait_for("every message has its end", lambda: world.metric("assent_open_messages") == 0)


# --- open receipts over a restart

def interrupt(world, mark, end):
    """Ends the gateway when all was sent and a part of the receipts is there, and starts it again."""
    before = len(outcomes(world))
    world.submit(*login(200, mark))
    harness.wait_for("all is sent", lambda: sum(p.name == "submit_sm_resp" and not p.status for p in world.pdus()) ==
                     300 * (1 + before // 200))
    harness.wait_for("receipts come", lambda: world.metric("assent_open_messages") < 180)
    open_messages = int(world.metric("assent_open_messages"))
    end()
    assert open_messages > 0, "too late: all receipts were there"
    time.sleep(0.5)  # receipts fall due while nobody is there
    world.start_gateway()
    all_end(world)
    ended = outcomes(world)
    assert len(ended) == before + 200 and set(ended.values()) == {DELIVERED}, Counter(ended.values())
    texts = Counter((p.destination, p.text) for p in world.pdus() if p.name == "submit_sm")
    assert set(texts.values()) == {1}, "a part was sent twice"
    return open_messages


def test_open_receipts_over_restart_and_kill():
    with harness.World(carrier_options=["--receipt-delay", "1500ms:1s", "--redeliver-after", "500ms"]) as world:
        def orderly():
            assert world.gateway.stop() == 0, world.gateway.child.returncode
        count = interrupt(world, "a", orderly)
        say(f"SIGTERM with {count} messages open: all end delivered, none is sent twice")
        count = interrupt(world, "b", world.gateway.kill)
        say(f"kill -9 with {count} messages open: all end delivered, none is sent twice")


# --- a flood of receipts beside submits

FLOOD, SUBMITS, RATE, WINDOW = 12000, 1500, 500, 200


def longest_run(kinds, kind):
    """Of `kind`, one after another without anything else between."""
    return max(len(list(run)) for what, run in itertools.groupby(kinds) if what == kind)


def test_receipt_flood_beside_submits():
    options = ["--fault", f"receipt-flood:{FLOOD}", "--deliver-window", str(WINDOW)]
    with harness.World(rate=RATE, carrier_options=options) as world:
        world.submit(*[m[:3] + (f"flood {n}",) for n, m in enumerate(login(SUBMITS, ""))])
        all_end(world)
        pdus = world.pdus()
        order = ["submit" if p.name == "submit_sm" else "receipt" for p in pdus
                 if p.name == "submit_sm" or p.name == "deliver_sm_resp" and p.status == 0]
        # While both have a backlog: from the first receipt on, until one of them is through.
        ends = [len(order) - order[::-1].index(kind) for kind in ("submit", "receipt")]
        beside = order[order.index("receipt"):min(ends)]
        submits, receipts = beside.count("submit"), beside.count("receipt")
        say(f"{submits} submits beside {receipts} receipts at a rate of {RATE}; at most "
            f"{longest_run(beside, 'submit')} submits and {longest_run(beside, 'receipt')} receipts in a row")
        assert submits > 200 and receipts > 1000, "the backlogs hardly met"
        # One that starves waits for the other's whole backlog.
        assert longest_run(beside, "receipt") < FLOOD / 4, "receipts starve submits"
        assert longest_run(beside, "submit") < SUBMITS / 4, "submits starve receipts"
        assert Counter(outcomes(world).values()) == {DELIVERED: SUBMITS}
        assert len(set(p.text for p in pdus if p.name == "submit_sm")) == SUBMITS


# --- all open at once, then given in random order

OPEN = 5000


def test_receipts_in_random_order():
    """How fast, beside receipts in order, bench/run measures."""
    options = ["--hold-receipts", str(OPEN), "--held-order", "random", "--receipt-delay", "100ms"]
    with harness.World(rate=100_000, window=1000, carrier_options=options) as world:
        world.submit(*[("login", TRANSACTIONAL, f"999{n:08d}", f"text {n}") for n in range(OPEN)])
        harness.wait_for("every receipt is answered", lambda: OPEN == sum(
            p.name == "deliver_sm_resp" and p.status == 0 for p in world.pdus()), 120, 0.5)
        all_end(world)
        numbers = [p.source for p in world.pdus() if p.name == "deliver_sm"]
        assert len(numbers) == OPEN and numbers != sorted(numbers)
        assert Counter(outcomes(world).values()) == {DELIVERED: OPEN}
        assert world.metrics()["assent_receipts_unmatched_total"] == 0
        say(f"{OPEN} open receipts, given in random order: every one finds its message")


# --- ids that are written in another way

HINT = "receipt_id: hex"
NAMED = f'assent_carrier_receipts_would_match{{carrier="alpha",settings="{HINT}"}}'
NOT_NAMED = 'assent_carrier_receipts_would_match{carrier="alpha",settings=""}'


def test_hint_names_the_setting_for_receipts():
    """The carrier writes decimal ids in answers and hexadecimal ones in receipts; the gateway is told only
    half of that, and the operator corrects it by what the gateway says."""
    config = harness.CONFIG + "    submit_id: dec\n    receipt_id: dec\n    receipt_timeout: 5s\n"
    with harness.World(config=config, carrier_options=["--fault", "receipt-ids-hex"]) as world:
        assert world.metrics()[NOT_NAMED] == 0
        world.submit(*login(20, "wrong"))
        harness.wait_for("the metric names the setting", lambda: world.metrics().get(NAMED) == 1)
        shown = world.cli("status").stdout
        assert f"receipts of alpha match no message; they would match with {HINT}" in shown, shown
        log = harness.wait_for("the log names it", lambda: [line for line in world.gateway.output().splitlines()
                                                            if "receipts_unmatched" in line])
        assert len(log) == 1 and f'carrier=alpha would_match_with="{HINT}"' in log[0], log
        receipts = [p for p in world.pdus() if p.name == "deliver_sm"]
        ids = {p.message_id for p in world.pdus() if p.name == "submit_sm_resp"}
        shown += world.gateway.output() + (world.http("/metrics") or "")
        told = [i for i in ids if len(i) > 3 and i in shown] + [p.source for p in receipts if p.source in shown]
        assert receipts and ids and not told, told
        say(f"receipts match no message: metric, status and log name {HINT}, and no id or number")
        world.config_file.write_text(world.config_text.replace("receipt_id: dec", HINT))
        world.gateway.signal(signal.SIGHUP)
        harness.wait_for("the hint is gone", lambda: world.metrics().get(NOT_NAMED) == 0)
        world.submit(*login(20, "right"))
        all_end(world)
        count = Counter(outcomes(world).values())
        assert count[DELIVERED] >= 20 and sum(count.values()) == 40, count
        say(f"with that setting receipts match: {dict(count)}")


# --- error codes that say something about the recipient

FAILS, SUPPRESSED, LEFT, NOBODY = 2, 5, "12025550151", "12025550152"  # smsc-sim writes err:069 for UNDELIV


def of_number(world, kind, number):
    return [e for e in world.events() if kind in e and e.get("personal", {}).get(1) == [int(number)]]


def test_receipt_codes_about_the_recipient(code, number, kind):
    """The first message fails with the code, the second is not sent, and nobody gets a text about it."""
    config = harness.CONFIG.replace("node: test", "node: test\nunknown_subscriber: {{times: 1, over: 0s}}")
    config += f'    receipt_errors: {{{{"069": {code}}}}}\n'
    with harness.World(config=config, carrier_options=["--undelivered-share", "100%"]) as world:
        first, = world.submit(("login", TRANSACTIONAL, number, "first"))
        harness.wait_for("what the receipt said is recorded", lambda: of_number(world, kind, number))
        all_end(world)
        second, = world.submit(("login", TRANSACTIONAL, number, "second"))
        all_end(world)
        ended = outcomes(world)
        assert (ended[first], ended[second]) == (FAILS, SUPPRESSED), ended
        assert [p.text for p in world.pdus() if p.name == "submit_sm"] == ["first"]
        told = of_number(world, kind, number)
        assert len(told) == 1, told
        say(f"a receipt with error 069, {code}: {kind} is in the ledger, and the next message is suppressed")


# --- a full disk

ASKS, REFUSE_STATUS = "12025550143", 0x14


REPLY, RECEIPT = (lambda pdu: not pdu.text.startswith("id:")), (lambda pdu: pdu.text.startswith("id:"))


def answers_to(world, kind):
    """[status of each answer to a deliver_sm of that kind], in order."""
    asked, statuses = set(), []
    for pdu in world.pdus():
        if pdu.name == "deliver_sm" and kind(pdu):
            asked.add((pdu.session, pdu.sequence))
        elif pdu.name == "deliver_sm_resp" and (pdu.session, pdu.sequence) in asked:
            statuses.append(pdu.status)
    return statuses


def test_refuse_status_on_a_full_disk(disk):
    people = disk.parent / "subscribers"
    people.write_text(f"+{ASKS} help=1\n")
    options = ["--subscribers", people, "--reply-delay", "4s", "--receipt-delay", "4s", "--redeliver-after", "1s"]
    config = harness.CONFIG + f"    refuse_status: {REFUSE_STATUS:#x}\n"
    with harness.World(rate=5000, data=disk, config=config, carrier_options=options) as world:
        world.record_opt_ins("news", [ASKS])
        world.submit(("news", MARKETING, ASKS, "First news. Reply STOP to end"), *login(50, "disk"))
        harness.wait_for("all is sent", lambda: sum(p.name == "submit_sm_resp" for p in world.pdus()) == 76)
        world.gateway.stop()
        small_disk.give_back_reserve(disk)  # which takes replies for a long time
        small_disk.fill(disk)
        world.start_gateway(wait=False)
        for kind in (REPLY, RECEIPT):
            harness.wait_for("both are refused", lambda: REFUSE_STATUS in answers_to(world, kind))
        assert 0 not in answers_to(world, REPLY) + answers_to(world, RECEIPT), "answered, and not stored"
        assert world.gateway.running(), "a full disk ended the gateway"
        small_disk.free(disk)
        for kind in (REPLY, RECEIPT):
            harness.wait_for("both come again and are taken", lambda: answers_to(world, kind)[-1] == 0)
        all_end(world)
        statuses = set(answers_to(world, REPLY) + answers_to(world, RECEIPT))
        assert statuses == {0, REFUSE_STATUS}, statuses
        assert any("inbound" in e and e.get("personal", {}).get(1) == [int(ASKS)] for e in world.events())
        assert set(outcomes(world).values()) == {DELIVERED}, Counter(outcomes(world).values())
        say(f"full disk: replies and receipts are refused with {REFUSE_STATUS:#x}, and taken when there is space")


def main():
    test_open_receipts_over_restart_and_kill()
    test_receipt_flood_beside_submits()
    test_receipts_in_random_order()
    test_hint_names_the_setting_for_receipts()
    test_receipt_codes_about_the_recipient("opted_out", LEFT, "opted_out")
    test_receipt_codes_about_the_recipient("unknown_subscriber", NOBODY, "number_vacant")
    with small_disk.mounted() as disk:
        if disk is not None:
            test_refuse_status_on_a_full_disk(disk)


main()
