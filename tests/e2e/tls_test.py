#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS on every side: to the carrier with certificates both ways, from submitters known by key or by
certificate, new files under traffic, and the openssl command as the judge of both our roles."""
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import harness
from harness import PATIENCE, say, wait_for

OTP = 1
CERTIFICATES = Path(__file__).resolve().parent.parent / "certificates"
PROFILE = Path(__file__).resolve().parents[2] / "deploy" / "carriers" / "tls.yaml"


def carrier_of_profile():
    """The profile with the carrier of this test in it."""
    text = PROFILE.read_text().split("carriers:\n")[1]
    for pattern, instead in ((r"- name: .*", "- name: alpha"),
                             (r"address: .*", 'address: "tls://localhost:{carrier}"'),
                             (r"ca_file: .*", "ca_file: ca.pem"), (r"cert_file: .*", "cert_file: ours.pem"),
                             (r"key_file: .*", "key_file: ours.key"), (r"password_file: .*", "password_file: alpha.secret"),
                             (r"rate: .*", "rate: {rate}"),
                             (r"reconnect_min: .*", "reconnect_min: 50ms\n    reconnect_max: 200ms"),
                             (r"routes: .*", 'routes: [""]')):
        text, count = re.subn(pattern, instead, text)
        assert count == 1, pattern
    return "carriers:\n" + text


CONFIG = harness.CONFIG.split("carriers:\n")[0] + carrier_of_profile()
CONFIG = CONFIG.replace('  - {{address: "tcp://127.0.0.1:{port}"}}', """\
  - address: "tls://127.0.0.1:{port}"
    tls: {{cert_file: gateway.pem, key_file: gateway.key, client_ca_file: ca.pem}}""").replace(
    "clients:\n", """\
clients:
  - {{name: partner, certificate: shop.example, programs: [login]}}
""")


class TlsWorld(harness.World):
    """Its carrier speaks TLS with server.pem and asks for a certificate signed by `client_ca`."""

    def __init__(self):
        super().__init__(config=CONFIG, start=False)
        subprocess.run([CERTIFICATES, self.folder], check=True, timeout=PATIENCE)
        self.install("server", "gateway")
        self.install("client", "ours")

    def install(self, source, target):
        """Certificate and key, each whole or not at all, as a renewal does it."""
        for suffix in (".key", ".pem"):
            fresh = self.folder / (target + suffix + ".new")
            shutil.copy(self.folder / (source + suffix), fresh)
            fresh.replace(self.folder / (target + suffix))

    def start_tls_carrier(self, certificate="server", client_ca="ca"):
        self.start_carrier("--listen", f"tls://127.0.0.1:{self.carrier_port}", "--tls-cert",
                           self.folder / f"{certificate}.pem", "--tls-key", self.folder / f"{certificate}.key",
                           "--tls-client-ca", self.folder / f"{client_ca}.pem")

    def reload(self):
        """SIGHUP; waits until the files have been read."""
        before = self.gateway.output().count("event=tls_files_read")
        self.gateway.signal(signal.SIGHUP)
        wait_for("the files are read", lambda: self.gateway.output().count("event=tls_files_read") > before)

    def tls_cli(self, *arguments, certificate="client", client=None):
        """The command line over TLS, from a machine with only these files."""
        command = [harness.BUILD / "assent", "-s", f"tls://127.0.0.1:{self.port}", "--tls-ca", self.folder / "ca.pem"]
        if certificate:
            command += ["--tls-cert", self.folder / f"{certificate}.pem", "--tls-key",
                        self.folder / f"{certificate}.key"]
        if client:
            command += ["--client", client]
        return subprocess.run([*map(str, command), *map(str, arguments)], capture_output=True, text=True,
                              timeout=PATIENCE)

    def openssl(self, *arguments, say_in="", seconds=20):
        """`openssl s_client` against `arguments`; stdout and stderr together."""
        done = subprocess.run(["openssl", "s_client", "-CAfile", self.folder / "ca.pem", *map(str, arguments)],
                              input=say_in, capture_output=True, text=True, timeout=seconds)
        return done.stdout + done.stderr


def traffic(world, count):
    """Codes in many small calls, so that some are on the way at any moment; gives their ids."""
    ids = []
    for n in range(count // 20):
        ids += world.submit(*[("login", OTP, "12025550150", f"code {n * 20 + k}") for k in range(20)])
        time.sleep(0.03)
    return ids


def test_messages_go_over_tls_and_files_change_under_traffic(world):
    ids = []
    sender = threading.Thread(target=lambda: ids.extend(traffic(world, 2000)))
    sender.start()
    for source in ("fresh", "server", "fresh"):
        time.sleep(0.8)
        world.install(source, "gateway")
        world.reload()
    # A key that does not fit: what was there stays, loudly.
    (world.folder / "ours.key").write_bytes((world.folder / "fresh.key").read_bytes())
    world.reload()
    assert 'event=tls_files_kept carrier="alpha" file=key_file' in world.gateway.output()
    world.install("client", "ours")
    world.reload()
    sender.join(60)
    wait_for("all are delivered", lambda: world.metric("assent_messages_total", 'outcome="delivered"') == len(ids))
    sent = [p.text for p in world.pdus() if p.name == "submit_sm"]
    assert len(ids) == 2000 and len(sent) == 2000 and len(set(sent)) == 2000, (len(ids), len(sent))
    assert "event=carrier_lost" not in world.gateway.output()
    say("2,000 messages while the files changed five times: none lost, none twice, no session lost")


def test_new_connections_use_the_new_files(world):
    """The carrier comes back and trusts another authority: only the new certificate gets in."""
    world.carrier.stop()
    wait_for("the carrier is lost", lambda: "event=carrier_lost" in world.gateway.output())
    world.start_tls_carrier(client_ca="other-ca")
    wait_for("the old certificate is refused", lambda: "tls_certificate_refused" in world.gateway.output())
    world.install("stranger", "ours")
    world.reload()
    world.wait_ready()
    world.submit(("login", OTP, "12025550151", "after the change"))
    wait_for("it arrives", lambda: any(p.text == "after the change" for p in world.pdus()))
    say("a carrier that trusts another authority: refused, then bound with the new file, without a restart")


def test_a_carrier_that_is_not_who_it_should_be(world):
    for certificate, why in (("wrong-name", "tls_name_mismatch"), ("expired", "tls_certificate_expired"),
                             ("untrusted", "tls_untrusted")):
        world.carrier.stop()
        world.start_tls_carrier(certificate=certificate, client_ca="other-ca")
        wait_for(why, lambda: f'event=carrier_not_bound carrier=alpha why="{why}"' in world.gateway.output())
        assert not any(p.name.startswith("bind") for p in world.pdus())
        say(f"a carrier's certificate that is {certificate}: {why}, nothing is said to it")
    world.carrier.stop()
    world.start_tls_carrier(client_ca="other-ca")
    world.wait_ready()


def test_submitters_over_tls(world):
    done = world.tls_cli("send", "--program", "login", "--class", "otp", "--to", "+12025550160", "--text", "by certificate")
    assert done.returncode == 0 and "accepted" in done.stdout, done
    done = world.tls_cli("send", "--program", "offers", "--to", "+12025550160", "--text", "not its program")
    assert done.returncode == 1, done
    done = world.tls_cli("status", client="shop")
    assert done.returncode == 1 and "a key is needed" in done.stderr, done  # a certificate is one client's
    done = world.tls_cli("status", certificate=None)
    assert done.returncode == 1 and "tls_peer_wants_certificate" in done.stderr, done
    done = world.tls_cli("status", certificate="stranger")
    assert done.returncode == 1 and "tls_certificate_refused" in done.stderr, done
    say("submitters: the certificate's client sends, for its programs alone; no certificate and a stranger's do not")


def test_assent_bench_over_tls(world):
    done = subprocess.run([harness.BUILD / "assent-bench", "--connect", f"tls://127.0.0.1:{world.port}",
                           "--tls-ca", world.folder / "ca.pem", "--tls-cert", world.folder / "client.pem",
                           "--tls-key", world.folder / "client.key", "--program", "login", "--class", "otp",
                           "--messages", "5000", "--calls", "16", "--connections", "2"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and '"accepted": 5000' in done.stdout, done
    say("assent-bench: 5,000 messages over TLS")


def test_openssl_as_client(world):
    for port, name in ((world.port, "the listener"), (world.carrier_port, "smsc-sim")):
        at = ("-connect", f"127.0.0.1:{port}", "-verify_return_error", "-verify_ip", "127.0.0.1")
        ours = ("-cert", world.folder / "client.pem", "-key", world.folder / "client.key")
        for version, shown in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            words = world.openssl(*at, *ours, version)
            assert shown in words and "Verify return code: 0 (ok)" in words, words
            assert "Acceptable client certificate CA names" in words, words
        words = world.openssl(*at, *ours, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
        assert "alert protocol version" in words, words
        words = world.openssl(*at, "-tls1_2")
        assert "alert" in words, words
        words = world.openssl(*at, *ours, "-tls1_2", say_in="R\n")
        assert "no renegotiation" in words, words
        say(f"openssl s_client and {name}: TLS 1.2 and 1.3; 1.1, no certificate and renegotiation refused")


def test_openssl_as_carrier(world):
    """What it prints is the gateway's bind, as it was before encryption."""
    world.carrier.stop()
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{world.carrier_port}", "-quiet", "-Verify",
                               "1", "-verify_return_error", "-CAfile", world.folder / "other-ca.pem", "-cert",
                               world.folder / "server.pem", "-key", world.folder / "server.key"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              preexec_fn=harness.die_with_parent)
    try:
        head = server.stdout.read(4)
        bind = head + server.stdout.read(int.from_bytes(head, "big") - 4)
    finally:
        server.kill()
        server.wait()
    assert bind[4:8] == b"\0\0\0\x09" and b"acme\0pass1234\0" in bind, bind
    say("openssl s_server reads our bind_transceiver, having verified our certificate")


def test_expiry_is_shown(world):
    world.install("soon", "gateway")
    world.reload()
    assert "event=tls_certificate_expires listener=" in world.gateway.output()
    left = world.metric("assent_tls_certificate_expiry_seconds", "listener=") - time.time()
    assert 2 * 86400 < left <= 3 * 86400, left
    checked = subprocess.run([harness.BUILD / "assentd", "-t", "-c", world.config_file], capture_output=True, text=True,
                             timeout=PATIENCE)
    assert checked.returncode == 0 and "in less than 14 days" in checked.stdout, checked
    say("a certificate with three days left: warned about, in the metrics, and by assentd -t")


def test_the_profile_as_it_stands(world):
    for name in ("encrypted-ca.pem", "acme.pem", "acme.key", "encrypted.secret"):
        source = {"encrypted-ca": "ca", "acme": "client", "encrypted": "alpha"}[name.rsplit(".", 1)[0]]
        shutil.copy(world.folder / (source + "." + name.rsplit(".", 1)[1]), world.folder / name)
    config = world.folder / "profile.yaml"
    config.write_text(world.config_text.split("carriers:\n")[0] + PROFILE.read_text())
    checked = subprocess.run([harness.BUILD / "assentd", "-t", "-c", config], capture_output=True, text=True,
                             timeout=PATIENCE)
    assert checked.returncode == 0 and "signed by" in checked.stdout, checked
    say("assentd -t accepts deploy/carriers/tls.yaml")


def main():
    with TlsWorld() as world:
        test_the_profile_as_it_stands(world)
        world.start_redis()
        world.start_tls_carrier()
        world.start_gateway()
        test_messages_go_over_tls_and_files_change_under_traffic(world)
        test_submitters_over_tls(world)
        test_assent_bench_over_tls(world)
        test_openssl_as_client(world)
        test_new_connections_use_the_new_files(world)
        test_a_carrier_that_is_not_who_it_should_be(world)
        test_openssl_as_carrier(world)
        test_expiry_is_shown(world)
        words = world.gateway.output()
        assert "pass1234" not in words and "12025550" not in words, "a secret or a number in the log"


main()
