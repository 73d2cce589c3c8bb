#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The npm package `smpp` at the other end of the line: as the message centre of assentd, and as a client
of smsc-sim. What each side says it saw must agree."""
import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
from harness import say  # noqa: E402

OTP, MARKETING = 1, 3
LEAVER, STAYER, CODES = "12025550150", "12025550151", "12025550152"
CENTRE_TEXTS = ["code 1234", "with { } [ ] ~ \\ | ^ € of the extension table", "код 4321 🌱"]
LONG = "A long text of many words. " * 12  # three parts


def lines(process):
    """What a node script has told so far; a line still being written waits."""
    whole = process.output().rpartition("\n")[0]
    told = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    errors = [t for t in told if t["what"] == "error"]
    assert not errors, errors
    return told


def of(process, what):
    return [told for told in lines(process) if told["what"] == what]


def joined(parts):
    """The text of a long message's parts, which must be numbered by one 8-bit reference."""
    headers = [p["udh"][0] for p in parts]
    assert all(h[:2] == [0, 3] and h[3] == len(parts) for h in headers), headers
    assert len({h[2] for h in headers}) == 1 and [h[4] for h in headers] == [1, 2, 3], headers
    return "".join(p["text"] for p in parts)


def quiet(world, centre):
    """Waits for the ends of all messages, of both sides' view."""
    harness.wait_for("every message has ended", lambda: world.metric("assent_open_messages") == 0)
    harness.wait_for("all deliver_sm are answered", lambda: len(of(centre, "deliver_sm_resp")) ==
                     len(of(centre, "submit_sm")) + 1)


def gateway_and_centre(node):
    config = harness.CONFIG.replace("    rate: {rate}", "    rate: {rate}\n    enquire_link: 1s")
    with harness.World(start=False, config=config) as world:
        world.start_redis()
        centre = world.spawn("centre", [node, HERE / "message_centre.js", world.carrier_port, LEAVER])
        harness.wait_for("the message centre listens", lambda: of(centre, "listening"))
        world.start_gateway()
        harness.wait_for("the message centre's enquire_link is answered", lambda: of(centre, "enquire_link_resp"))
        harness.wait_for("ours comes", lambda: of(centre, "enquire_link"))
        world.record_opt_ins("news", [LEAVER, STAYER])
        world.submit(*[("news", MARKETING, n, "Spring sale. Reply STOP to end") for n in (LEAVER, STAYER)],
                     *[("login", OTP, CODES, text) for text in (*CENTRE_TEXTS, LONG)])
        harness.wait_for("the STOP is in", lambda: world.metric("assent_opt_outs_total") == 1)
        quiet(world, centre)
        world.submit(*[("news", MARKETING, n, "Summer sale. Reply STOP to end") for n in (LEAVER, STAYER)])
        quiet(world, centre)
        delivered = world.metric("assent_messages_total", 'outcome="delivered"')
        suppressed = world.metric("assent_suppressed_total", "opted_out")
        assert world.gateway.stop() == 0
        harness.wait_for("the session ends in order", lambda: of(centre, "close"))
        judge_centre(lines(centre), delivered, suppressed)


def judge_centre(told, delivered, suppressed):
    bind, = [t for t in told if t["what"] == "bind_transceiver"]
    assert (bind["system_id"], bind["password"], bind["version"]) == ("acme", "pass1234", 0x34), bind
    assert not [t for t in told if t["what"] in ("generic_nack", "unknown")], told
    assert [t["what"] for t in told][-2:] == ["unbind", "close"], told[-3:]
    assert all(t["status"] == 0 for t in told if t["what"] == "deliver_sm_resp"), told
    submits = [t for t in told if t["what"] == "submit_sm"]
    codes = [t for t in submits if t["to"] == CODES]
    assert {t["text"] for t in codes if not t["esm_class"]} == set(CENTRE_TEXTS), codes
    assert joined([t for t in codes if t["esm_class"] == 0x40]) == LONG, codes
    stayer = [t["text"] for t in submits if t["to"] == STAYER]
    leaver = [t["text"] for t in submits if t["to"] == LEAVER]
    assert len(stayer) == 2 and "Summer" in stayer[1], stayer
    assert len(leaver) == 2 and "Summer" not in "".join(leaver), leaver
    assert delivered == 8 and suppressed == 1, (delivered, suppressed)  # the confirmation of the STOP among them
    say(f"npm's smpp took {len(submits)} submit_sm and read every text as it was; its receipts, by text and with "
        f"TLVs, all matched; after its STOP one confirmation: {leaver[1]!r}")


def probe_and_centre(node):
    """A message centre whose receipts are not marked: the probe finds the setting, and it is right."""
    with harness.World(start=False) as world:
        world.start_redis()
        centre = world.spawn("centre", [node, HERE / "message_centre.js", world.carrier_port, LEAVER, "unmarked"])
        harness.wait_for("the message centre listens", lambda: of(centre, "listening"))
        profile = world.cli("carrier", "probe", "alpha", "--to", f"+{CODES}").stdout
        assert "receipts_by_text: yes" in profile and 'by "npm"' in profile, profile
        assert len(of(centre, "submit_sm")) == 1 and of(centre, "unbind"), lines(centre)
        world.config_file.write_text(world.config_text.rstrip("\n") + "\n    receipts_by_text: yes\n")
        world.start_gateway()
        world.submit(("login", OTP, CODES, "code 1"))
        harness.wait_for("the receipt is matched",
                         lambda: world.metric("assent_messages_total", 'outcome="delivered"') == 1)
        say("assent carrier probe finds that this message centre's receipts are told by their text alone")


def client_and_simulator(node):
    numbers = [f"1202555{n:04d}" for n in range(160, 190)]
    with harness.World(start=False) as world:
        subscribers = world.folder / "subscribers"
        subscribers.write_text("".join(f"+{n} stop=1\n" for n in numbers))
        world.start_carrier("--subscribers", subscribers, "--reply-delay", "20ms", "--system-id", "npm",
                            "--password", "pass1234")
        client = world.spawn("client", [node, HERE / "client.js", world.carrier_port, "12025550199", *numbers])
        assert client.wait() == 0
        told = lines(client)
        harness.wait_for("the carrier has seen the end", lambda: any(p.name == "closed" for p in world.pdus()))
        judge_client(told, world.pdus(), numbers)


def judge_client(told, pdus, numbers):
    def these(what):
        return [t for t in told if t["what"] == what]
    bind, = these("bind_transceiver_resp")
    assert bind["status"] == 0 and bind["version"] == 0x34, bind
    answers, receipts, replies = these("submit_sm_resp"), these("receipt"), these("reply")
    assert all(t["status"] == 0 for t in answers + these("enquire_link_resp") + these("unbind_resp")), told
    assert [t["what"] for t in told][-2:] == ["unbind_resp", "close"], told[-3:]
    assert {t["to"] for t in answers} == set(numbers) and len(answers) == len(numbers)
    ids = {t["id"] for t in answers}
    assert len(ids) == len(numbers) and {t["id"] for t in receipts} == ids, (answers, receipts)
    assert all(t["state"] == 2 and f"id:{t['id']} " in t["text"] and "stat:DELIVRD" in t["text"] for t in receipts)
    offered = {t["to"] for t in answers if "STOP" in t["text"]}
    assert {t["from"] for t in replies} == offered and len(replies) == len(offered), replies
    # The carrier's own log: what it read is what npm's smpp meant, letter by letter.
    read = {(p.destination, p.text) for p in pdus if p.name == "submit_sm"}
    assert read == {(t["to"], t["text"]) for t in answers}, read
    assert not [p for p in pdus if p.name.endswith("_resp") and p.status], pdus
    say(f"npm's smpp as client of smsc-sim: {len(answers)} submits, {len(receipts)} receipts, {len(replies)} replies, "
        "each as both sides say")


def main():
    node = shutil.which("node")
    if not node or not (HERE / "node_modules" / "smpp").exists():
        harness.missing("node and the npm package smpp")
    gateway_and_centre(node)
    probe_and_centre(node)
    client_and_simulator(node)


main()
