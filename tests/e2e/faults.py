# SPDX-License-Identifier: Apache-2.0
"""Every fault of smsc-sim against the gateway: one carrier a fault, many of them at one gateway, and for
each the outcome that it must have. The list is smsc-sim's own, so a fault without a case here fails."""
import json
import subprocess
import sys
from typing import Callable, NamedTuple

import carrier_log
import harness
import wire
from harness import BUILD, say

TRANSACTIONAL, MARKETING = 2, 3
DELIVERED, UNDELIVERABLE, REJECTED, UNKNOWN, NO_RECEIPT = 1, 2, 3, 7, 9
NACK, BAD_LENGTH, BAD_COMMAND = "generic_nack", 0x02, 0x03
HEAD = """\
node: test
data_dir: {folder}/data
redis: {{url: "unix://{folder}/redis.sock"}}
listeners: [{{address: "unix://{folder}/assent.sock"}}]
http: {{address: "tcp://127.0.0.1:{http}"}}
clients: [{{name: shop, key_sha256: "{key}", programs: [news, login]}}]
programs:
  - {{name: news, brand: Herald, classes: [marketing], senders: ["12025550102"], opt_in: single, quiet_hours: off}}
  - {{name: login, brand: Bank, classes: [transactional], senders: ["12025550101"]}}
limits: {{retry_min: 100ms, retry_max: 500ms, retries: 20}}
reputation: {{filtered: {{alarm: off, pause: off}}, unknown: {{alarm: off, pause: off}}, opt_outs: {{alarm: off, pause: off}}, complaints: {{alarm: off, pause: off}}}}
carriers:
"""
CARRIER = """\
  - name: {name}
    address: "tcp://127.0.0.1:{port}"
    system_id: acme
    password_file: alpha.secret
    reconnect_min: 50ms
    reconnect_max: 200ms
    routes: ["{prefix}"]
"""
DEFAULTS = {"rate": 200, "window": 20, "request_timeout": "1s", "receipt_timeout": "4s"}


class Carrier(NamedTuple):
    """What one carrier did, read after all is over."""
    name: str
    fault: str
    text: str       # that was submitted first
    messages: dict  # id: outcome
    replies: int    # of subscribers, that were ordinary ones
    stopped: set    # numbers
    numbers: list
    pdus: list
    report: dict

    @property
    def played(self):
        return self.report["faults"][self.fault]

    def count(self, outcome):
        return sum(1 for o in self.messages.values() if o == outcome)

    def incoming(self, name, status=None):
        return [p for p in self.pdus if p.incoming and p.name == name and status in (None, p.status)]

    def ended(self, **expected):
        """So many with each outcome, and all others delivered."""
        counts = {name: self.count(globals()[name]) for name in expected}
        assert counts == expected, (self.name, counts, expected)
        rest = len(self.messages) - sum(expected.values())
        assert self.count(DELIVERED) == rest, (self.name, self.messages.values())


def delivered(c):
    c.ended()


def rejected(c):
    c.ended(REJECTED=c.played)


def nothing_known(c):
    c.ended(UNKNOWN=c.played)


def no_receipt(c):
    c.ended(NO_RECEIPT=c.played)


def mixed(c):
    """Receipts of both kinds, and each was understood."""
    c.ended(UNDELIVERABLE=c.report["receipts"]["undelivered"])
    assert c.count(UNDELIVERABLE) > 0, c.name


def reconnected(c):
    c.ended()
    assert c.report["sessions"]["bound"] > 1, c.report["sessions"]
    assert c.report["sessions"]["most_bound"] == 1, c.report["sessions"]


def gave_it_up(c):
    """What was written into the dead connection and never read is in doubt for good; the rest is delivered."""
    read = {p.destination for p in c.pdus if p.name == "submit_sm"}
    assert c.report["sessions"]["bound"] > 1, c.report["sessions"]
    c.ended(UNKNOWN=len(c.numbers) - len(read))


def broke_off(c):
    reconnected(c)
    assert c.incoming(NACK, BAD_LENGTH), "no generic_nack for a bad length"


def went_on(c):
    c.ended()
    assert len(c.incoming(NACK, BAD_COMMAND)) == c.played, c.name
    assert c.report["sessions"]["bound"] == 1


def waited_for_its_place(c):
    reconnected(c)
    assert c.report["sessions"]["binds_refused"] >= 1


def was_let_in_at_last(c):
    c.ended()
    assert c.report["sessions"]["binds_refused"] == 2, c.report["sessions"]


def answered_at_once(c):
    c.ended()
    assert c.incoming("deliver_sm_resp", 0), c.name


def answered_before_bind(c):
    c.ended()
    assert c.incoming("enquire_link_resp", 0), c.name


def stopped(c):
    """Each of them said STOP to the first text, and the second was not sent to anybody."""
    assert c.stopped == set(c.numbers), (c.name, set(c.numbers) - c.stopped)
    assert c.report["stops"]["answered"] == len(c.numbers), c.report["stops"]
    texts = {p.text for p in c.pdus if p.name == "submit_sm" and p.destination in c.numbers}
    assert "second" not in " ".join(texts), (c.name, texts)


def read_as_written(c):
    c.ended()
    texts = {p.text.replace("\\\\", "\\") for p in c.pdus if p.name == "submit_sm"}
    assert texts == {c.text}, (c.name, texts)


def survived(c):
    """An outcome of a receipt is that of a message which the carrier took."""
    assert c.count(DELIVERED) > len(c.messages) / 2, c.messages.values()
    assert not c.count(UNDELIVERABLE), c.messages.values()
    missed = [fault for fault, times in c.report["faults"].items() if times == 0]
    assert not missed, missed


def typed_in_vain(c):
    c.ended()
    assert c.replies == c.played, (c.replies, c.played)


class Case(NamedTuple):
    faults: list     # as for --fault; the first is the case's own
    expect: Callable
    keys: dict = {}  # of the carrier's configuration
    sim: list = []   # further options of smsc-sim
    messages: int = 30
    people: bool = False   # a campaign to subscribers who say STOP, instead of messages
    text: str = ""         # more of each message's text
    avoided: bool = False  # the keys see to it that the fault is never met


LATE = ["--receipt-delay", "2500ms"]  # behind the request_timeout: the receipt settles what is in doubt
UNDELIVERED = ["--undelivered-share", "30%"]
IDLE = {"enquire_link": "1s"}
LONG = " 0123456789" * 20  # two parts

CASES = {
    # receipts: when, how many
    "early-receipt": Case(["early-receipt:50%"], delivered),
    "late-receipt": Case(["late-receipt:2s:30%"], delivered),
    "double-receipt": Case(["double-receipt:50%"], delivered),
    "contradictory-receipt": Case(["contradictory-receipt:50%"], delivered, sim=["--receipt-delay", "100ms"]),
    "intermediate-receipt": Case(["intermediate-receipt:70%"], delivered, sim=["--receipt-delay", "100ms"]),
    "unknown-receipt": Case(["unknown-receipt:50%"], delivered),
    "receipt-other-session": Case(["receipt-other-session"], delivered, {"sessions": 3}),
    "receipt-last-part": Case(["receipt-last-part"], delivered, {"receipt_parts": "last"}, text=LONG),
    "receipt-flood": Case(["receipt-flood:3000"], delivered),
    # receipts: how they are written
    "receipt-in-data-sm": Case(["receipt-in-data-sm:50%"], mixed, sim=UNDELIVERED),
    "receipt-payload": Case(["receipt-payload:50%"], mixed, sim=UNDELIVERED),
    "receipt-text-only": Case(["receipt-text-only"], mixed, sim=UNDELIVERED),
    "receipt-tlv-only": Case(["receipt-tlv-only"], mixed, sim=UNDELIVERED),
    "receipt-tlv-error": Case(["receipt-tlv-error"], mixed, sim=UNDELIVERED),
    "receipt-tlv-ascii-error": Case(["receipt-tlv-ascii-error"], mixed, sim=UNDELIVERED),
    "receipt-text-variants": Case(["receipt-text-variants"], mixed, sim=UNDELIVERED, messages=60),
    # message ids
    "receipt-ids-hex": Case(["receipt-ids-hex"], delivered, {"submit_id": "dec", "receipt_id": "hex"}),
    "receipt-ids-dec": Case(["receipt-ids-dec"], delivered, {"submit_id": "hex", "receipt_id": "dec"}),
    "receipt-ids-leading-zeros": Case(["receipt-ids-leading-zeros"], delivered,
                                      {"submit_id": "dec", "receipt_id": "dec"}),
    "ids-uuid": Case(["ids-uuid"], delivered),
    "ids-long": Case(["ids-long"], delivered),
    "duplicate-id": Case(["duplicate-id:30%"], delivered),
    "no-id": Case(["no-id:30%"], no_receipt),
    # answers
    "header-only-resp": Case(["header-only-resp:30%"], no_receipt),
    "error-without-body": Case(["error-without-body:30%"], delivered),
    "error-with-body": Case(["error-with-body:30%"], delivered),
    "status": Case(["status:0x0b:30%"], rejected),
    "vendor-status": Case(["vendor-status:0x4ff:30%"], rejected),
    "queue-full": Case(["queue-full:5%"], delivered),
    "refuse-udh": Case(["refuse-udh"], delivered, {"concatenation": "sar"}, text=LONG, avoided=True),
    "refuse-sar": Case(["refuse-sar"], delivered, {"concatenation": "udh16"}, text=LONG, avoided=True),
    "refuse-payload": Case(["refuse-payload"], delivered, text=LONG, avoided=True),
    "throttle": Case(["throttle:20/s"], delivered, {"rate": 40}),
    "window": Case(["window:1"], delivered, {"window": 3}, ["--answer-delay", "5ms"], messages=8),
    "nack": Case(["nack:30%"], rejected),
    "nack-zero": Case(["nack-zero:30%"], nothing_known),
    "no-answer": Case(["no-answer:30%"], delivered, sim=LATE),
    "late-answer": Case(["late-answer:2s:30%"], delivered),
    "double-answer": Case(["double-answer:50%"], delivered),
    # texts
    "alphabet-latin1": Case(["alphabet-latin1"], read_as_written, {"alphabet": "latin1"}, text="{ñ} [@] Größe £5 ^~"),
    "alphabet-ascii": Case(["alphabet-ascii"], read_as_written, {"alphabet": "ascii"}, text="{n} [@] $5 ^~\\|"),
    # binding
    "bad-password": Case(["bad-password:2"], was_let_in_at_last),
    "ralybnd": Case(["ralybnd:1s", "drop-connection:20"], waited_for_its_place, sim=LATE),
    "wrong-bind-resp": Case(["wrong-bind-resp"], delivered),
    "bind-resp-header-only": Case(["bind-resp-header-only"], delivered),
    "bind-with-deliver": Case(["bind-with-deliver"], answered_at_once),
    "enquire-before-bind": Case(["enquire-before-bind"], answered_before_bind),
    "outbind": Case(["outbind"], delivered),
    # PDUs
    "alert-notification": Case(["alert-notification:3"], delivered),
    "unknown-command": Case(["unknown-command:10"], went_on),
    "bad-length": Case(["bad-length:10"], broke_off, sim=LATE),
    "high-sequence": Case(["high-sequence"], delivered, IDLE),
    "sequence-zero": Case(["sequence-zero"], delivered),
    # octets
    "split-length": Case(["split-length"], delivered),
    "drip": Case(["drip"], delivered),
    "many-in-one": Case(["many-in-one:200ms"], delivered),
    "slow-reader": Case(["slow-reader:200ms"], delivered),
    # sessions
    "unbind-in-flight": Case(["unbind-in-flight:10"], reconnected, sim=LATE),
    "drop-connection": Case(["drop-connection:10"], reconnected, sim=LATE),
    "half-open": Case(["half-open:20"], gave_it_up, IDLE | {"receipt_timeout": "20s"}, LATE),
    "enquire-silence": Case(["enquire-silence"], reconnected, IDLE),
    # replies
    "mo-parts": Case(["mo-parts"], stopped, people=True),
    "mo-payload": Case(["mo-payload"], stopped, people=True),
    "mo-255-octets": Case(["mo-255-octets"], stopped, people=True),
    "mo-with-plus": Case(["mo-with-plus"], stopped, people=True),
    "mo-with-00": Case(["mo-with-00"], stopped, people=True),
    "mo-national": Case(["mo-national:3"], stopped, {"country": '"999"', "national_digits": 8}, people=True),
    "mo-redelivery": Case(["mo-redelivery"], stopped, people=True),
    "fake-receipt-text": Case(["fake-receipt-text:50%"], typed_in_vain, sim=["--receipt-delay", "100ms"]),
}


# What can be played together. How each message ends depends on what met it; that all end, that none is
# sent twice, that receipts are believed and no slot leaks does not.
TOGETHER = """early-receipt:20% late-receipt:1s:10% double-receipt:20% intermediate-receipt:30% unknown-receipt:20%
    receipt-flood:500 receipt-in-data-sm:30% receipt-payload:30% receipt-text-variants:20% receipt-tlv-only:20%
    receipt-tlv-ascii-error:30% ids-uuid duplicate-id:5% no-id:5% header-only-resp:5% error-with-body:10%
    error-without-body:10% vendor-status:0x4ff:3% queue-full:1% nack:3% nack-zero:3% no-answer:3% late-answer:2s:5%
    double-answer:20% bad-password:1 ralybnd:300ms wrong-bind-resp bind-with-deliver enquire-before-bind outbind
    alert-notification:7 unknown-command:9 bad-length:41 high-sequence split-length slow-reader:20ms
    unbind-in-flight:67 drop-connection:53 fake-receipt-text:10%""".split()
ALL_AT_ONCE = {"all-at-once": Case(TOGETHER, survived, {"sessions": 2}, LATE, messages=200)}


def listed_faults():
    text = subprocess.run([BUILD / "smsc-sim", "--list-faults"], capture_output=True, text=True, check=True).stdout
    return [line.split("\t")[0] for line in text.splitlines()]


class FaultyWorld(harness.World):
    """One gateway with a carrier for each case."""

    def __init__(self, cases):
        super().__init__(start=False, config=HEAD)
        self.cases, self.sims = cases, {}

    def prefix(self, name):
        return f"999{list(self.cases).index(name):02d}"

    def numbers(self, name):
        """Under a country code that does not exist."""
        return [f"{self.prefix(name)}{n:06d}" for n in range(self.cases[name].messages)]

    def text(self, name, word):
        return f"{word} {name}{self.cases[name].text}" + (" STOP" if self.cases[name].people else "")

    def carrier_config(self, name, port):
        keys = DEFAULTS | self.cases[name].keys
        return CARRIER.format(name=name, port=port, prefix=self.prefix(name)) + \
            "".join(f"    {key}: {value}\n" for key, value in keys.items())

    def configure(self, name):
        harness.wait_for(f"{name} listens", (self.folder / f"{name}.port").exists)
        with open(self.config_file, "a", encoding="utf-8") as config:
            config.write(self.carrier_config(name, (self.folder / f"{name}.port").read_text().strip()))

    def start_carriers(self):
        for name in self.cases:
            case, people = self.cases[name], self.folder / f"{name}.people"
            people.write_text("".join(f"+{n} stop=1\n" for n in self.numbers(name)) if case.people else "")
            self.sims[name] = self.spawn(f"sim-{name}", [
                BUILD / "smsc-sim", "--listen", "tcp://127.0.0.1:0", "--port-file", self.folder / f"{name}.port",
                "--log", self.folder / f"{name}.tsv", "--report", self.folder / f"{name}.json",
                "--subscribers", people, "--reply-delay", "50ms", "--redeliver-after", "500ms",
                *sum((["--fault", fault] for fault in case.faults), []), *case.sim], harness.like_another_machine)
        for name in self.cases:
            self.configure(name)

    def submit_all(self, word, names):
        for name in names:
            program, kind = ("news", MARKETING) if self.cases[name].people else ("login", TRANSACTIONAL)
            self.submit(*[(program, kind, n, self.text(name, word)) for n in self.numbers(name)])

    @staticmethod
    def hope_for(what, condition, seconds):
        """What does not come is told by judge(), which knows whose it is."""
        try:
            harness.wait_for(what, condition, seconds)
        except AssertionError as fault:
            say(str(fault))

    def read(self, name, events):
        """What became of the messages of one carrier, by the ledger and by the carrier."""
        self.sims[name].stop()
        messages, replies, stopped = {}, 0, set()
        for event in events:
            of = lambda kind, field: event.get(kind, {}).get(field, [b""])[0]
            if of("accepted", 4) == name.encode():
                messages[event["message"] or event["sequence"]] = 0  # its id is its first record
            outcome = of("ended", 1) or of("receipt", 6)
            if outcome and event["message"] in messages:
                messages[event["message"]] = outcome
            replies += of("inbound", 1) == name.encode()
            if of("opted_out", 4) == name.encode():
                stopped.add(str(event["personal"][1][0]))
        return Carrier(name, self.cases[name].faults[0].split(":")[0], self.text(name, "first"), messages, replies, stopped, self.numbers(name),
                       carrier_log.read(self.folder / f"{name}.tsv"),
                       json.loads((self.folder / f"{name}.json").read_text()))

    def all_bound(self):
        metrics = self.metrics()
        return all(metrics[f'assent_carrier_sessions_bound{{carrier="{name}"}}'] ==
                   metrics[f'assent_carrier_sessions{{carrier="{name}"}}'] for name in self.cases)


def never_twice(carrier):
    """A text may be written again only when the carrier refused it before."""
    taken, asked = {}, {}
    for pdu in carrier.pdus:
        if pdu.name == "submit_sm":
            asked[pdu.session, pdu.sequence] = (pdu.destination, pdu.text)
            taken[pdu.destination, pdu.text] = taken.get((pdu.destination, pdu.text), 0) + 1
        elif not pdu.incoming and pdu.status != 0 and (pdu.session, pdu.sequence) in asked:
            taken[asked[pdu.session, pdu.sequence]] -= 1
    twice = [key for key, count in taken.items() if count > 1]
    assert not twice, (carrier.name, twice)


def judge(world, events):
    failed = 0
    for name, case in world.cases.items():
        carrier = world.read(name, events)
        try:
            assert (carrier.played == 0) == case.avoided, f"{carrier.fault} was played {carrier.played} times"
            assert 0 not in carrier.messages.values(), "a message has no end"
            assert carrier.report["stops"]["after_stop"] == 0, carrier.report["stops"]
            never_twice(carrier)
            case.expect(carrier)
            say(f"{name}: as it must be, {carrier.played} times")
        except AssertionError as fault:
            failed += 1
            say(f"{name}: WRONG: {fault}")
    assert failed == 0, f"{failed} of {len(world.cases)} carriers did not end as they must"


def run(world):
    with world:
        world.start_redis()
        world.start_carriers()
        world.start_gateway(wait=False)
        moved = [name for name in world.cases if world.cases[name].people]
        people = [n for name in moved for n in world.numbers(name)]
        world.wait_ready()
        world.record_opt_ins("news", people)
        harness.wait_for("all carriers are bound", world.all_bound)
        world.submit_all("first", world.cases)
        world.hope_for("the STOPs are in", lambda: world.metric("assent_opt_outs_total") >= len(people), 20)
        world.submit_all("second", moved)
        world.hope_for("every message has its end", lambda: world.metric("assent_open_messages") == 0, 40)
        if "enquire-silence" in world.cases:
            world.hope_for("the silent carrier is given up",
                           lambda: world.metric("assent_carrier_lost_total") >= 1, 20)
        world.hope_for("all carriers are bound again", world.all_bound, 20)
        slots = {key: value for key, value in world.metrics().items() if "window_used{" in key and value}
        assert world.gateway.running() and world.http("/healthz") is not None
        judge(world, world.events())
        assert not slots, f"leaked: {slots}"


def main(first=None, last=None):
    """The faults named on the command line, or those of the list from `first` up to and without `last`."""
    names = listed_faults()
    assert set(names) == set(CASES), f"no case, or no such fault: {set(names) ^ set(CASES)}"
    names = sys.argv[1:] or names[names.index(first) if first else 0:names.index(last) if last else None] + \
        (list(ALL_AT_ONCE) if last is None else [])
    run(FaultyWorld({name: (CASES | ALL_AT_ONCE)[name] for name in names}))
