"""`gennaker audit …`: the chain of audit records of a data folder."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gennaker.cli import terminal
from gennaker.cli.place import HERE_ONLY, Folder
from gennaker.cli.terminal import Form
from gennaker.model.codec import JsonObject


def add_to(app: App) -> None:
    """Adds the commands."""
    audit = App(name="audit", help="The audit log.")
    audit.command(verify, name="verify")
    audit.command(key, name="key")
    app.command(audit)


def verify(
    *,
    heads: Annotated[Path | None, Parameter(help="Signed heads that were exported (default: audit.file).")] = None,
    key: Annotated[str, Parameter(help="The public key of the heads (default: of the data folder's key).")] = "",
    output: Annotated[Form, Parameter(help="How it is printed.")] = Form.TABLE,
    place: Folder = HERE_ONLY,
) -> int:
    """Check the chain of audit records: nothing changed, dropped, reordered, cut off or, by the heads, written anew."""
    from gennaker import audit_checks

    configured = place.local()
    verdict = audit_checks.verify_audit(configured.settings, configured.data, heads=heads, key=key)
    if output is Form.TABLE:
        terminal.say(verdict.sentence)
    else:
        shown: JsonObject = {
            "isIntact": verdict.is_intact,
            "records": verdict.records,
            "firstBad": verdict.first_bad,
            "finding": verdict.finding,
            "sentence": verdict.sentence,
        }
        terminal.show(shown, output)
    return 0 if verdict.is_intact else 1


def key(*, place: Folder = HERE_ONLY) -> int:
    """Print the public key with which exported heads and evidence can be checked: keep it where nobody can change it."""
    from gennaker import audit_checks
    from gennaker.transport import signing

    configured = place.local()
    terminal.say(signing.public_key(audit_checks.sealing_key(configured.settings, configured.data)).hex())
    return 0
