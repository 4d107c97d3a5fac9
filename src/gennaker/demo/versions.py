"""New versions of the sample's services: what the demo's people change before they commit."""

from pathlib import Path


def set_behaviour(work: Path, service: str, **values: object) -> None:
    """Rewrites constants in a service's `behaviour.py`; raises KeyError for one that isn't there."""
    file = work / "services" / service / service / "behaviour.py"
    lines = file.read_text().splitlines()
    for name, value in values.items():
        index = next((i for i, line in enumerate(lines) if line.startswith(f"{name} =")), None)
        if index is None:
            raise KeyError(name)
        lines[index] = f"{name} = {_literal(value)}"
    file.write_text("\n".join(lines) + "\n")


def set_version(work: Path, service: str, version: str) -> None:
    """Writes a service's VERSION."""
    (work / "services" / service / "VERSION").write_text(f"{version}\n")


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
