"""`gennaker import`: reads a Spinnaker (its Gate, or files), has the server store it, and tells every gap."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gennaker.cli import documents, terminal
from gennaker.cli.terminal import Form
from gennaker.migration import bundle as bundles
from gennaker.migration import gaps, references
from gennaker.migration.bundle import Bundle
from gennaker.migration.gaps import Gap, Weight
from gennaker.migration.phases import Phase
from gennaker.model.codec import Json, JsonObject, encode, to_json
from gennaker.model.foreign import mapping, mappings, text_at
from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client
from gennaker.transport.gate import NOT_GIVEN, Gate

_SUFFIXES = (".json", ".yaml", ".yml")
_MOST_BYTES = 2_000_000
"""Of the pipelines of one request: servers take five million of JSON."""
_ORDER = tuple(Weight)
_ONLY_RUNS = 404


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be imported, and how."""

    files: tuple[Path, ...] = ()
    applications: tuple[str, ...] = ()
    """Empty: all."""
    is_shadow: bool = False
    is_trial: bool = False
    form: Form = Form.TABLE


class _Outcome(msgspec.Struct, kw_only=True):
    """Reports of all requests together."""

    source: str
    templates: tuple[JsonObject, ...]
    """Of which pipelines may be made."""
    phases: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = {}
    gaps: list[Gap] = []
    pipelines: list[JsonObject] = []
    """All that were sent."""
    canary_configs: list[str] = []
    """Their ids."""

    def add(self, report: JsonObject) -> None:
        self.phases |= {name: str(phase) for name, phase in mapping(report["applications"]).items()}
        for kind, counts in mapping(report["counts"]).items():
            own = self.counts.setdefault(kind, {})
            for what, number in mapping(counts).items():
                own[what] = own.get(what, 0) + int(str(number))
        self.gaps += msgspec.convert(report["gaps"], list[Gap])


def from_gate(client: Client, gate: Gate, wanted: Wanted) -> int:
    """Imports from a running Spinnaker; 1 where something was refused."""
    names = [one.lower() for one in wanted.applications] or gate.applications()
    shared = gate.shared()
    outcome = _Outcome(source=gate.address, templates=shared.bundle.templates)
    _send(client, shared.bundle, wanted, outcome)
    for config_id, problem in shared.unread.items():
        outcome.gaps.append(gaps.Subject(kind="canary-config", name=config_id).gap(Weight.REFUSED, problem))
    for name in names:
        try:
            own = gate.application(name)
        except Refused as refused:
            if refused.status not in NOT_GIVEN:
                raise
            # Gate also lists what only runs somewhere.
            is_nothing = refused.status == _ONLY_RUNS and not wanted.applications
            weight = Weight.NOTE if is_nothing else Weight.REFUSED
            subject = gaps.Subject(kind="application", application=name, name=name)
            outcome.gaps += [subject.gap(weight, one) for one in refused.problems]
            continue
        for part in _parts(own):
            _send(client, part, wanted, outcome)
    subject = gaps.Subject(kind="installation", name=gate.address)
    outcome.gaps += [subject.gap(Weight.NOTE, one) for one in shared.not_offered]
    _check_references(client, outcome)
    return _tell(outcome, wanted)


def from_files(client: Client, wanted: Wanted) -> int:
    """Imports what `gennaker export` or Spinnaker's own commands have written; 1 where something was refused."""
    if not wanted.files:
        raise Refused(
            Problem(
                code="import.nothing",
                message="Nothing is named that could be imported.",
                remedy="Name files or folders, or a Gate with --from-gate.",
            )
        )
    found, strange = bundles.sorted_by_shape(_documents(wanted.files))
    if strange:
        raise Refused(*(_strange(one) for one in strange))
    outcome = _Outcome(source=", ".join(map(str, wanted.files)), templates=found.templates)
    _send(client, found.shared(), wanted, outcome)
    for name in found.names():
        if not wanted.applications or name in {one.lower() for one in wanted.applications}:
            for part in _parts(found.of_application(name)):
                _send(client, part, wanted, outcome)
    _check_references(client, outcome)
    return _tell(outcome, wanted)


def _check_references(client: Client, outcome: _Outcome) -> None:
    """At the end, when all are there that can be named."""
    ids = [text_at(one, "id") for one in (*outcome.pipelines, *mappings(client.get("/pipelineConfigs")))]
    configs = [*outcome.canary_configs, *(text_at(one, "id") for one in mappings(client.get("/v2/canaryConfig")))]
    outcome.gaps += references.missing(outcome.pipelines, known=frozenset(ids), canary_configs=frozenset(configs))


def _documents(named: Iterable[Path]) -> Iterator[JsonObject]:
    for path in named:
        files = sorted(one for one in path.rglob("*") if one.suffix in _SUFFIXES) if path.is_dir() else [path]
        for file in files:
            value = documents.read(file).value
            for one in value if isinstance(value, list) else [value]:
                if not isinstance(one, dict):
                    raise Refused(Problem(code="file.kind", message=f"{file} holds something that is no object."))
                yield one


def _parts(own: Bundle) -> Iterator[Bundle]:
    """The application's attributes first, then its pipelines, a bounded number of bytes at a time."""
    several = max(1, math.ceil(len(encode(own)) / _MOST_BYTES))
    size = max(1, math.ceil(len(own.pipelines) / several))
    yield msgspec.structs.replace(own, pipelines=own.pipelines[:size])
    for start in range(size, len(own.pipelines), size):
        yield Bundle(pipelines=own.pipelines[start : start + size])


def _send(client: Client, bundle: Bundle, wanted: Wanted, outcome: _Outcome) -> None:
    if not bundle.count:
        return
    outcome.pipelines += bundle.pipelines
    outcome.canary_configs += [text_at(one, "id") for one in bundle.canary_configs]
    body: JsonObject = {
        "bundle": to_json(bundle),
        "source": outcome.source,
        "isShadow": wanted.is_shadow,
        "isTrial": wanted.is_trial,
        "alsoTemplates": [*outcome.templates] if wanted.is_trial else [],
    }
    outcome.add(mapping(client.post("/api/v1/imports", body)))


def _tell(outcome: _Outcome, wanted: Wanted) -> int:
    # A template is stored under several keys, and checked for each.
    found = sorted(
        dict.fromkeys(outcome.gaps), key=lambda one: (_ORDER.index(one.weight), one.application, one.name, one.pointer)
    )
    if wanted.form is not Form.TABLE:
        listed: list[Json] = [to_json(one) for one in found]
        terminal.show(
            {"applications": outcome.phases, "counts": outcome.counts, "gaps": listed, "isTrial": wanted.is_trial},
            wanted.form,
        )
    else:
        _tell_people(outcome, found, wanted)
    return 1 if any(one.weight is Weight.REFUSED for one in found) else 0


def _tell_people(outcome: _Outcome, found: list[Gap], wanted: Wanted) -> None:
    words = {
        Weight.REFUSED: "Not imported:",
        Weight.STOPS: "A run would stop there:",
        Weight.DIFFERS: "It would behave otherwise:",
        Weight.NOTE: "To be known:",
    }
    for weight, title in words.items():
        own = [one for one in found if one.weight is weight]
        if own:
            terminal.say(title)
        for one in own:
            of = f"{one.application}: " if one.application and one.kind != "application" else ""
            at = f" (at {one.pointer})" if one.pointer else ""
            terminal.say(f"  {one.kind} {of}{one.name}{at}: {f'{one.message} {one.remedy}'.strip()} [{one.code}]")
    done = "Would be imported" if wanted.is_trial else "Imported"
    for kind, counts in outcome.counts.items():
        said = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
        terminal.say(f"{done}: {kind}: {said}.")
    for name, phase in outcome.phases.items():
        stands = "would be" if wanted.is_trial else "is"
        means = "in shadow" if phase == Phase.SHADOW.value else "here with its triggers off"
        terminal.say(f"{name} {stands} {means}: nothing of it is performed until `gennaker cut-over {name}`.")
    if not found:
        terminal.say("No gap was found.")


def _strange(one: JsonObject) -> Problem:
    keys = ", ".join(list(one)[:5]) or "nothing"
    return Problem(
        code="file.kind",
        message=f"A document with {keys} is neither an application, a pipeline, a template, a canary config nor a project.",
        remedy="Leave it out.",
    )
