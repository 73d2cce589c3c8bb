# SPDX-License-Identifier: Apache-2.0
"""Reads smsc-sim's log of every PDU (its columns: bench/sim_log.h) and judges by it, as a carrier would."""
from collections import deque
from typing import NamedTuple


class Pdu(NamedTuple):
    time_us: int
    session: int
    incoming: bool  # from the gateway
    name: str
    sequence: int
    status: int
    message_id: str
    source: str
    destination: str
    part: str
    text: str


def read(path):
    pdus = []
    with open(path, encoding="utf-8", errors="replace", newline="\n") as log:
        for line in log:
            columns = line.rstrip("\n").split("\t")
            if not line.endswith("\n") or line[0] == "#" or len(columns) != 11:
                continue
            time, session, direction, name, sequence, status, *rest = columns
            pdus.append(Pdu(int(time), int(session), direction == "in", name,
                            0 if sequence == "-" else int(sequence),
                            0 if status == "-" else int(status, 16), *rest))
    return pdus


def busiest_second(pdus):
    """The highest number of submit_sm in any sliding second. What the carrier read after it had stood still was
    written meanwhile: it counts over that time too, and over the tenth of a second that the gateway, which stood still
    as well, may make up for (bench/stillness.h)."""
    recent, stills, highest = deque(), deque(), 0
    for pdu in pdus:
        if pdu.name == "stood_still":
            stills.append((pdu.time_us, int(pdu.text)))
        if pdu.name == "submit_sm":
            recent.append(pdu.time_us)
            while recent[0] <= pdu.time_us - 1_000_000:
                recent.popleft()
            while stills and stills[0][0] <= pdu.time_us - 1_000_000:
                stills.popleft()
            written_in = 1_000_000 + (100_000 + sum(still for _, still in stills) if stills else 0)
            highest = max(highest, -(-len(recent) * 1_000_000 // written_in))
    return highest


def was_calm(pdus):
    """Did the machine let the carrier run all the time but half a percent? Otherwise a share of a rate that was used
    says little: the simulation judges that, whose time nobody takes (sim.pace)."""
    still = sum(int(p.text) for p in pdus if p.name == "stood_still") / (pdus[-1].time_us - pdus[0].time_us)
    if still > 0.005:
        print(f"the machine stood still for {still:.1%} of the time: the rate is judged roughly", flush=True)
    return still <= 0.005


def is_stop(text):
    return text.strip(" .!").upper() in ("STOP", "ARRÊT", "BAJA", "إيقاف")


def stops_answered(pdus):
    """{(number, sender): index in `pdus` at which its first STOP was answered with success}. The order
    of the log is the order on the wire as long as the carrier has one session."""
    asked, answered = {}, {}
    for index, pdu in enumerate(pdus):
        key = (pdu.session, pdu.sequence)
        if pdu.name == "deliver_sm" and is_stop(pdu.text):
            asked[key] = (pdu.source, pdu.destination)
        elif pdu.name == "deliver_sm_resp" and key in asked and pdu.status == 0:
            answered.setdefault(asked.pop(key), index)
    return answered


def sent_after_stop(pdus, mark):
    """submit_sm whose text holds `mark` (so: not the gateway's own words) after a STOP was answered."""
    answered = stops_answered(pdus)
    return [pdu for index, pdu in enumerate(pdus)
            if pdu.name == "submit_sm" and mark in pdu.text and
            index > answered.get((pdu.destination, pdu.source), index)]
