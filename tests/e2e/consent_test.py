#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Consent by the handset's own words, with two gateways on one Redis: a question asked at one is answered at the
other, once; JOIN; NO; time; and what lifts an opt-out and what does not."""
import json
import threading
import time

import harness
from handset import Handset
from harness import say
from second import Second

OFFERS, FLASH = "12025550100", "12025550103"
MARKETING = 3
FIRST, SECOND = "acme", "acme2"  # system_ids
PROGRAM = """\
  - name: flash
    brand: Flash
    classes: [marketing]
    senders: ["12025550103"]
    opt_in: double
    pending: 1m
    quiet_hours: off
"""
CONFIG = harness.CONFIG.replace("opt_in: double\n", "opt_in: double\n    join: [acme]\n") \
    .replace("news, login]", "news, login, flash]").replace("  - {{name: login", PROGRAM + "  - {{name: login")
ASKED = "YES"  # is in every question


class Two(harness.World):
    def __init__(self):
        super().__init__(start=False, config=CONFIG)

    def begin(self):
        self.start_redis()
        self.handset = Handset(self.carrier_port)
        self.start_gateway()
        self.second = Second(self, SECOND)
        harness.wait_for("the second is live", lambda: self.redis_cli("HGET", "assent:nodes", "second").endswith(" l"))
        harness.wait_for("both are bound", lambda: len(self.handset.sockets) == 2)

    def shown(self, number, program="offers", cli=None):
        text = (cli or self.cli)("consent", "show", "--json", f"+{number}", *self.ledgers(cli)).stdout
        return next(p for p in json.loads(text)["programs"] if p["program"] == program)

    def ledgers(self, cli):
        """Of the gateway that is not asked."""
        return [self.data if cli == self.second.cli else self.folder / "data2"]

    def becomes(self, number, state, program="offers"):
        """At both gateways."""
        for cli in (self.cli, self.second.cli):
            harness.wait_for(f"{number} is {state}", lambda: self.shown(number, program, cli)["state"] == state)

    def ask(self, number, program="offers", cli=None):
        said = (cli or self.cli)("consent", "request", "--program", program, "--source", "web form", "--json",
                                 f"+{number}").stdout
        self.handset.gets(number, ASKED)
        return json.loads(said)["token"]

    def stays(self, number, state, program="offers"):
        time.sleep(0.5)
        self.becomes(number, state, program)


def answered_at_the_other(world):
    number = "12025550111"
    world.ask(number)
    world.becomes(number, "pending")
    assert world.shown(number)["expires_wall_ms"] > time.time() * 1000
    world.handset.says(SECOND, number, OFFERS, "YES")
    world.becomes(number, "confirmed")
    for cli in (world.cli, world.second.cli):
        shown = world.shown(number, cli=cli)
        assert shown["source"] == "reply" and shown["rule"] and shown["evidence"] is True, shown
        assert shown["may_send_marketing"] is True, shown
    world.submit(("offers", MARKETING, number, "Acme: seeds. Reply STOP to end"))
    world.handset.gets(number, "seeds")
    say("asked at the first gateway, answered at the second: consent at both, with the reply as evidence")
    return number


def asked_by_both_at_once(world):
    for at in range(5):
        number = f"1202555012{at}"
        callers = [threading.Thread(target=cli, args=("consent", "request", "--program", "offers", f"+{number}"))
                   for cli in (world.cli, world.second.cli)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        world.handset.gets(number, ASKED)
        time.sleep(0.5)
        assert len(world.handset.got(number, ASKED)) == 1, world.handset.got(number)
    say("requests at both gateways at once: one question")


def joins(world):
    number = "12025550131"
    world.handset.says(SECOND, number, OFFERS, "Join Acme!")
    world.handset.gets(number, ASKED)
    world.becomes(number, "pending")
    world.handset.says(FIRST, number, OFFERS, "JOIN ACME")
    time.sleep(0.5)
    assert len(world.handset.got(number, ASKED)) == 1, "asked again while the question was open"
    world.handset.says(FIRST, number, OFFERS, "yes")
    world.becomes(number, "confirmed")
    say("JOIN at one gateway, one question, YES at the other")


def says_no(world):
    number = "12025550141"
    world.ask(number)
    world.handset.says(SECOND, number, OFFERS, "NO")
    world.becomes(number, "none")
    world.handset.says(FIRST, number, OFFERS, "YES")
    world.stays(number, "none")
    say("NO ends the question; a YES after it is an answer to nothing")


def out_of_the_blue(world):
    number = "12025550151"
    world.handset.says(FIRST, number, OFFERS, "YES")
    world.stays(number, "none")
    world.submit(("offers", MARKETING, number, "Acme: bulbs. Reply STOP to end"))
    time.sleep(0.5)
    assert not world.handset.got(number, "bulbs")
    say("YES out of the blue is no consent")


def a_token_lifts_nothing(world):
    number = "12025550161"
    token = world.ask(number)
    world.handset.says(SECOND, number, OFFERS, "STOP")
    world.becomes(number, "opted_out")
    refused = world.cli("consent", "confirm", "--program", "offers", "--token", token, f"+{number}", check=False)
    assert refused.returncode == 1 and "FAILED_PRECONDITION" in refused.stderr, refused
    world.stays(number, "opted_out")
    say("a token lifts no opt-out")


def start_goes_back(world, number):
    """`number` has agreed."""
    world.handset.says(SECOND, number, OFFERS, "STOP")
    world.becomes(number, "opted_out")
    shown = world.shown(number)
    assert shown["denied_by"] == ["brand Acme", "program offers"] and shown["rule"].startswith("keyword/stop"), shown
    world.handset.says(FIRST, number, OFFERS, "START")
    world.becomes(number, "confirmed")
    stranger = "12025550171"
    world.handset.says(FIRST, stranger, OFFERS, "STOP")
    world.becomes(stranger, "opted_out")
    world.handset.says(SECOND, stranger, OFFERS, "START")
    world.becomes(stranger, "none")
    say("START goes back to what was before: consent for one, nothing for another")


def operators_deny(world, number):
    """`number` has agreed."""
    world.cli("consent", "optout", "--everything", "--source", "phone call", f"+{number}")
    world.becomes(number, "opted_out")
    shown = world.shown(number)
    assert shown["denied_by"] == ["everything"] and shown["source"] == "operator", shown
    assert world.shown(number, "login")["denied_by"] == ["everything"]
    world.handset.says(SECOND, number, OFFERS, "START")
    world.becomes(number, "confirmed")
    for bad in (["--hold"], ["--hold", "--evidence", ""], ["--source", "x"]):
        refused = world.cli("consent", "optout", *bad, f"+{number}", check=False)
        assert refused.returncode == 2 and refused.stderr, refused
    client = world.folder / "client.key"
    client.write_text(harness.API_KEY)
    client.chmod(0o600)
    for wide in (["--everything"], ["--hold", "--evidence", "x"]):
        refused = world.cli("-s", f"tcp://127.0.0.1:{world.port}", "--client", "shop", "--key-file", client,
                            "consent", "optout", *wide, f"+{number}", check=False)
        assert refused.returncode == 1 and "PERMISSION_DENIED" in refused.stderr, refused
    world.becomes(number, "confirmed")
    world.cli("consent", "optout", "--hold", "--evidence", "letter of 3 May", "--source", "law", f"+{number}")
    world.becomes(number, "opted_out")
    for words in ("START", "JOIN ACME", "YES"):
        world.handset.says(SECOND, number, OFFERS, words)
    world.stays(number, "opted_out")
    shown = world.shown(number)
    assert shown["denied_by"] == ["hold"] and shown["how"] == "law" and shown["evidence"] is True, shown
    say("an operator denies everything, which START lifts; a hold with its evidence, which nothing lifts")


def can_show(cli, number):
    try:
        return bool(cli("consent", "show", "--json", f"+{number}").stdout)
    except AssertionError:
        return False


def released(world, number):
    """By the operator alone and with a reason; what the person has ended since stays ended."""
    refused = world.cli("consent", "release", f"+{number}", check=False)
    assert refused.returncode == 2 and "--reason" in refused.stderr, refused
    refused = world.cli("-s", f"tcp://127.0.0.1:{world.port}", "--client", "shop", "--key-file",
                        world.folder / "client.key", "consent", "release", "--reason", "x", f"+{number}", check=False)
    assert refused.returncode == 1 and "PERMISSION_DENIED" in refused.stderr, refused
    world.handset.says(SECOND, number, OFFERS, "STOP")
    harness.wait_for("both stand", lambda: world.shown(number)["denied_by"] == ["hold", "brand Acme", "program offers"])
    world.second.cli("consent", "release", "--reason", "letter of 9 May", f"+{number}")
    harness.wait_for("the hold is over", lambda: world.shown(number)["denied_by"] == ["brand Acme", "program offers"])
    refused = world.second.cli("consent", "release", "--reason", "letter of 9 May", f"+{number}", check=False)
    assert refused.returncode == 1 and "no hold on this number" in refused.stderr, refused
    world.becomes(number, "opted_out")
    world.handset.says(SECOND, number, OFFERS, "START")
    world.becomes(number, "confirmed")
    world.cli("consent", "rebuild", world.folder / "data2")
    for cli in (world.cli, world.second.cli):
        harness.wait_for("the sets are back", lambda cli=cli: can_show(cli, number))
    world.becomes(number, "confirmed")
    said = world.cli("consent", "check", world.folder / "data2").stdout
    assert " 0 differences" in said, said
    world.cli("consent", "optout", "--hold", "--evidence", "letter of 11 May", f"+{number}")
    world.becomes(number, "opted_out")
    assert world.shown(number)["denied_by"] == ["hold"]
    say("an operator releases a hold, with a reason; the person's own STOP stays; a rebuild has it so")


def tells_the_story(world, number):
    told = world.cli("consent", "show", "--history", f"+{number}", world.folder / "data2").stdout
    for words in ("consent was asked for", "consent was confirmed by a reply", "opted out of brand Acme, program offers",
                  "opted in again", "opted out of everything by the operator", "opted out of hold by the operator",
                  "letter of 3 May", "released from hold by the operator", "letter of 9 May", "letter of 11 May",
                  "second #"):
        assert words in told, (words, told)
    history = json.loads(world.cli("consent", "show", "--history", "--json", f"+{number}").stdout)["history"]
    assert {"opt_in_requested", "opted_out"} <= {event["kind"] for event in history}, history
    helped = world.cli("consent", "show", "--help").stdout
    assert "--history" in helped and "DATA-DIR" in helped, helped
    say("the whole story by assent consent show --history:")
    for line in told.splitlines():
        print(f"    {line}")


def over_in_time(world, number, asked_at):
    time.sleep(max(0.0, asked_at + 61 - time.monotonic()))
    world.becomes(number, "expired", "flash")
    world.handset.says(SECOND, number, FLASH, "YES")
    world.stays(number, "expired", "flash")
    world.ask(number, "flash", world.second.cli)
    harness.wait_for("asked again", lambda: len(world.handset.got(number, ASKED)) == 2)
    world.handset.says(FIRST, number, FLASH, "YES")
    world.becomes(number, "confirmed", "flash")
    say("a question that nobody answered in time has expired: YES is too late, and it may be asked again")


def main():
    with Two() as world:
        world.begin()
        late = "12025550181"
        world.ask(late, "flash")
        asked_at = time.monotonic()
        number = answered_at_the_other(world)
        asked_by_both_at_once(world)
        joins(world)
        says_no(world)
        out_of_the_blue(world)
        a_token_lifts_nothing(world)
        start_goes_back(world, number)
        operators_deny(world, number)
        released(world, number)
        tells_the_story(world, number)
        over_in_time(world, late, asked_at)


main()
