# SPDX-License-Identifier: Apache-2.0
"""A second gateway beside a world's first."""
import harness


class Second:
    """A second gateway of the world: its own node, ledger and listeners; the same Redis and carrier."""

    def __init__(self, world, system_id="acme"):
        self.world = world
        self.http_port, port = harness.free_port(), harness.free_port()
        (world.folder / "data2").mkdir()
        text = world.config_text.replace("node: test", "node: second")
        text = text.replace(f"{world.data}\n", f"{world.folder}/data2\n")
        text = text.replace("assent.sock", "second.sock").replace(f":{world.port}", f":{port}")
        text = text.replace(f":{world.http_port}", f":{self.http_port}")
        text = text.replace("system_id: acme", f"system_id: {system_id}")
        self.file = world.folder / "second.yaml"
        self.file.write_text(text)
        self.start()

    def start(self):
        self.process = self.world.spawn("second", [harness.BUILD / "assentd", "-c", self.file])

    def cli(self, *arguments, **options):
        """Later -c wins over the first gateway's."""
        return self.world.cli("-c", self.file, *arguments, **options)
