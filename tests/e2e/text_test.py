#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Texts as subscribers receive them: each kind of concatenation, Latin-1 as default alphabet, national
shift tables, smart encoding. What `assent send --dry-run` told is what the carrier then counted."""
import re
from typing import NamedTuple

import carrier_log
import harness
from faults import TRANSACTIONAL, Case, FaultyWorld
from harness import say

GSM7, LATIN1, UCS2 = "GSM 7-bit", "Latin-1", "UCS-2"
PROGRAMS = '  - {name: typeset, brand: Press, classes: [transactional], senders: ["12025550103"], smart_encoding: yes}\n'


class Text(NamedTuple):
    text: str
    encoding: str
    parts: int  # as billed
    replaced: int = 0
    received: str = ""  # where that is not `text`
    program: str = "login"


def septets(count, last=""):
    return ("0123456789" * (count // 10 + 1))[:count] + last


EVERYWHERE = [
    Text("Hello [@] {€} ~^|\\ Ä", GSM7, 1),
    Text(septets(158, "€"), GSM7, 1),
    Text(septets(159, "€"), GSM7, 2),
    Text("Привет " * 10, UCS2, 1),
    Text("\U0001f600" * 36, UCS2, 2),
]
CASES = {
    "udh8": (Case([], None), EVERYWHERE + [
        Text(septets(306), GSM7, 2), Text(septets(307), GSM7, 3), Text(septets(152, "{}"), GSM7, 1),
        Text(septets(152, "€" + septets(151)), GSM7, 2), Text(septets(152, "€" + septets(152)), GSM7, 3),
        Text("х" * 66 + "\U0001f600" + "х" * 66, UCS2, 3), Text("ç", UCS2, 1), Text("ş", UCS2, 1)]),
    "udh16": (Case([], None, {"concatenation": "udh16"}), EVERYWHERE + [
        Text(septets(304), GSM7, 2), Text(septets(305), GSM7, 3)]),
    "sar": (Case([], None, {"concatenation": "sar"}), EVERYWHERE + [Text(septets(700), GSM7, 5)]),
    "payload": (Case([], None, {"concatenation": "payload"}), EVERYWHERE + [Text(septets(400), GSM7, 3)]),
    "latin1": (Case(["alphabet-latin1"], None, {"alphabet": "latin1", "latin1": "yes"}), [
        Text("{ñ} [@] Größe £5 ^~", GSM7, 1), Text(septets(161), GSM7, 2),
        Text("ça va, ô", LATIN1, 1), Text("ô" + septets(139), LATIN1, 1), Text("ô" + septets(140), LATIN1, 2),
        Text("Ω", UCS2, 1)]),
    "turkish": (Case([], None, {"national": "[turkish]"}), [
        Text("Değişiklik: İstanbul, şığ çay", GSM7, 1), Text("no header", GSM7, 1),
        Text("ş" + septets(154), GSM7, 1), Text("ş" + septets(155), GSM7, 2),  # a septet in the locking table
        Text("ş¿" + septets(152), GSM7, 1), Text("ş¿" + septets(153), GSM7, 2),  # which has no ¿: an escape
        Text("şığĞİŞç " * 30, GSM7, 2), Text("şığ ж", UCS2, 1)]),
    "hindi": (Case([], None, {"national": "[hindi, urdu]"}), [
        Text("नमस्ते " * 14, GSM7, 1), Text("क" * 155, GSM7, 1), Text("क" * 156, GSM7, 2),
        Text("आपका कोड 4711 है। Bank", GSM7, 1), Text("क" * 145 + "।" + "क" * 145, GSM7, 3),  # pairs are whole
        Text("شکریہ۔", GSM7, 1), Text("வணக்கம்", UCS2, 1)]),
    "typeset": (Case([], None), [
        Text("“Hi” — it’s…", GSM7, 1, 5, '"Hi" - it\'s...', "typeset"), Text("“Hi” — it’s…", UCS2, 1),
        Text("“Hi” ж", UCS2, 1, program="typeset"), Text("plain", GSM7, 1, program="typeset")]),
}


class TextWorld(FaultyWorld):
    def __init__(self):
        super().__init__({name: case for name, (case, _) in CASES.items()})
        head = self.config_text.replace("news, login]", "news, login, typeset]")
        self.config_file.write_text(head.replace("programs:\n", "programs:\n" + PROGRAMS))

    def number(self, name, index):
        return f"{self.prefix(name)}{index:06d}"

    def told(self, number, text):
        """(parts, encoding, replaced) by the dry run."""
        line = self.cli("send", "--program", text.program, "--class", "transactional", "--to", f"+{number}",
                        "--text", text.text, "--dry-run").stdout.split("\n")[0]
        found = re.fullmatch(r"would be sent  (\d+) parts?  ([^,]+)(?:, (\d+) replaced)?", line)
        assert found, line
        return int(found[1]), found[2], int(found[3] or 0)


def as_logged(text):
    """Undoes what the log escapes."""
    return re.sub(r"\\(.)", lambda c: {"t": "\t", "n": "\n", "r": "\r"}.get(c[1], c[1]), text)


def judge(world, name, texts):
    pdus = [p for p in carrier_log.read(world.folder / f"{name}.tsv") if p.incoming and p.name == "submit_sm"]
    for index, text in enumerate(texts):
        got = [p for p in pdus if p.destination == world.number(name, index)]
        whole = name == "payload" or text.parts == 1
        expected = ["1/1"] if whole else [f"{part}/{text.parts}" for part in range(1, text.parts + 1)]
        assert [p.part for p in got] == expected, (name, text, [p.part for p in got])
        received = "".join(as_logged(p.text) for p in got)
        assert received == (text.received or text.text), (name, text, received)
    say(f"{name}: {len(texts)} texts in {len(pdus)} submit_sm, received as they were written")


def main():
    with TextWorld() as world:
        world.start_redis()
        world.start_carriers()
        world.start_gateway()
        harness.wait_for("all carriers are bound", world.all_bound)
        for name, (_, texts) in CASES.items():
            for index, text in enumerate(texts):
                told = world.told(world.number(name, index), text)
                assert told == (text.parts, text.encoding, text.replaced), (name, text, told)
        assert not any(p.name == "submit_sm" for name in CASES
                       for p in carrier_log.read(world.folder / f"{name}.tsv")), "a dry run was sent"
        say("the dry run tells encoding, parts and how many characters are replaced, and sends nothing")
        for name, (_, texts) in CASES.items():
            world.submit(*[(text.program, TRANSACTIONAL, world.number(name, index), text.text)
                           for index, text in enumerate(texts)])
        harness.wait_for("every message has its end", lambda: world.metric("assent_open_messages") == 0)
        for name, (_, texts) in CASES.items():
            world.sims[name].stop()
            judge(world, name, texts)


main()
