#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job: consent asked for and given by reply or by token, a campaign, STOP and HELP in four
languages, one confirmation each, waiting messages cancelled, and the story told by `assent trace`."""
import time

import carrier_log
import harness
import wire
from harness import say

OTP, MARKETING = 1, 3
YES, SILENT, NO, LEAVER, HELPER, LINK = (f"1202555010{n}" for n in range(6))
FRENCH, SPANISH, ARABIC = "33639981001", "13055550101", "966555550101"
SUBSCRIBERS = f"""\
# who answers what to the question, and which marketing text makes them stop or ask for help
+{YES} answer=YES
+{SILENT} answer=NOTHING
+{NO} answer=NO
+{LEAVER} answer=YES stop=1
+{HELPER} answer=YES help=1
+{LINK} answer=NOTHING
+{FRENCH} answer=YES stop=1
+{SPANISH} answer=YES stop=1
+{ARABIC} answer=YES stop=1
"""
LANGUAGES = {FRENCH: "fr", SPANISH: "es", ARABIC: "ar"}
EVERYBODY = [YES, SILENT, NO, LEAVER, HELPER, LINK, FRENCH, SPANISH, ARABIC]


def ask_for_consent(world):
    tokens = {}
    with world.connect() as client:
        client.hello()
        for call, number in enumerate(EVERYBODY, 2):
            answer = client.call(call, wire.REQUEST_OPT_IN, wire.message(
                (1, "offers"), (2, number), (3, "web form"), (4, "signed up on the site"),
                (5, LANGUAGES.get(number, "en"))))
            assert answer[1] == wire.CONSENT_REPLY and 1 not in answer[2], answer
            tokens[number] = answer[2][5][0].decode()
        harness.wait_for("the replies are in",
                         lambda: world.metric("assent_opt_ins_confirmed_total") == 6 and
                         world.metric("assent_opt_ins_declined_total") == 1)
        wrong = client.call(50, wire.CONFIRM_OPT_IN, wire.message((1, "offers"), (2, LINK), (3, "no such token")))
        assert wrong[1] == wire.FAILURE or 1 in wrong[2], wrong
        right = client.call(51, wire.CONFIRM_OPT_IN, wire.message((1, "offers"), (2, LINK), (3, tokens[LINK])))
        assert right[1] == wire.CONSENT_REPLY and 1 not in right[2], right
    questions = [p for p in world.pdus() if p.name == "submit_sm" and p.source == "12025550100"]
    assert {p.destination for p in questions} == set(EVERYBODY)
    say("nine were asked: six said yes, one no, one nothing, one confirmed by the link's token")


def campaign(world):
    words = {FRENCH: "Répondez STOP pour finir", SPANISH: "Responda BAJA", ARABIC: "أرسل إيقاف"}
    world.submit(*[("offers", MARKETING, n, f"[spring] {words.get(n, 'Reply STOP to end')}", f"spring-{n}")
                   for n in EVERYBODY])
    harness.wait_for("the STOPs are in", lambda: world.metric("assent_opt_outs_total") == 4)
    harness.wait_for("HELP is answered", lambda: world.metric("assent_help_total") == 1)
    harness.wait_for("all is quiet", lambda: world.metric("assent_open_messages") == 0)
    got = {p.destination for p in world.pdus() if "[spring]" in p.text and p.name == "submit_sm"}
    assert got == {YES, LEAVER, HELPER, LINK, FRENCH, SPANISH, ARABIC}, got
    world.submit(*[("offers", MARKETING, n, "[summer] Reply STOP to end", f"summer-{n}") for n in EVERYBODY])
    harness.wait_for("all is quiet", lambda: world.metric("assent_open_messages") == 0)
    got = {p.destination for p in world.pdus() if "[summer]" in p.text and p.name == "submit_sm"}
    assert got == {YES, HELPER, LINK}, got
    assert world.metric("assent_suppressed_total", "no_opt_in") >= 2
    say("the campaign reached those with consent alone; after their STOP the next one reached none of the four")


def confirmed_once(world):
    pdus = world.pdus()
    stops = carrier_log.stops_answered(pdus)
    assert {number for number, _ in stops} == {LEAVER, FRENCH, SPANISH, ARABIC}, stops
    for (number, sender), index in stops.items():
        after = [p for p in pdus[index:] if p.name == "submit_sm" and p.destination == number and p.source == sender]
        assert len(after) == 1, (number, after)
        say(f"confirmation: {after[0].text}")
    helped = [p for p in pdus if p.name == "submit_sm" and p.destination == HELPER and "[" not in p.text]
    say(f"help: {helped[-1].text}")


def other_programs(world):
    """A STOP to the brand's offers does not stop a code of another brand."""
    world.submit(("login", OTP, LEAVER, "[code] 483920"))
    harness.wait_for("the code is sent", lambda: any("[code]" in p.text and p.destination == LEAVER for p in world.pdus()))
    say("a login code of another brand still goes to one who said STOP to the offers")


def scheduled_is_cancelled(world):
    when = int(time.time() * 1000) + 3600_000
    with world.connect() as client:
        client.hello()
        answer = client.call(2, wire.SUBMIT, wire.message((1, wire.message(
            (1, "offers"), (2, MARKETING), (4, YES), (5, "[later] Reply STOP to end"), (8, when)))))
        verdict = wire.parse(answer[2][1][0])
        assert 1 not in verdict, verdict
        answer = client.call(3, wire.OPT_OUT, wire.message((1, "offers"), (2, YES), (3, "phone call")))
        assert answer[1] == wire.CONSENT_REPLY and 1 not in answer[2], answer
    ended = [e for e in world.events() if e["message"] == verdict[2][0] and "ended" in e]
    assert ended and ended[0]["ended"][1][0] == 6, ended  # CANCELLED
    say("an opt-out by phone cancels what was scheduled")


def command_line(world):
    result = world.cli("send", "--program", "login", "--class", "otp", "--to", f"+{HELPER}", "--text", "cli code 1", "--wait")
    assert "delivered" in result.stdout.lower(), result
    refused = world.cli("send", "--program", "nothing", "--to", f"+{HELPER}", "--text", "x", check=False)
    assert refused.returncode == 1 and refused.stderr, refused
    usage = world.cli("send", "--colour", "blue", check=False)
    assert usage.returncode == 2 and usage.stderr, usage
    shown = world.cli("consent", "show", f"+{LEAVER}").stdout
    assert "offers" in shown, shown
    story = world.cli("trace", f"+{LEAVER}").stdout
    assert "STOP" in story.upper(), story
    say("assent send, consent show and trace; the story of one who left:")
    for line in story.splitlines():
        print(f"    {line}")


def main():
    with harness.World(start=False, rate=100) as world:
        subscribers = world.folder / "subscribers"
        subscribers.write_text(SUBSCRIBERS)
        world.start_redis()
        world.start_carrier("--subscribers", subscribers, "--reply-delay", "20ms", "--receipt-delay", "20ms")
        world.start_gateway()
        ask_for_consent(world)
        campaign(world)
        confirmed_once(world)
        other_programs(world)
        scheduled_is_cancelled(world)
        command_line(world)
        report = world.carrier_report()
        say(f"the carrier's report: {report}")


main()
