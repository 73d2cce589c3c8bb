#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The profiles of deploy/carriers: `assentd -t` accepts each as it stands, and each does what it is for,
against smsc-sim with the faults of such a carrier."""
import re
import subprocess
from pathlib import Path

import faults
from faults import LONG, Case, delivered, read_as_written
from harness import BUILD, say

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "carriers"


def opted_out_there(c):
    """A refusal that says so is an opt-out here too."""
    c.ended(REJECTED=c.played)
    assert len(c.stopped) == c.played, (c.stopped, c.played)


CASES = {
    "strict-window-1": Case(["window:1"], delivered, sim=["--answer-delay", "5ms"], messages=20, avoided=True),
    "10dlc-aggregator": Case(["vendor-status:0x442:20%", "ids-uuid", "receipt-other-session", "late-receipt:1s"],
                             opted_out_there, messages=20),
    "hex-decimal-ids": Case(["receipt-ids-dec"], delivered),
    "latin1": Case(["alphabet-latin1"], read_as_written, text="{ñ} [@] Größe, ça va"),
    "long-udh16": Case(["refuse-sar", "refuse-payload"], delivered, text=LONG, avoided=True),
    "long-sar": Case(["refuse-udh", "refuse-payload"], delivered, text=LONG, avoided=True),
    "long-payload": Case(["refuse-udh", "refuse-sar"], delivered, text=LONG, avoided=True),
}


class ProfileWorld(faults.FaultyWorld):
    def carrier_config(self, name, port):
        profile = (FOLDER / f"{name}.yaml").read_text().split("carriers:\n")[1]
        for pattern, instead in ((r"- name: .*", f"- name: {name}"),
                                 (r"address: \".*\"", f'address: "tcp://127.0.0.1:{port}"'),
                                 (r"password_file: .*", "password_file: alpha.secret"),
                                 (r"routes:(.|\n)*", f'routes: ["{self.prefix(name)}"]\n')):
            profile, count = re.subn(pattern, instead, profile)
            assert count == 1, (name, pattern)
        return profile

    def accepts(self, profile):
        """As it stands, in a configuration that is complete with it."""
        text = profile.read_text()
        for secret in re.findall(r"password_file: (\S+)", text):
            (self.folder / secret).write_text("secret\n")
            (self.folder / secret).chmod(0o600)
        config = self.folder / profile.name
        config.write_text(self.config_text.split("carriers:\n")[0] + text)
        result = subprocess.run([BUILD / "assentd", "-t", "-c", config], capture_output=True, text=True, check=False)
        assert result.returncode == 0, (profile.name, result.stderr)
        say(f"assentd -t accepts {profile.name}")


profiles = sorted(p for p in FOLDER.glob("*.yaml") if p.stem != "tls")  # tls_test.py has that one
assert {p.stem for p in profiles} == set(CASES), "a profile without a case, or the reverse"
world = ProfileWorld(CASES)
for one in profiles:
    world.accepts(one)
faults.run(world)
