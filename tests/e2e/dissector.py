# SPDX-License-Identifier: Apache-2.0
"""Wireshark's SMPP dissector as a judge of the captures that smsc-sim writes (--pcap).

It puts PDUs together from packets, but gives up where a packet starts with less than a PDU's header; a
gateway that writes whole PDUs makes no such packets, and the number of PDUs found would tell.
"""
import os
import shutil
import subprocess

PORT = 2775  # the carrier's, in the captures
SECONDS = 120
MISSING = "tshark is not installed, so nobody judged the PDUs"
FAULT = "(_ws.malformed || _ws.expert.severity == error || tcp.analysis.lost_segment)"
SHOWN = 20  # faults told of a capture; the first is the one to look at


def tshark(capture, *arguments):
    result = subprocess.run(["tshark", "-n", "-r", str(capture), "-d", f"tcp.port=={PORT},smpp", *arguments],
                            capture_output=True, text=True, timeout=SECONDS)
    assert result.returncode == 0, result.stderr
    return result.stdout


def fields(capture, condition, *names):
    """For each packet that matches, the values of each of `names`: [[[value, ...], ...], ...]."""
    options = [option for name in names for option in ("-e", name)]
    lines = tshark(capture, "-Y", condition, "-T", "fields", *options).splitlines()
    return [[column.split(",") if column else [] for column in line.split("\t")] for line in lines]


def available():
    if not shutil.which("tshark"):
        assert not os.environ.get("CI"), MISSING
        print(f"  {MISSING}")
        return False
    return True


def join(captures, path):
    """One file of several, which begin with the same 24 octets: a process for each would take longer."""
    with open(path, "wb") as out:
        for at, capture in enumerate(captures):
            out.write(capture.read_bytes()[24 if at > 0 else 0:])
    return path


def judge(capture, carrier_lies=False):
    """(what is wrong, a line a fault; how many PDUs the carrier was sent). Of a carrier that lies only what it
    was told counts."""
    told = f"tcp.dstport == {PORT}"
    condition = f"({told} && {FAULT})" if carrier_lies else FAULT
    # One pass finds whether anything is wrong, and only then a second one says what.
    count = wrong = 0
    for port, ids, malformed, severities, lost in fields(
            capture, f"({told} && smpp) || {condition}", "tcp.dstport", "smpp.command_id", "_ws.malformed",
            "_ws.expert.severity", "tcp.analysis.lost_segment"):
        count += len(ids) if port == [str(PORT)] else 0
        wrong += bool(malformed or lost or "8388608" in severities)  # error
    return tshark(capture, "-Y", condition).splitlines()[:SHOWN] if wrong else [], count
