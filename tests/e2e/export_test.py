#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an auditor takes away: assent export in its three forms tells the same, by every filter, twice the same octets;
an SQLite database answers with its views; the file on one person is checked by what comes with it; what cannot be is
said, and nothing is overwritten."""
import csv
import io
import json
import sqlite3
import subprocess
import sys
import zipfile

import harness
from harness import say, wait_for

MARKETING, OTP = 3, 1
READERS = [f"+1202555{n:04}" for n in range(100, 140)]
STRANGER = "+12025550199"
CODE = "+12025550150"
ODD = 'Herald: "quoted", two\nlines; Ärger, 日本 \\ and a tab\t. Reply STOP to end'


def live(world):
    world.record_opt_ins("news", READERS)
    ids = world.submit(*(("news", MARKETING, number, f"Herald: news {i}. Reply STOP to end", f"ref-{i}")
                         for i, number in enumerate(READERS)))
    odd, = world.submit(("news", MARKETING, READERS[0], ODD))
    refused, = world.submit(("news", MARKETING, STRANGER, "Herald: news. Reply STOP to end"))
    code, = world.submit(("login", OTP, CODE, "1234 is your code"))
    world.cli("consent", "optout", "--program", "news", READERS[1])
    wait_for("every end", lambda: world.metric("assent_messages_total", 'outcome="delivered"') >= len(ids) + 2)
    wait_for("the disk", lambda: world.metric("assent_ledger_durable_sequence") == world.metric("assent_ledger_sequence"))
    return ids, odd, refused, code


def export(world, *options, code=0):
    result = world.cli("export", *options, check=False)
    assert result.returncode == code, (options, result.returncode, result.stderr)
    return result


def rows_of(world, *options):
    return list(csv.DictReader(io.StringIO(export(world, *options).stdout, newline="")))


def forms_tell_the_same(world, odd):
    rows = rows_of(world)
    lines = [json.loads(line) for line in export(world, "--format", "jsonl").stdout.splitlines()]
    file = world.folder / "all.db"
    export(world, "--format", "sqlite", "-o", str(file))
    database = sqlite3.connect(file)
    database.row_factory = sqlite3.Row
    records = [dict(row) for row in database.execute("SELECT * FROM records ORDER BY sequence")]
    count = min(len(rows), len(lines), len(records))  # the gateway may have written on
    assert count > 200, count
    for row, line, record in zip(rows[:count], lines, records):
        plain = {key: str(value) for key, value in record.items() if value is not None}
        line = {key: json.dumps(value, separators=(",", ":"), ensure_ascii=False) if key == "details" else str(value)
                for key, value in line.items()}
        assert {key: value for key, value in row.items() if value} == line == plain, (row, line, plain)
    assert [row["sequence"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    accepted = next(row for row in rows if row["message"] == str(odd) and row["kind"] == "accepted")
    assert accepted["text"] == ODD and accepted["program"] == "news" and accepted["class"] == "marketing", accepted
    assert (file.stat().st_mode & 0o777) == 0o600
    say(f"{count} records, the same as CSV, JSON lines and SQLite")
    return database


def views_answer(database, ids, refused):
    messages = database.execute("SELECT * FROM messages ORDER BY id").fetchall()
    assert len(messages) == len(ids) + 3 + sum(1 for m in messages if m["class"] == "service"), len(messages)
    first = database.execute("SELECT * FROM messages WHERE id = ?", (ids[0],)).fetchone()
    assert (first["number"], first["outcome"], first["attempts"], first["parts_sent"], first["reference"]) == \
        (READERS[0], "delivered", 1, 1, "ref-0"), dict(first)
    row, = database.execute("SELECT * FROM refused WHERE id = ?", (refused,))
    assert row["number"] == STRANGER and row["reason"] == "no_opt_in" and "refused" in row["details"], dict(row)
    row, = database.execute("SELECT * FROM opt_outs WHERE number = ?", (READERS[1],))
    assert row["source"] == "submitter" or row["source"] == "operator", dict(row)
    row = database.execute("SELECT * FROM sent WHERE id = ?", (ids[0],)).fetchone()
    assert json.loads(row["gates"])["opt_in"] == "passed", dict(row)
    row = database.execute("SELECT * FROM consent WHERE number = ? AND kind = 'opt_in_recorded'", (READERS[0],)).fetchone()
    assert row["evidence"] and "obtained_wall_ms" in row["details"], dict(row)
    say("SQLite: messages with their ends, and the views consent, opt_outs, refused, sent")


def filters_select(world, ids, code):
    person = rows_of(world, "--number", READERS[0])
    assert {row["message"] for row in person if row["message"]} >= {str(ids[0])}
    assert {row["kind"] for row in person} >= {"opt_in_recorded", "accepted", "attempt", "sent"}, person
    assert not {row["number"] for row in person} - {"", READERS[0]}
    assert {row["message"] for row in rows_of(world, "--message", str(code))} == {str(code)}
    assert {row["program"] for row in rows_of(world, "--program", "login")} == {"login"}
    assert {row["program"] for row in rows_of(world, "--brand", "Herald")} == {"news"}
    assert {row["kind"] for row in rows_of(world, "--kind", "sent,accepted")} == {"sent", "accepted"}
    client = next(row["client"] for row in rows_of(world, "--message", str(ids[3])) if row["kind"] == "accepted")
    assert str(ids[3]) in {row["message"] for row in rows_of(world, "--client", client, "--kind", "sent")}, client
    assert rows_of(world, "--client", "nobody") == [] and rows_of(world, "--to", "2020-01-01") == []
    every = rows_of(world)
    middle = every[len(every) // 2]["time"]
    parts = [rows_of(world, *range_) for range_ in (("--to", middle), ("--from", middle, "--to", every[-1]["time"]))]
    assert [row["sequence"] for part in parts for row in part] == \
        [row["sequence"] for row in every if row["time"] < every[-1]["time"]]
    say("filters: number, message, program, brand, kind, client, time")


def twice_is_the_same(world, until):
    for form in ("csv", "jsonl", "sqlite"):
        files = [world.folder / f"{n}.{form}" for n in (1, 2)]
        for file in files:
            export(world, "--format", form, "--to", until, "-o", str(file))
        assert files[0].read_bytes() == files[1].read_bytes(), form
    say("the same range twice gives the same octets")


def a_case_checks_itself(world):
    world.await_checkpoint()
    key = world.cli("key", "show").stdout.strip()
    files = [world.folder / f"case{n}.zip" for n in (1, 2)]
    for file in files:
        export(world, "--case", READERS[0], "-o", str(file))
    assert files[0].read_bytes() == files[1].read_bytes() and (files[0].stat().st_mode & 0o777) == 0o600
    folder = world.folder / "case"
    with zipfile.ZipFile(files[0]) as archive:
        archive.extractall(folder)
    assert {file.name for file in folder.iterdir()} == {
        "index.html", "README.txt", "records.jsonl", "consent.jsonl", "proofs.jsonl", "checkpoint.note", "key.txt",
        "verify.py"}
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    theirs = {int(row["sequence"]) for row in rows_of(world, "--number", READERS[0])}
    assert theirs <= {record["sequence"] for record in records}, (theirs, records)
    assert {record["kind"] for record in records if record["sequence"] not in theirs} <= \
        {"scope_registered", "signing_key"}, "of nobody else"
    assert {json.loads(line)["kind"] for line in (folder / "consent.jsonl").read_text().splitlines()} == {"opt_in_recorded"}
    assert (folder / "key.txt").read_text().strip() == key and key in (folder / "README.txt").read_text()
    page = (folder / "index.html").read_text()
    assert READERS[0] in page and "single" in page and "delivered" in page and "&#34;quoted&#34;" in page, page
    assert not any(number in page for number in READERS[1:])

    def judge(name="proofs.jsonl"):
        return subprocess.run([sys.executable, "verify.py", "--key", key, name], cwd=folder, capture_output=True,
                              text=True, timeout=60, check=False)
    result = judge()
    assert result.returncode == 0 and result.stdout.count(": holds: record") == len(records), result
    proofs = (folder / "proofs.jsonl").read_text().splitlines()
    bent = json.loads(proofs[-1])
    bent["sequence"] += 1
    (folder / "bent.jsonl").write_text("\n".join([*proofs[:-1], json.dumps(bent)]))
    result = judge("bent.jsonl")
    assert result.returncode == 1 and f"bent.jsonl:{len(proofs)}: DOES NOT HOLD" in result.stdout, result
    for options, code, words in ((("--case", READERS[0]), 2, "needs -o"), (("--case", "12x", "-o", "x"), 2, "no number like"),
                                 (("--case", READERS[0], "-o", str(files[0])), 1, "nothing is overwritten"),
                                 (("--case", READERS[0], "--kind", "sent", "-o", "x"), 2, "no filter"),
                                 (("--case", "+12025550178", "-o", str(world.folder / "none.zip")), 1, "knows nothing")):
        assert words in export(world, *options, code=code).stderr, options
    assert not (world.folder / "none.zip").exists()
    say(f"the case of one person: {len(records)} records, each proven by the verifier in the file")


def diagnoses_name_the_cause(world, ids, refused):
    for word, cause in ((READERS[0], "delivered"), (f"#{ids[0]}", "delivered"), (STRANGER, "no_consent"),
                        (f"#{refused}", "no_consent"), ("+12025550177", "never_asked")):
        said = json.loads(world.cli("diagnose", "--json", word).stdout)
        assert said["cause"] == cause and set(said["tell"]) == {"en", "fr", "es", "ar", "pt", "de"}, said
    text = world.cli("diagnose", "--language", "de", READERS[0]).stdout
    assert "others get theirs" in text and "tell them de" in text and "tell them en" not in text, text
    assert "others get theirs" in world.cli("diagnose", "--carrier", "alpha").stdout
    for options, code in (((), 2), (("nonsense",), 2), (("--carrier", "nobody"), 1), (("#999999",), 1),
                          (("--language", "xx", STRANGER), 2)):
        assert world.cli("diagnose", *options, check=False).returncode == code, options
    say("diagnose: delivered, refused, never asked for; one person or many")


def what_cannot_be_is_said(world):
    there = world.folder / "1.csv"
    before = there.read_bytes()
    assert "nothing is overwritten" in export(world, "-o", str(there), code=1).stderr and there.read_bytes() == before
    for options, words in ((("--format", "xml"), "csv, jsonl and sqlite"), (("--format", "sqlite"), "needs -o"),
                           (("--from", "yesterday"), "no time like"), (("--number", "12x"), "no number like"),
                           (("--from", "2026-02-01", "--to", "2026-01-01"), "not later than"),
                           (("--kind", "sent,nonsense"), "--kind nonsense"), (("--message", "x"), "no id")):
        assert words in export(world, *options, code=2).stderr, options
    nothing = export(world, "--data", str(world.folder), code=1)
    assert "ledger cannot be opened" in nothing.stderr and nothing.stdout == "", nothing
    say("bad input is said, and nothing is overwritten")


def main():
    with harness.World() as world:
        ids, odd, refused, code = live(world)
        database = forms_tell_the_same(world, odd)
        views_answer(database, ids, refused)
        filters_select(world, ids, code)
        twice_is_the_same(world, rows_of(world)[-1]["time"])
        a_case_checks_itself(world)
        diagnoses_name_the_cause(world, ids, refused)
        what_cannot_be_is_said(world)


if __name__ == "__main__":
    main()
