#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks proofs of `assent prove` with the standard library and the openssl command alone.

usage: verify.py --key KEY PROOFS...

KEY is what `assent key show` printed, and reached you on a way that you trust. A proof is one of inclusion (this
record is in the ledger) or of consistency (the ledger has only grown): one in a file, or in a file named .jsonl one
a line. Prints a line a proof; exit code 0 when all hold. The formats: RFC 6962 hashing, proofs as RFC 9162 checks them, C2SP tlog-checkpoint and
signed-note, Ed25519.
"""
import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile


class Wrong(Exception):
    """The proof does not hold; says why."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def decode(text):
    return base64.b64decode(text, validate=True)


def parent(left, right):
    return sha256(b"\x01", left, right)


def read_key(text):
    """name, key id, public key"""
    name, key_id, key = text.split("+", 2)
    octets = decode(key)
    if len(octets) != 33 or octets[0] != 1:
        raise Wrong("KEY is no Ed25519 key")
    if sha256(name.encode() + b"\n" + octets)[:4].hex() != key_id:
        raise Wrong("KEY contradicts itself: a character of it is wrong")
    return name, bytes.fromhex(key_id), octets[1:]


def ed25519_holds(public_key, message, signature):
    spki = bytes.fromhex("302a300506032b6570032100") + public_key
    pem = "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % base64.b64encode(spki).decode()
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as text, \
            tempfile.NamedTemporaryFile() as mark:
        for file, octets in ((key, pem.encode()), (text, message), (mark, signature)):
            file.write(octets)
            file.flush()
        return subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key.name, "-rawin", "-in", text.name,
             "-sigfile", mark.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30,
            check=False).returncode == 0


def read_checkpoint(note, key):
    """Number of records and their root, where the note is signed by the key."""
    name, key_id, public_key = key
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    lines = text.split("\n")
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        octets = decode(blob)
        if dash == "\u2014" and signer == name and octets[:4] == key_id and len(octets) == 68:
            if not ed25519_holds(public_key, text.encode(), octets[4:]):
                raise Wrong("the checkpoint's signature is false")
            return int(lines[1]), decode(lines[2])
    raise Wrong("the checkpoint is not signed by KEY")


def check_inclusion(proof, key):
    size, root = read_checkpoint(proof["checkpoint"], key)
    index, last = proof["leaf_index"], size - 1
    if not 0 <= index < size or proof["sequence"] != index + 1:
        raise Wrong("the checkpoint does not cover this record")
    entry = decode(proof["entry"])
    node = sha256(b"\x00", entry)
    for sibling in map(decode, proof["nodes"]):
        if last == 0:
            raise Wrong("the proof is too long")
        if index & 1 or index == last:
            node = parent(sibling, node)
            while not index & 1 and index != 0:
                index, last = index >> 1, last >> 1
        else:
            node = parent(node, sibling)
        index, last = index >> 1, last >> 1
    if last != 0 or node != root:
        raise Wrong("the record is not the one in the signed ledger")
    if "personal" in proof:
        length = int.from_bytes(entry[:3], "big")
        if entry[3 + length:] != sha256(decode(proof["salt"]), decode(proof["personal"])):
            raise Wrong("the personal part is not the one that was recorded")
    said = ", with this personal part" if "personal" in proof else ""
    if "destroyed" in proof:
        said = ": its personal part, by the ledger's own word, " + str(proof["destroyed"].get("text"))
    return "record %d is in the ledger of %d records%s" % (proof["sequence"], size, said)


def check_consistency(proof, key):
    first, first_root = read_checkpoint(proof["from"], key)
    second, second_root = read_checkpoint(proof["to"], key)
    nodes = [decode(node) for node in proof["nodes"]]
    if not 0 < first <= second:
        raise Wrong("the sizes are in the wrong order")
    if first == second:
        if nodes or first_root != second_root:
            raise Wrong("two checkpoints of one size differ")
        return "both checkpoints cover the same %d records" % first
    if first & (first - 1) == 0:
        nodes.insert(0, first_root)
    if not nodes:
        raise Wrong("the proof is empty")
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise Wrong("the proof is too long")
        if position & 1 or position == last:
            old, new = parent(node, old), parent(node, new)
            while not position & 1 and position != 0:
                position, last = position >> 1, last >> 1
        else:
            new = parent(new, node)
        position, last = position >> 1, last >> 1
    if last != 0 or old != first_root or new != second_root:
        raise Wrong("the later ledger does not begin with the earlier one")
    return "the ledger of %d records begins with the %d of the earlier checkpoint" % (second, first)


def read_proofs(path):
    """Name and text of each"""
    with open(path, encoding="utf-8") as file:
        if not path.endswith(".jsonl"):
            return [(path, file.read())]
        return [("%s:%d" % (path, number), line) for number, line in enumerate(file, 1)]


def check(text, key):
    proof = json.loads(text)
    kinds = {"inclusion": check_inclusion, "consistency": check_consistency}
    if proof.get("proof") not in kinds:
        raise Wrong("it is no proof")
    return kinds[proof["proof"]](proof, key)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--key", required=True, help="the public key, as `assent key show` prints it")
    parser.add_argument("proofs", nargs="+", metavar="PROOFS", help="files of `assent prove`, or the proofs.jsonl of a case")
    options = parser.parse_args()
    good = True
    for path in options.proofs:
        try:
            proofs = read_proofs(path)
        except (OSError, ValueError) as fault:
            proofs = []
            print("%s: CANNOT BE READ: %s" % (path, fault))
        good = good and bool(proofs)
        for name, text in proofs:
            try:
                print("%s: holds: %s" % (name, check(text, read_key(options.key))))
            except (Wrong, OSError, ValueError, KeyError, IndexError, TypeError) as fault:
                good = False
                print("%s: DOES NOT HOLD: %s" % (name, fault))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
