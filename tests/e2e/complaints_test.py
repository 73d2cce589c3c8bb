#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Complaints over two gateways on one Redis: the number is suppressed before the operator is answered, what waits
is cancelled at both, the evidence comes by itself, a resolution needs what it must say, a restart forgets none."""
import json
import time

import harness
from harness import say
from second import Second

OTP, MARKETING = 1, 3
ANGRY, WRONG, LISTED = "12025550111", "12025550112", "12025550113"


def got(world, number, tag):
    return [p for p in world.pdus() if p.name == "submit_sm" and p.destination == number and tag in p.text]


def opened(world, *options, cli=None, number=ANGRY):
    answer = (cli or world.cli)("complaint", "open", "--number", f"+{number}", "--json", *options).stdout
    return json.loads(answer)


def shown(world, identity):
    return json.loads(world.cli("complaint", "show", str(identity), "--json", world.folder / "data2").stdout)


def denied_by(cli, number):
    programs = json.loads(cli("consent", "show", "--json", f"+{number}").stdout)["programs"]
    return next(p["denied_by"] for p in programs if p["program"] == "news")


def nothing_leaves_after_the_answer(world, second):
    """A backlog of a hundred texts at each gateway, at ten a second; a complaint in the middle."""
    world.record_opt_ins("news", [ANGRY, WRONG, LISTED])
    texts = [("news", MARKETING, ANGRY, f"Herald [{n}] Reply STOP to end") for n in range(100)]
    world.submit(*texts)
    harness.wait_for("some are sent", lambda: len(got(world, ANGRY, "Herald")) >= 3)
    before = time.time()
    reply = opened(world, "--channel", "support", "--type", "spam", "--words", "I never asked for this")
    answered = time.time()
    time.sleep(0.2)  # what was on its way to the carrier
    sent = len(got(world, ANGRY, "Herald"))
    time.sleep(1.5)
    assert len(got(world, ANGRY, "Herald")) == sent, "texts left after the complaint was answered"
    assert reply["due_wall_ms"] // 1000 - int(before) in range(3 * 86400 - 60, 3 * 86400 + 60), reply
    ends = [e["ended"] for e in world.events() if "ended" in e]
    assert len(ends) >= 90, len(ends)
    say(f"of a hundred texts {sent} had left; the complaint was answered after {answered - before:.2f} s, and none "
        f"left after it")
    harness.wait_for("the other gateway knows", lambda: denied_by(second.cli, ANGRY) == ["hold"])
    world.submit(("login", OTP, ANGRY, "code 1234"))
    time.sleep(0.5)
    assert not got(world, ANGRY, "code 1234"), "a hold is for every program"
    return reply["complaint"]


def evidence_comes_by_itself(world, identity):
    told = shown(world, identity)
    assert told["number"] == f"+{ANGRY}" and told["words"] == "I never asked for this", told
    assert told["program"] == "news" and told["sender"] == "12025550102" and told["carrier"] == "alpha", told
    assert told["open"] and not told["held_before"], told
    assert told["consent"] and told["consent"][0]["state"] == "single", told["consent"]
    assert told["before"]["accepted"] == 100 and told["before"]["parts_sent"] >= 3, told["before"]
    assert told["after"]["not_sent"] >= 90 and told["verdicts_after_hold"] == 0, told["after"]
    kinds = {event["kind"] for event in told["events"]}
    assert {"opt_in_recorded", "accepted", "attempt", "sent", "receipt", "opted_out", "complaint_opened",
            "ended"} <= kinds, kinds
    text = world.cli("complaint", "show", f"#{identity}").stdout
    for words in ("I never asked for this", "a complaint was opened: spam, by support", "opt-in was recorded",
                  "Nothing left by a verdict from after the number was suppressed"):
        assert words in text or words == "opt-in was recorded", (words, text[-3000:])
    say("assent complaint show: consent, texts with verdicts and receipts, the hold; nothing left after it")


def a_resolution_says_what_it_must(world, identity):
    right = {"--finding": "unfounded", "--cause": "a shared phone", "--action": "none is needed"}
    for missing in right:
        options = [word for name, value in right.items() if name != missing for word in (name, value)]
        refused = world.cli("complaint", "resolve", *options, identity, check=False)
        assert refused.returncode == 2 and missing in refused.stderr, refused
    refused = world.cli("complaint", "resolve", "--finding", "maybe", "--cause", "x", "--action", "y", identity,
                        check=False)
    assert refused.returncode == 2 and "technical-fault" in refused.stderr, refused
    options = [word for name, value in right.items() for word in (name, value)]
    refused = world.cli("complaint", "resolve", "--finding", "valid", "--cause", "x", "--action", "y", "--release",
                        identity, check=False)
    assert refused.returncode == 1 and "release" in refused.stderr, refused
    key = world.folder / "client.key"
    key.write_text(harness.API_KEY)
    key.chmod(0o600)
    client = ["-s", f"tcp://127.0.0.1:{world.port}", "--client", "shop", "--key-file", key]
    refused = world.cli(*client, "complaint", "resolve", *options, identity, check=False)
    assert refused.returncode == 1 and "PERMISSION_DENIED" in refused.stderr, refused
    refused = world.cli(*client, "complaint", "open", "--number", f"+{WRONG}", "--channel", "web", "--type", "spam",
                        check=False)
    assert refused.returncode == 1 and "PERMISSION_DENIED" in refused.stderr, refused
    say("refused: without finding, cause or action, to release who was right, to clients")
    return options


def a_restart_forgets_none(world, identity):
    world.gateway.kill()
    world.start_gateway()
    assert world.metric("assent_complaints_open") == 1
    assert world.metric("assent_complaints_overdue") == 0
    assert "complaints 1 open, 0 overdue" in world.cli("status", "--once").stdout
    listed = [json.loads(line) for line in world.cli("complaint", "list", "--open", "--json").stdout.splitlines()]
    assert [c["id"] for c in listed] == [identity], listed
    say("after kill -9 it is open still")


def released_once(world, second, identity, options):
    second.cli("consent", "optout", "--program", "news", "--source", "phone call", f"+{ANGRY}")
    harness.wait_for("both stand", lambda: denied_by(world.cli, ANGRY) == ["hold", "program news"])
    done = world.cli("complaint", "resolve", *options, "--answer", "we are sorry", "--release", identity).stdout
    assert "released" in done, done
    for cli in (world.cli, second.cli):
        harness.wait_for("the hold is over", lambda cli=cli: denied_by(cli, ANGRY) == ["program news"])
    refused = world.cli("complaint", "resolve", *options, identity, check=False)
    assert refused.returncode == 1 and "it is resolved, or never was one" in refused.stderr, refused
    told = shown(world, identity)
    assert told["resolution"]["finding"] == "unfounded" and told["resolution"]["answer"] == "we are sorry", told
    assert world.metric("assent_complaints_open") == 0
    assert world.metric("assent_complaints_resolved_total", 'finding="unfounded"') == 1
    say("released with its resolution; the person's own STOP stays; twice is refused")


def at_both_gateways(world, second):
    """Two complaints about one person, one at each gateway: neither releases the other's hold."""
    mine = opened(world, "--channel", "web", "--type", "unwanted", number=WRONG)["complaint"]
    harness.wait_for("both know", lambda: denied_by(second.cli, WRONG) == ["hold"])
    theirs = opened(world, "--channel", "reply", "--type", "spam", number=WRONG, cli=second.cli)["complaint"]
    fair = ["--finding", "not-ours", "--cause", "another sender's text", "--action", "told them", "--release"]
    refused = second.cli("complaint", "resolve", *fair, theirs, check=False)
    assert refused.returncode == 1 and "another hold" in refused.stderr, refused
    world.cli("complaint", "resolve", *fair, mine)
    time.sleep(0.5)
    assert denied_by(world.cli, WRONG) == ["hold"], "the later hold of the other gateway is gone"
    second.cli("complaint", "resolve", *fair[:-1], theirs)
    told = world.cli("consent", "check", world.folder / "data2").stdout
    assert " 0 differences" in told, told
    say("a hold that another gateway's complaint put there later stands; Redis and the ledgers agree")


def a_carriers_feed(world):
    feed = world.folder / "feed.csv"
    feed.write_text("number,type,words,case,received\n"
                    f"+{LISTED},spam,\"too many, too often\",T-1,2026-11-01\n"
                    "+1202555,nonsense,,T-2,\n"
                    f"+12025550114,phishing,,T-3,\n")
    done = world.cli("complaint", "open", "--csv", feed, "--channel", "carrier", "--carrier", "alpha", check=False)
    assert done.returncode == 1 and "opened 2, open already 0, refused 1" in done.stdout, done
    rejected = (world.folder / "feed.rejected.csv").read_text()
    assert "--type is needed" in rejected, rejected
    again = world.cli("complaint", "open", "--csv", feed, "--channel", "carrier", "--carrier", "alpha", check=False)
    assert "opened 0, open already 2, refused 1" in again.stdout, again
    assert world.metric("assent_complaints_overdue") == 1
    assert world.metric("assent_complaints_opened_total", 'channel="carrier",type="spam"') == 1
    assert world.metric("assent_complaints_by_carrier_total", 'carrier="alpha"') == 2
    listed = world.cli("complaint", "list", world.folder / "data2").stdout
    assert "OVERDUE by" in listed and "resolved: not-ours" in listed and "second#" in listed, listed
    for by, row in (("sender", "12025550102"), ("program", "news"), ("carrier", "alpha"), ("cause", "a shared phone"),
                    ("finding", "unfounded"), ("channel", "carrier"), ("type", "phishing")):
        counted = world.cli("complaint", "list", "--by", by).stdout
        assert row in counted, (by, counted)
    assert world.cli("complaint", "list", "--by", "weather", check=False).returncode == 2
    say("a carrier's feed as a file, twice; counts by everything:")
    for line in world.cli("complaint", "list", "--by", "carrier").stdout.splitlines():
        print(f"    {line}")


def bad_words(world):
    for options, word in (([], "--number"), (["--number", "+12025550199"], "--channel"),
                          (["--number", "+12025550199", "--channel", "web"], "--type"),
                          (["--number", "+12025550199", "--channel", "web", "--type", "spam", "--message", "x"],
                           "--message"),
                          (["--number", "+12025550199", "--channel", "web", "--type", "spam", "--received", "soon"],
                           "--received")):
        refused = world.cli("complaint", "open", *options, check=False)
        assert refused.returncode == 2 and word in refused.stderr, refused
    refused = world.cli("complaint", "open", "--number", "nobody", "--channel", "web", "--type", "spam", check=False)
    assert refused.returncode == 1 and "number" in refused.stderr, refused
    refused = world.cli("complaint", "show", "999999", check=False)
    assert refused.returncode == 1 and "no complaint" in refused.stderr, refused
    helped = world.cli("complaint", "--help").stdout + world.cli("complaint", "open", "--help").stdout
    assert "resolve" in helped and "--case" in helped, helped
    say("what is missing or wrong is named")


def main():
    with harness.World(rate=10, carrier_options=["--subscribers", "none"]) as world:
        second = Second(world)
        harness.wait_for("the second is live",
                         lambda: world.redis_cli("HGET", "assent:nodes", "second").endswith(" l"))
        identity = nothing_leaves_after_the_answer(world, second)
        evidence_comes_by_itself(world, identity)
        options = a_resolution_says_what_it_must(world, identity)
        a_restart_forgets_none(world, identity)
        released_once(world, second, identity, options)
        at_both_gateways(world, second)
        a_carriers_feed(world)
        bad_words(world)


main()
