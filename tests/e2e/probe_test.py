#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`assent carrier probe`: what it finds of carriers with different habits, pasted into the configuration,
makes their receipts match; it sends one text, or as many as it takes to find the window, never above the rate,
never to a number that is opted out nor while Redis cannot be asked or lacks opt-outs; the ledger has what it sent;
and a STOP that reaches it by accident is not lost to the gateway."""
import re
import signal
import subprocess
from pathlib import Path

import carrier_log
import harness
from harness import say

CERTIFICATES = Path(__file__).resolve().parent.parent / "certificates"
OTP, MARKETING = 1, 3
MINE, LEAVER, OTHER, HELD = "12025550150", "12025550151", "12025550152", "12025550153"


def probe(world, *arguments, number=MINE, check=True):
    return world.cli("carrier", "probe", "alpha", "--to", f"+{number}", *arguments, check=check)


def keys(profile):
    """The settings in a profile: {"bind": "transceiver", ...}."""
    return dict(re.findall(r"^    (\w+): (\S+)", profile, re.MULTILINE))


def paste(config, found):
    """The configuration with the profile's keys in the carrier's entry, which is the last one."""
    lines = [line for line in config.splitlines() if not re.match(rf"^    ({'|'.join(found)}):", line)]
    return "\n".join(lines) + "\n" + "".join(f"    {key}: {value}\n" for key, value in found.items())


def restart_carrier(world, *options, answer_delay="2ms"):
    if world.carrier is not None:
        world.carrier.stop()
    world.start_carrier("--answer-delay", answer_delay, "--receipt-delay", "20ms", *options)


def submits(world):
    return [p for p in world.pdus() if p.name == "submit_sm"]


HABITS = [
    ([], {"submit_id": "raw", "receipt_id": "raw", "receipts_by_text": "no"}, "interface_version 0x34"),
    (["--fault", "early-receipt:100%"], {"submit_id": "raw", "receipt_id": "raw"}, "before the submit_sm_resp"),
    (["--fault", "receipt-ids-hex", "--fault", "receipt-text-only:100%"], {"receipt_id": "hex"}, "no TLVs"),
    (["--fault", "receipt-ids-dec", "--fault", "receipt-in-data-sm:100%"], {"submit_id": "hex"}, "data_sm"),
    (["--fault", "receipt-ids-leading-zeros", "--fault", "receipt-payload:100%"], {"receipt_id": "dec"}, "message_payload"),
]


def finds_habits(world):
    for options, expected, words in HABITS:
        restart_carrier(world, *options)
        world.config_file.write_text(world.config_text)
        result = probe(world)
        found = keys(result.stdout)
        assert expected.items() <= found.items() and words in result.stdout, (options, result.stdout, result.stderr)
        assert [p.destination for p in submits(world)] == [MINE], submits(world)
        # The profile is right when the gateway, with it, matches the carrier's receipts.
        world.config_file.write_text(paste(world.config_text, found))
        world.start_gateway()
        world.submit(("login", OTP, OTHER, "code 1"))
        harness.wait_for(f"a receipt is matched with {found}",
                         lambda: world.metric("assent_messages_total", 'outcome="delivered"') == 1)
        world.gateway.stop()
        say(f"{' '.join(options) or 'an ordinary carrier'}: {found}")
    world.config_file.write_text(world.config_text)


def pairs(world):
    restart_carrier(world)
    world.config_file.write_text(world.config_text.replace("bind: transceiver", "bind: transmitter_receiver"))
    assert keys(probe(world).stdout)["bind"] == "transmitter_receiver"
    binds = {p.name for p in world.pdus() if p.name.startswith("bind_")}
    assert {"bind_transmitter", "bind_receiver"} <= binds, binds
    world.config_file.write_text(world.config_text)
    say("a pair of transmitter and receiver is probed as such")


def tls(world):
    subprocess.run([CERTIFICATES, world.folder], check=True, timeout=harness.PATIENCE)
    restart_carrier(world, "--listen", f"tls://127.0.0.1:{world.carrier_port}", "--tls-cert", world.folder / "server.pem",
                    "--tls-key", world.folder / "server.key")
    text = world.config_text.replace(f"tcp://127.0.0.1:{world.carrier_port}", f"tls://localhost:{world.carrier_port}")
    world.config_file.write_text(text.rstrip("\n") + "\n    tls: {ca_file: ca.pem}\n")
    assert re.search(r"TLSv1\.[23], certificate verified", probe(world).stdout)
    world.config_file.write_text(text)  # the machine's own authorities did not sign that certificate
    result = probe(world, check=False)
    assert result.returncode == 1 and "tls_untrusted" in result.stderr and len(submits(world)) == 1, result
    world.config_file.write_text(world.config_text)
    say("over TLS the certificate is verified, and the version told")


def stop_is_not_lost(world):
    """The carrier gives a reply to whoever is bound: here, to the probe."""
    subscribers = world.folder / "subscribers"
    subscribers.write_text(f"+{LEAVER} stop=1\n")
    restart_carrier(world, "--subscribers", subscribers, "--reply-delay", "3s:0s", "--redeliver-after", "500ms")
    world.start_gateway()
    world.record_opt_ins("news", [LEAVER])
    world.submit(("news", MARKETING, LEAVER, "News. Reply STOP to end"))
    harness.wait_for("the text is sent", lambda: submits(world))
    world.gateway.kill()

    def stops():
        return [(p.session, p.sequence) for p in world.pdus() if p.name == "deliver_sm" and carrier_log.is_stop(p.text)]
    while not stops():  # the probe is bound for half a second
        result = probe(world)
    refused = [p for p in world.pdus() if p.name == "deliver_sm_resp" and (p.session, p.sequence) in stops()]
    assert refused and all(p.status == 8 for p in refused), refused
    assert "refused as temporary" in result.stdout, result.stdout
    world.start_gateway()
    harness.wait_for("the STOP reaches the gateway", lambda: world.metric("assent_opt_outs_total") == 1)
    say("a STOP that came to the probe was given back to the carrier, and reached the gateway")


def refused_without_sending(world, words, *arguments, number=MINE):
    before = len(submits(world))
    result = probe(world, *arguments, number=number, check=False)
    assert result.returncode == 1 and words in result.stderr, (result.stdout, result.stderr)
    assert len(submits(world)) == before, submits(world)[before:]


def asks_the_gate(world):
    harness.wait_for("all is quiet", lambda: world.metric("assent_open_messages") == 0)
    refused_without_sending(world, "opted out", "--unrecorded", number=LEAVER)
    world.gateway.stop()
    refused_without_sending(world, "opted out", number=LEAVER)
    assert world.redis_cli("FLUSHALL") == "OK"
    refused_without_sending(world, "Redis lacks opt-outs", number=LEAVER)
    refused_without_sending(world, "Redis lacks opt-outs")
    world.redis.stop()
    refused_without_sending(world, "Redis cannot be asked")
    say("nothing is sent to who is opted out, nor while Redis is away or has forgotten")
    world.start_redis()
    world.start_gateway()  # which catches Redis up
    refused_without_sending(world, "opted out", "--unrecorded", number=LEAVER)
    suits = world.folder / "suits.csv"
    suits.write_text(f"number,source\n+{HELD},court\n")
    world.cli("consent", "import", "--kind", "litigators", suits)
    world.gateway.stop()
    refused_without_sending(world, "opted out", number=HELD)
    say("nor to a number on hold")


WINDOWS = [  # rate, window, options, texts; then the window to be found, the line about it, the texts sent
    (500, 100, ["--fault", "window:10"], 30, "10", "window: 10 (refused at 11 unanswered with 0x14 ESME_RMSGQFUL)", 30),
    (500, 100, ["--fault", "window:1"], 30, "1", "window: 1 (refused at 2 unanswered with 0x14 ESME_RMSGQFUL)", 30),
    (500, 100, [], 30, "100", "window: takes at least 30", 30),
    (500, 8, [], 20, "8", "window: takes at least 8", 20),
    (500, 100, ["--fault", "throttle:5"], 20, "100", "window: takes at least 5 (refused at 6 unanswered with 0x58 ESME_RTHROTTLED", 20),
    (20, 100, ["--fault", "window:4"], 40, "4", "window: 4 (refused at 5 unanswered with 0x14 ESME_RMSGQFUL)", 15),
    (20, 100, [], 40, "100", "window: takes at least 1", 40),  # 10 or 11: what leaves in half a second
]


def most_in_a_second(texts):
    times = [p.time_us for p in texts]
    return max(sum(0 <= other - first < 1_000_000 for other in times) for first in times)


def finds_windows(world):
    for rate, window, options, count, key, words, most in WINDOWS:
        restart_carrier(world, *options, answer_delay="500ms")
        text = world.config_text.replace("rate: 500", f"rate: {rate}").replace("window: 100", f"window: {window}")
        world.config_file.write_text(text)
        result = probe(world, "--messages", str(count))
        texts = submits(world)
        assert keys(result.stdout)["window"] == key and f"# {words}" in result.stdout, (options, result.stdout, result.stderr)
        assert {p.destination for p in texts} == {MINE} and len({p.text for p in texts}) == len(texts) <= most, texts
        assert most_in_a_second(texts) <= rate, texts
        assert len(texts) == count or "--fault" in options, texts
        assert f"# rate: {len(texts)} texts left in " in result.stdout, result.stdout
        say(f"{' '.join(options) or 'an ordinary carrier'}, {rate}/s, {count} texts: {words}; {len(texts)} sent")
    world.config_file.write_text(world.config_text)


def asks_for_each(world):
    """Redis goes away between two of the texts."""
    restart_carrier(world)
    world.config_file.write_text(world.config_text.replace("rate: 500", "rate: 10"))
    probing = world.spawn("probing", [harness.BUILD / "assent", "-c", world.config_file, "carrier", "probe", "alpha", "--to",
                                      f"+{MINE}", "--messages", "100"])
    harness.wait_for("some are sent", lambda: len(submits(world)) >= 5)
    world.redis.stop()
    assert probing.wait() == 1 and "no more is sent" in probing.output(), probing.output()
    assert 5 <= len(submits(world)) < 50, submits(world)
    world.start_redis()
    world.config_file.write_text(world.config_text)
    say("each text asks the gate: without Redis no more left")


def traced(world, number=MINE):
    trace = world.cli("trace", f"+{number}").stdout
    return [line for line in trace.splitlines() if "prob" in line]


def is_recorded(world):
    restart_carrier(world)
    before = len(traced(world))
    probe(world, "--messages", "3")
    begun, over = traced(world)[before:]
    assert "carrier alpha is probed: up to 3 test texts" in begun, begun
    assert "is over: 3 of 3 test texts sent from 12025550100, 3 taken" in over, over
    killed = world.spawn("killed", [harness.BUILD / "assent", "-c", world.config_file, "carrier", "probe", "alpha", "--to",
                                    f"+{MINE}", "--messages", "100"])
    harness.wait_for("some are sent", lambda: len(submits(world)) > 3)
    killed.kill()
    assert len(traced(world)) == before + 3 and "up to 100" in traced(world)[-1], traced(world)
    world.start_gateway()
    refused_without_sending(world, "--unrecorded sends one text")
    refused_without_sending(world, "--unrecorded sends one text", "--messages", "2")
    before_it = len(submits(world))
    result = probe(world, "--unrecorded", "--timeout", "1s", check=False)  # the receipt may reach the gateway instead
    assert "not in the ledger" in result.stderr and "submit_sm: taken" in result.stdout, result
    assert len(submits(world)) == before_it + 1, submits(world)
    world.gateway.stop()
    assert len(traced(world)) == before + 3, traced(world)
    say("what was probed is in the ledger, also when the probe was killed; beside a gateway only what is said not to be")


def refused_bind(world):
    restart_carrier(world, "--fault", "ralybnd:60s")
    world.start_gateway()
    world.gateway.kill()
    harness.wait_for("the carrier notes the end", lambda: any(p.name == "closed" and p.session == 2 for p in world.pdus()))
    refused_without_sending(world, "ESME_RALYBND")
    assert "allows no more binds" in probe(world, check=False).stderr
    restart_carrier(world, "--fault", "status:0x45:100%")
    result = probe(world, check=False)
    assert result.returncode == 1 and "refused with 0x45" in result.stdout, result
    restart_carrier(world, "--receipt-share", "0%")
    result = probe(world, "--timeout", "300ms", check=False)
    assert result.returncode == 1 and "no receipt came in time" in result.stdout, result
    probing = world.spawn("probe", [harness.BUILD / "assent", "-c", world.config_file, "carrier", "probe", "alpha", "--to",
                                    f"+{MINE}"])
    harness.wait_for("it waits for the receipt", lambda: "waiting for receipts" in probing.output())
    probing.signal(signal.SIGINT)
    assert probing.wait() == 1 and "interrupted" in probing.output(), probing.output()
    harness.wait_for("it has unbound", lambda: [p.name for p in world.pdus() if p.incoming][-1] == "unbind")
    say("a refused bind, a refused text and a missing receipt are named; an interrupted probe unbinds")


def bad_lines(world):
    for arguments, code in ((["alpha"], 2), (["--to", f"+{MINE}"], 2), (["alpha", "--to", "0049"], 2),
                            (["alpha", "--to", f"+{MINE}", "--messages", "0"], 2),
                            (["alpha", "--to", f"+{MINE}", "--messages", "101"], 2),
                            (["alpha", "--to", f"+{MINE}", "--messages", "ten"], 2),
                            (["alpha", "--to", f"+{MINE}", "--messages", "2", "--unrecorded"], 2),
                            (["beta", "--to", f"+{MINE}"], 1), (["alpha", "--to", f"+{MINE}", "--from", "12025550999"], 1),
                            (["alpha", "--to", f"+{MINE}", "--timeout", "soon"], 2)):
        result = world.cli("carrier", "probe", *arguments, check=False)
        assert result.returncode == code and result.stderr, (arguments, result)


def main():
    with harness.World(start=False) as world:
        world.start_redis()
        bad_lines(world)
        finds_habits(world)
        finds_windows(world)
        asks_for_each(world)
        is_recorded(world)
        pairs(world)
        tls(world)
        stop_is_not_lost(world)
        asks_the_gate(world)
        refused_bind(world)


main()
