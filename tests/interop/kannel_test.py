#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kannel as client of smsc-sim: bearerbox binds, smsbox takes texts over HTTP and hands receipts and
replies to a small web server here. What comes out of Kannel must be what the carrier's log says."""
import http.server
import shutil
import sys
import threading
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
import harness  # noqa: E402
from harness import say  # noqa: E402

SENDER = "12025550199"
OFFER = "Spring sale at Acme. Reply STOP to end"
TEXTS = [OFFER, "with { } [ ] ~ ^ € of the extension table", "Срочно: код 1234", "A long text of many words. " * 12]
NUMBERS = [f"1202555{n:04d}" for n in range(150, 158)]
STATES = {"1": "stat:DELIVRD", "2": "stat:UNDELIV"}  # by Kannel's word for them

CONFIGURATION = """\
group = core
admin-port = {admin}
admin-password = test
smsbox-port = {smsbox}
box-allow-ip = 127.0.0.1
dlr-storage = internal
log-level = 1
{connections}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
log-level = 1

group = sendsms-user
username = test
password = test
max-messages = 5
concatenation = true

group = sms-service
keyword = default
max-messages = 0
get-url = "http://127.0.0.1:{web}/reply?from=%p&to=%P&text=%a"
"""
CONNECTION = """
group = smsc
smsc = smpp
smsc-id = sim
host = 127.0.0.1
{kind}
smsc-username = kannel
smsc-password = pass1234
system-type = ""
enquire-link-interval = 1
source-addr-ton = 1
source-addr-npi = 1
dest-addr-ton = 1
dest-addr-npi = 1
"""


class Web:
    """Notes every request: [(path, {name: value})]."""

    def __init__(self):
        self.seen = seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urllib.parse.urlsplit(self.path)
                seen.append((parts.path, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path):
        return [fields for seen, fields in list(self.seen) if seen == path]


def find(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def send(port, web, number, text):
    receipt = f"http://127.0.0.1:{web}/receipt?kind=%d&number={number}&id=%F&text=%A"
    query = urllib.parse.urlencode({
        "username": "test", "password": "test", "from": SENDER, "to": number, "text": text, "charset": "UTF-8",
        "coding": 0 if text.replace("€", "").isascii() else 2, "dlr-mask": 3, "dlr-url": receipt})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/cgi-bin/sendsms?{query}", timeout=10) as answer:
        assert answer.status == 202, (answer.status, answer.read())


def kannel(world, web, transceiver):
    ports = {name: harness.free_port() for name in ("admin", "smsbox", "sendsms")}
    kinds = [f"port = {world.carrier_port}\ntransceiver-mode = true"] if transceiver else [
        f"port = {world.carrier_port}", f"receive-port = {world.carrier_port}"]
    (world.folder / "kannel.conf").write_text(CONFIGURATION.format(
        web=web.port, connections="".join(CONNECTION.format(kind=kind) for kind in kinds), **ports))
    world.spawn("bearerbox", [find("bearerbox"), "kannel.conf"])
    harness.wait_for("bearerbox listens", lambda: harness.can_connect(ports["smsbox"]))
    world.spawn("smsbox", [find("smsbox"), "kannel.conf"])
    harness.wait_for("smsbox listens", lambda: harness.can_connect(ports["sendsms"]))
    return ports["sendsms"]


def run(transceiver, state, *carrier_options):
    web = Web()
    with harness.World(start=False) as world:
        subscribers = world.folder / "subscribers"
        subscribers.write_text("".join(f"+{n} stop=1\n" for n in NUMBERS))
        world.start_carrier("--subscribers", subscribers, "--reply-delay", "20ms", "--receipt-delay", "50ms",
                            "--system-id", "kannel", "--password", "pass1234", "--enquire-link", "1s", *carrier_options)
        port = kannel(world, web, transceiver)
        harness.wait_for("Kannel is bound", lambda: len([p for p in world.pdus() if p.name.startswith("bind_") and
                         p.name.endswith("_resp") and p.status == 0]) == (1 if transceiver else 2))
        for at, number in enumerate(NUMBERS):
            send(port, web.port, number, TEXTS[at % len(TEXTS)])
        judge(world, web, state)
        harness.wait_for("both sides have asked enquire_link", lambda: {
            p.incoming for p in world.pdus() if p.name == "enquire_link_resp" and p.status == 0} == {True, False})
        for child in ("smsbox", "bearerbox"):
            next(c for c in world.children if c.name == child).stop()
        nacks = [p for p in world.pdus() if p.name == "generic_nack" or (p.name.endswith("_resp") and p.status)]
        assert not nacks, nacks[:3]


def judge(world, web, state):
    offered = [n for n, text in zip(NUMBERS, TEXTS * 2) if text == OFFER]
    harness.wait_for("every text has its receipt", lambda: {f["number"] for f in web.of("/receipt")} == set(NUMBERS))
    harness.wait_for("the replies are there", lambda: len(web.of("/reply")) == len(offered))
    # The carrier may still be writing down the last answers.
    harness.wait_for("Kannel has answered every deliver_sm", lambda: len([
        p for p in world.pdus() if p.name == "deliver_sm_resp" and p.status == 0]) == len([
            p for p in world.pdus() if p.name == "deliver_sm"]))
    submits = [p for p in world.pdus() if p.name == "submit_sm"]
    for number, text in zip(NUMBERS, TEXTS * 2):
        parts = sorted((p for p in submits if p.destination == number), key=lambda p: p.part)
        assert "".join(p.text for p in parts) == text, (text, parts)
        assert len(parts) == (3 if len(text) > 160 else 1), parts
    receipts, replies = web.of("/receipt"), web.of("/reply")
    assert all(f["kind"] == state and STATES[state] in f["text"] for f in receipts), receipts
    assert all(f"id:{f['id']} " in f["text"] for f in receipts if f["id"]), receipts
    assert sorted(f["from"].lstrip("+") for f in replies) == offered, replies
    assert all(f["text"].strip(" .!").upper() == "STOP" and f["to"].lstrip("+") == SENDER for f in replies), replies
    say(f"Kannel sent {len(submits)} submit_sm for {len(NUMBERS)} texts, all read as they were; it handed on "
        f"{len(receipts)} receipts ({STATES[state]}) and {len(replies)} replies")


def main():
    if not (find("bearerbox") and find("smsbox")):
        harness.missing("Kannel")
    run(True, "1")
    run(False, "2", "--undelivered-share", "100%", "--fault", "receipt-text-only")


main()
