#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wrong configuration: file, line, what is allowed; exit 2, and nothing is started."""
import subprocess

import harness
from harness import say

# (what is replaced, by what, words that the message must hold)
FAULTS = [
    ("node: test", "node: test\ncolour: blue", ["colour", "node, data_dir"]),
    ("    rate: 500", "    rate: fast", ["rate", "whole number"]),
    ("    rate: 500", "    rate: 0", ["rate", "1 to 1000000"]),
    ("    bind: transceiver", "    bind: sideways", ["bind", "transceiver"]),
    ("    opt_in: double", "    opt_in: never", ["opt_in", "double"]),
    ("    classes: [marketing]", "    classes: [gossip]", ["gossip", "otp"]),
    ("    window: 100", "    window: 100\n    window: 200", ["window", "twice"]),
    ("password_file: alpha.secret", "password_file: nowhere.secret", ["nowhere.secret"]),
    ("programs: [offers, news, login]", "programs: [offers, nothing]", ["nothing"]),
    ('routes: [""]', 'routes: ["12x"]', ["route", "12x"]),
    ("redis: {{", "redis: {{{{", []),
]


def line_of(text, part):
    return text[:text.index(part)].count("\n") + 1


def run(world, *options):
    return subprocess.run([harness.BUILD / "assentd", "-c", world.config_file, *options], cwd=world.folder,
                          capture_output=True, text=True, timeout=harness.PATIENCE)


def main():
    with harness.World(start=False) as world:
        good = world.config_text
        result = run(world, "-t")
        assert result.returncode == 0, result.stderr
        assert "alpha" in result.stdout and "pass1234" not in result.stdout, result.stdout
        say("assentd -t says what a good configuration would do, and hides secrets")
        for old, new, words in FAULTS:
            old, new = old.replace("{{", "{"), new.replace("{{", "{")
            world.config_file.write_text(good.replace(old, new, 1))
            # The fault stands in the last line of what was put in.
            line = line_of(good, old) + new.count("\n")
            for options in (["-t"], []):
                result = run(world, *options)
                assert result.returncode == 2, (new, result.returncode, result.stderr)
                if words:
                    assert f"assent.yaml:{line}:" in result.stderr, (new, line, result.stderr)
                for word in words:
                    assert word in result.stderr, (new, word, result.stderr)
            say(f"refused: {new.splitlines()[-1].strip()}")
        assert not list(world.data.iterdir()), "something was started"
        missing = subprocess.run([harness.BUILD / "assentd", "-c", world.folder / "no.yaml"],
                                 capture_output=True, text=True, timeout=harness.PATIENCE)
        assert missing.returncode == 2 and "no.yaml" in missing.stderr, missing
        world.config_file.write_text(good)
        (world.folder / "alpha.secret").chmod(0o644)
        result = run(world, "-t")
        assert result.returncode == 2 and "alpha.secret" in result.stderr, result.stderr
        say("a secret that others may read is refused")


main()
