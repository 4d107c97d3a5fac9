"""`gennaker export`: definitions as Spinnaker's JSON, a file each, as they were imported or made here."""

import json
from pathlib import Path

from gennaker.cli import addresses, terminal
from gennaker.migration import bundle as bundles
from gennaker.model import application_notifications, trigger_secrets
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import mapping, mappings, mappings_at, text_at
from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client


def export(client: Client, out: Path, applications: tuple[str, ...]) -> int:
    """Writes below `out`; of single applications only what is theirs."""
    known = {text_at(one, "name"): one for one in mappings(client.get("/applications"))}
    wanted = [one.lower() for one in applications] or list(known)
    if unknown := [one for one in wanted if one not in known]:
        raise Refused(
            Problem(
                code="application.unknown",
                message=f"There is no application {', '.join(unknown)}.",
                remedy="`gennaker list applications` names them.",
            )
        )
    writer = _Writer(out)
    for name in wanted:
        _application(client, writer, known[name])
    if not applications:
        _shared(client, writer)
    terminal.say(f"{writer.count} files are in {out}.")
    for named in writer.masked:
        terminal.say(f"The secret of a trigger of {named} isn't shown to anybody: put it in again where you import it.")
    return 0


class _Writer:
    """Writes documents, and counts them."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._taken: set[Path] = set()
        self.masked: list[str] = []

    @property
    def count(self) -> int:
        return len(self._taken)

    def write(self, folder: str, name: str, document: JsonObject) -> None:
        """A name that would be another's file gets a number."""
        plain = bundles.file_name(name)
        file = self._out / folder / f"{plain}.json"
        number = 2
        while file in self._taken:
            file = self._out / folder / f"{plain}-{number}.json"
            number += 1
        self._taken.add(file)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise Refused(
                Problem(code="export.unwritable", message=f"{file} can't be written: {error.strerror}.")
            ) from error


def _application(client: Client, writer: _Writer, attributes: JsonObject) -> None:
    name = text_at(attributes, "name")
    folder = f"applications/{bundles.file_name(name)}"
    writer.write(folder, "application", attributes)
    notifications = mapping(client.get(addresses.gate_notifications(name)))
    if application_notifications.listed(notifications):
        writer.write(folder, application_notifications.KIND, notifications)
    for kind, route in (("pipelines", "pipelineConfigs"), ("strategies", "strategyConfigs")):
        for one in mappings(client.get(f"{addresses.gate_application(name)}/{route}")):
            writer.write(f"{folder}/{kind}", text_at(one, "name"), bundles.armed(one))
            triggers = mappings_at(one, "triggers")
            if any(trigger.get("secret") == trigger_secrets.MASK for trigger in triggers):
                writer.masked.append(f"{name}: {text_at(one, 'name')}")


def _shared(client: Client, writer: _Writer) -> None:
    for one in mappings(client.get("/v2/pipelineTemplates")):
        tag = text_at(one, "tag")
        writer.write("templates", f"{text_at(one, 'id')}-{tag}" if tag else text_at(one, "id"), one)
    for one in mappings(client.get("/v2/canaryConfig")):
        config = mapping(client.get(addresses.gate_canary_config(text_at(one, "id"))))
        writer.write("canary-configs", text_at(one, "name") or text_at(one, "id"), config)
    for one in mappings(client.get("/projects")):
        writer.write("projects", text_at(one, "name"), one)
