#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What words mean, as people see it: assent consent explain over every vector, words that a program adds, the
line under marketing in a dry run and on the wire, and what assentd -t says of a program's texts."""
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
from harness import say

MARKETING = 3
NUMBER = "12025550123"
VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "keywords.tsv"
WORDS = """\
    keywords: [{text: "3311", meaning: opt_out, language: ar}, {text: "ALERT #", meaning: reply}]
    phrases: [{text: no more pills}]
    help_cues: [{text: my dentist}]
"""


def explain(world, text, *options):
    said = world.cli("consent", "explain", "--json", *options, "--", text)
    return json.loads(said.stdout)


def judge_vectors(world):
    rows = [line.split("\t") for line in VECTORS.read_text().splitlines() if line.count("\t") == 2 and line[0] != "#"]

    def wrong(row):
        text, state, outcome = row
        found = explain(world, text.replace("\\n", "\n"), "--state", state)["outcome"]
        return None if found == outcome else f"{text!r} ({state}): {found}, not {outcome}"
    with ThreadPoolExecutor(4) as pool:
        faults = [fault for fault in pool.map(wrong, rows) if fault]
    assert len(rows) > 700 and not faults, faults
    say(f"assent consent explain gives the outcome of all {len(rows)} vectors")
    whole = world.cli("consent", "explain", "ARRÊT!").stdout
    for words in ("canonical  arret!", "rule       keyword/arret@1", "step       1", "language   fr", '"opt_out"'):
        assert words in whole, whole


def judge_program(world):
    for text, rule, outcome in (("3311", "program/offers/3311@", "opt_out"), ("alert 17", "program/offers/alert-#@", "reply"),
                                ("I need no more pills", "program/offers/no-more-pills@", "opt_out_intent"),
                                ("stop my dentist", "keyword/stop@", "review"), ("STOP", "keyword/stop@", "opt_out")):
        found = explain(world, text, "--program", "offers")
        assert found["outcome"] == outcome and found["rule"].startswith(rule), found
    assert explain(world, "3311")["outcome"] == "reply"
    assert explain(world, "3311", "--program", "news")["outcome"] == "reply"
    missing = world.cli("consent", "explain", "--program", "none", "STOP", check=False)
    assert missing.returncode == 1 and "has no program none" in missing.stderr, missing
    say("a program's own words are in force for it alone, and named by the configuration's hash")


def judge_line(world):
    world.record_opt_ins("news", [NUMBER])
    dry = world.cli("send", "--program", "news", "--to", NUMBER, "--text", "Herald: [sale] today", "--dry-run").stdout
    assert "with the line: Reply STOP to unsubscribe" in dry, dry
    long = world.cli("send", "--program", "news", "--to", NUMBER, "--text", "Herald: " + "x" * 140, "--dry-run").stdout
    assert "2 parts" in long, long
    has = world.cli("send", "--program", "news", "--to", NUMBER, "--text", "Herald: sale. Text STOP to end", "--dry-run")
    assert "with the line" not in has.stdout, has.stdout
    world.submit(("news", MARKETING, NUMBER, "Herald: [sale] today"))
    harness.wait_for("the text is sent", lambda: any("[sale]" in p.text for p in world.pdus() if p.name == "submit_sm"))
    sent = next(p.text for p in world.pdus() if p.name == "submit_sm" and "[sale]" in p.text)
    assert sent.endswith("[sale] today\\nReply STOP to unsubscribe"), sent
    say("marketing that does not say how to end it gets a line: told in the dry run, counted, and sent")


def judge_check(world):
    def check(text):
        path = world.folder / "other.yaml"
        path.write_text(text)
        return subprocess.run([harness.BUILD / "assentd", "-c", path, "-t"], capture_output=True, text=True,
                              timeout=harness.PATIENCE)
    good = check(world.config_text)
    assert good.returncode == 0, good
    assert "does not say how to end it: Reply STOP to unsubscribe" in good.stdout, good.stdout
    assert "no `contact`: the answer to HELP names nobody to ask" in good.stdout, good.stdout
    for was, now, why in (
            ('senders: ["12025550100"]', 'senders: ["Acme"]', "nobody can answer the sender Acme with STOP"),
            ("brand: Acme\n", "brand: Acme\n    language: tlh\n", '`language` cannot be "tlh"'),
            ('meaning: opt_out, language: ar}', 'meaning: opt_out, language: ar}, {text: End, meaning: help}',
             '`keywords` cannot have "End": it ends messages by law or custom')):
        bad = check(world.config_text.replace(was, now, 1))
        assert bad.returncode != 0 and why in bad.stderr + bad.stdout, (was, bad)
    one_way = world.config_text.replace('senders: ["12025550100"]',
                                        'senders: ["Acme"]\n    other_way_out: "https://acme.example/x"', 1)
    assert "To unsubscribe: https://acme.example/x" in check(one_way).stdout
    say("assentd -t names what would make marketing unlawful by its own texts")


def main():
    config = harness.CONFIG.replace("    brand: Acme\n", "    brand: Acme\n" + WORDS.replace("{", "{{").replace("}", "}}"), 1)
    with harness.World(config=config) as world:
        judge_vectors(world)
        judge_program(world)
        judge_line(world)
        judge_check(world)


main()
