#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CSV as people have it: a bad row is named by row and column, the other rows are sent."""
import harness
from harness import say

MESSAGES = ("number,name,code\n"
            "+12025550101,Ann,1111\n"          # row 2
            "0044 20 7946 0000,Bob,2222\n"     # row 3: not E.164
            '"+12025550102","Cy ""C"" D, Jr",3333\n'
            ",Eve,4444\n"                      # row 5: empty
            "+12025550103,Zoë 🌱,5555\n"
            "+1202555010x,Max,6666\n")         # row 7


def submitted(world):
    return {p.destination: p.text for p in world.pdus() if p.name == "submit_sm"}


def send(world, text, *options, encoding="utf-8"):
    file = world.folder / "rows.csv"
    file.write_bytes(text.encode(encoding))
    return world.cli("send", "--program", "login", "--class", "otp", "--csv", file,
                     "--template", "{name}: {code}", *options, check=False)


def bad_rows(world):
    result = send(world, MESSAGES, "--dry-run")
    assert result.returncode == 1 and not submitted(world), result
    result = send(world, MESSAGES, "--wait")
    assert result.returncode == 1, result
    for row in ("row 3", "row 5", "row 7"):
        assert row in result.stderr, (row, result.stderr)
    assert "column number" in result.stderr, result.stderr
    assert submitted(world) == {"12025550101": "Ann: 1111", "12025550102": 'Cy "C" D, Jr: 3333',
                                "12025550103": "Zoë 🌱: 5555"}, submitted(world)
    say("three bad rows are named, the other three were sent; a dry run sends nothing")


def shapes(world):
    crlf = "\ufeffNumber;Name;Code\r\n+12025550111;Ann;1\r\n\r\n+12025550112;Bob;2\r\n"
    assert send(world, crlf, "--wait").returncode == 0
    assert submitted(world)["12025550112"] == "Bob: 2"
    say("semicolons, CRLF, a byte order mark, an empty line")
    for text, word in (("", ""), ("name,code\nAnn,1\n", "number"), ("number,name\n+12025550113,Ann\n", "code")):
        result = send(world, text)
        assert result.returncode in (1, 2) and result.stderr and word in result.stderr, (text, result)
    result = send(world, "number,name,code\n+12025550114,Jos\xe9,1\n+12025550115,Ann,2\n", "--wait", encoding="latin-1")
    assert result.returncode == 1 and "row 2" in result.stderr and "UTF-8" in result.stderr, result
    assert "12025550115" in submitted(world) and "12025550114" not in submitted(world)
    missing = world.cli("send", "--program", "login", "--csv", world.folder / "nowhere.csv", "--template", "x", check=False)
    assert missing.returncode in (1, 2) and "nowhere.csv" in missing.stderr, missing
    say("no file, no header, no such column, not UTF-8: said so")


def imports(world):
    opt_ins = world.folder / "optins.csv"
    opt_ins.write_text("number,source,evidence,obtained_at\n"
                       "+12025550121,web form,ticked,2026-01-02\n"
                       "+12025550122,web form,ticked,yesterday\n"
                       "+12025550123,shop,signed paper,2026-01-02T03:04:05Z\n")
    result = world.cli("consent", "import", "--program", "news", "--kind", "optin", opt_ins, check=False)
    assert result.returncode == 1, result
    rejected = (world.folder / "optins.rejected.csv").read_text()
    assert "12025550122" in rejected and "obtained_at" in rejected and rejected.count("\n") == 2, rejected
    opt_outs = world.folder / "optouts.csv"
    opt_outs.write_text("number\n+12025550123\n")
    world.cli("consent", "import", "--program", "news", "--kind", "optout", opt_outs)
    sent = world.cli("send", "--program", "news", "--csv", opt_ins, "--template", "Herald news. STOP ends", "--wait", check=False)
    reached = {n for n, text in submitted(world).items() if text.startswith("Herald")}
    assert reached == {"12025550121"}, (reached, sent)
    say("import of opt-ins and opt-outs: the rejected row stands in FILE.rejected.csv with its reason")
    asked = world.folder / "ask.csv"
    asked.write_text("number,name,language,how\n+12025550131,Ann,en,web form\n+33639981231,Zoé,fr,shop\nnobody,X,en,x\n")
    result = world.cli("consent", "request", "--program", "offers", "--csv", asked, check=False)
    assert result.returncode == 1 and "nobody" in (world.folder / "ask.rejected.csv").read_text(), result
    harness.wait_for("the questions are sent", lambda: {"12025550131", "33639981231"} <= set(submitted(world)))
    assert "OUI" in submitted(world)["33639981231"], submitted(world)["33639981231"]
    say("consent request --csv asks each in their language")


def main():
    with harness.World(rate=500, carrier_options=["--subscribers", "none"]) as world:
        bad_rows(world)
        shapes(world)
        imports(world)


main()
