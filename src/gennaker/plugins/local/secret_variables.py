"""Variables that hold secrets, as the process that starts a child is told of them: through a pipe, and with what it masks in the output."""

from gennaker.access import masking
from gennaker.transport.processes import ChildSecrets


def for_child(secret: dict[str, str]) -> ChildSecrets:
    """`secret`: values by name of the variable."""
    lines = {line for value in secret.values() for line in (value, *value.splitlines())}
    masked = {spelling for line in lines for spelling in masking.spellings(line)}
    return ChildSecrets(environment=secret, masked=tuple(sorted(masked)))
