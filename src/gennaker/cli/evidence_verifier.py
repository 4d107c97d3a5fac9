"""Checks a file that `gennaker evidence` has written. Needs Python and nothing else: python verifier.py FILE PUBLIC_KEY.

Says whether the file is as the server has sealed it: the seal's signature, the digest of each report in it, the hash of each
audit record, and that what approvers saw is what was recorded then. The key must come from elsewhere than the file: from
`gennaker audit key`, noted when the server was set up.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from gennaker.model.ed25519 import is_signed

FORMAT = "gennaker evidence 1"


def canonical(content: object) -> bytes:
    """What is sealed: JSON with sorted keys and without spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(content: object, at: str) -> bytes:
    """What is signed."""
    return f"{FORMAT}\n{hashlib.sha256(canonical(content)).hexdigest()}\n{at}\n".encode()


def wrongs(document: object, key: str) -> list[str]:
    """All that is wrong with an evidence file; nothing: it is as it was sealed."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return [f"This is no file of the format `{FORMAT}`."]
    content, seal = document.get("content"), document.get("seal")
    if not isinstance(content, dict) or not isinstance(seal, dict):
        return ["The file has no content or no seal."]
    found = []
    try:
        signature = bytes.fromhex(str(seal.get("signature")))
        public = bytes.fromhex(key)
    except ValueError:
        return ["The key or the signature is no hexadecimal number."]
    if not is_signed(public, sealed(content, str(seal.get("at"))), signature):
        found.append("The content isn't what the owner of this key has sealed.")
    found += [wrong for report in content.get("reports", []) if (wrong := _wrong_report(report))]
    found += [wrong for record in content.get("audit", []) if (wrong := _wrong_record(record))]
    found += [wrong for approval in content.get("approvals", []) if (wrong := _wrong_approval(approval, content))]
    return found


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys differ. Of a key that comes twice this program would read the last, and others may show the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice, so that programs may read different things")
    return found


def _wrong_approval(approval: dict[str, Any], content: dict[str, Any]) -> str:
    """What each approver saw is the report of its digest, which an audit record names."""
    for seen in approval.get("seen", []):
        digest = seen["digest"]
        held = [one["content"] for one in content["reports"] if one["digest"] == digest]
        shown = {key: value for key, value in seen.items() if key != "digest"}
        if not held or json.loads(base64.b64decode(held[0])) != shown:
            return f"What {seen['by']} saw at {approval['stage']} isn't the report with its digest."
        if not any(json.loads(one["entry"]).get("details", {}).get("seen") == digest for one in content["audit"]):
            return f"No audit record names what {seen['by']} saw at {approval['stage']}."
    return ""


def _wrong_report(report: dict[str, str | None]) -> str:
    content = report["content"]
    if content is None:
        return ""  # too large to be in the file; its digest is sealed
    held = hashlib.sha256(base64.b64decode(content)).hexdigest()
    return "" if report["digest"] == f"sha256:{held}" else f"The report {report['name']} isn't the one with its digest."


def _wrong_record(record: dict[str, str]) -> str:
    chained = f"{record['number']}\n{record['previous']}\n{record['entry']}".encode()
    is_right = hashlib.sha256(chained).hexdigest() == record["hash"]
    return "" if is_right else f"Audit record {record['number']} was changed."


def main(arguments: list[str]) -> int:
    """0: as it was sealed; 1: not; 2: wrong usage."""
    if len(arguments) != 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        document = json.loads(Path(arguments[0]).read_bytes(), object_pairs_hook=once)
        found = wrongs(document, arguments[1])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found = [f"The file can't be read: {type(error).__name__}: {error}."]
    for wrong in found:
        sys.stdout.write(f"{wrong}\n")
    if found:
        return 1
    content = document["content"]
    sys.stdout.write(
        f"{content['execution']['id']} is as it was sealed at {document['seal']['at']}: "
        f"{len(content['reports'])} reports, {len(content['audit'])} audit records.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
