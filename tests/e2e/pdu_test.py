#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""assent pdu and assentd --trace-pdu: PDUs field by field, and what must not be seen is not."""
import re
import struct
import subprocess

import harness
from harness import say

NUMBER = "12025550177"
TEXT = "Your code is 482913"


def pdu(command_id, body=b"", status=0, sequence=7):
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence) + body


def submit_sm(text=b"Hello"):
    return pdu(4, b"\0\5\0ACME\0\1\1" + NUMBER.encode() + b"\0\0\0\0\0\0\1\0\0\0" + bytes([len(text)]) + text)


def show(*arguments, given=None):
    return subprocess.run([harness.BUILD / "assent", "pdu", *arguments], input=given, capture_output=True,
                          text=True, timeout=harness.PATIENCE)


def judge_pdu():
    spaced = submit_sm().hex(" ")
    hidden = show(*spaced.split())
    assert hidden.returncode == 0 and hidden.stderr == "", hidden
    for words in ("PDU 1: submit_sm, ", "destination_addr ", '"###########"', "short_message ", "hidden, 5 octets"):
        assert words in hidden.stdout, hidden.stdout
    assert NUMBER not in hidden.stdout and "ACME" not in hidden.stdout and "Hello" not in hidden.stdout
    shown = show("--show-texts", given=spaced + "\n" + pdu(0x80000004, b"id-1\0").hex().upper())
    assert shown.returncode == 0, shown
    for words in (f'"{NUMBER}"', '"ACME"', '"Hello"', "PDU 2: submit_sm_resp", '"id-1"'):
        assert words in shown.stdout, shown.stdout
    say("assent pdu shows PDUs from arguments and from standard input, and hides what it should")
    for arguments, words in (
            (["0000001g"], "argument 1, line 1, column 8: no hexadecimal digit"),
            (["00000010", "80000"], "the last octet has one digit only"),
            ([], "no octets were given"),
            ([pdu(0x15).hex() + "000000"], "PDU 2, at octet 16: 3 octets are there, and a header has 16"),
            ([submit_sm().hex()[:-2]], "PDU 1, at octet 0: it says that it has 53 octets, and 52 are there"),
            (["0000000f00000015"], "PDU 1, at octet 0: its command_length is 15; 16 to 65536 can be"),
    ):
        result = show(*arguments, given="")
        assert result.returncode == 1 and words in result.stderr, (arguments, result)
    broken = show(given=pdu(4, b"\0\1\1123").hex(" ") + "\n  zz")
    assert broken.returncode == 1 and "line 2, column 3" in broken.stderr, broken
    broken = show(pdu(4, b"\0\1\1123").hex())
    assert broken.returncode == 1 and "source_addr cannot be read from octet 19 on" in broken.stdout, broken
    assert "--show-texts" in show("--help").stdout and show("--shape").returncode == 2
    say("bad input says where it is bad")


def restart(world, *options):
    world.gateway.stop()
    world.gateway = world.spawn("assentd", [harness.BUILD / "assentd", "-c", world.config_file, *options])
    world.wait_ready()


def traced(world, begin):
    """Send one message; the log's lines about PDUs from then on."""
    world.cli("send", "--program", "login", "--class", "otp", "--to", NUMBER, "--text", TEXT, "--wait")
    return [line for line in world.gateway.output()[begin:].splitlines() if "event=pdu" in line]


def judge_trace(world):
    assert not traced(world, 0), "PDUs are traced though nobody asked"
    begin = len(world.gateway.output())
    restart(world, "--trace-pdu", "alpha")
    lines = traced(world, begin)
    log = world.gateway.output()
    assert "event=tracing_pdus carrier=alpha numbers_and_texts=hidden" in log
    for way, command in (("out", "bind_transceiver"), ("in", "bind_transceiver_resp"), ("out", "submit_sm"),
                         ("in", "submit_sm_resp"), ("in", "deliver_sm"), ("out", "deliver_sm_resp")):
        found = [line for line in lines if re.search(rf'way={way} .*command_id="0x[0-9a-f]{{8}} {command}"', line)]
        assert found, (way, command, lines)
    assert "pass1234" not in log and NUMBER not in log and "482913" not in log and TEXT.encode().hex() not in log
    assert all(len(line) < 1024 for line in lines)
    say("a traced carrier's PDUs are in the log, without numbers, texts and the password")
    begin = len(world.gateway.output())
    restart(world, "--trace-pdu", "alpha", "--show-texts")
    lines = traced(world, begin)
    text = "\n".join(lines)
    assert f'destination_addr="{NUMBER}"' in text and f'short_message="{TEXT}"' in text, lines
    assert "pass1234" not in text
    say("with --show-texts numbers and texts are there too")


def judge_options(world):
    def run(*options):
        return subprocess.run([harness.BUILD / "assentd", "-c", world.config_file, *options], cwd=world.folder,
                              capture_output=True, text=True, timeout=harness.PATIENCE)
    result = run("--trace-pdu", "omega")
    assert result.returncode == 2 and "there are: alpha" in result.stderr, result
    assert run("--show-texts").returncode == 2
    assert "--trace-pdu" in run("--help").stdout
    say("an unknown carrier is refused, with the names that there are")


def main():
    judge_pdu()
    with harness.World() as world:
        judge_trace(world)
        world.gateway.stop()
        judge_options(world)


main()
