"""Written: configuration, resources and secrets as the stage says them that has made a server group."""

from datetime import datetime

from gennaker.model import foreign, secret_references
from gennaker.model.codec import Json, JsonObject
from gennaker.model.comparison import Aspect
from gennaker.model.foreign import items, mapping, mappings_at, said_at, text_at
from gennaker.model.problems import Refused

Found = dict[tuple[Aspect, str], str]
_LIMITS = ("memory", "cpus", "pids")
_REFERENCES = (("configMapKeyRef", Aspect.CONFIGURATION), ("secretKeyRef", Aspect.SECRETS))


def facts(context: JsonObject, secrets_changed: dict[str, datetime], made_at: datetime) -> Found:
    """By a stage's context. `secrets_changed`: when each stored secret was changed last; a server group has what was before."""
    inner = context.get("cluster")
    stage = {**context, **inner} if isinstance(inner, dict) else context
    found: Found = {}
    if stage.get("healthPath"):
        found[Aspect.CONFIGURATION, "healthPath"] = said_at(stage, "healthPath")
    for name in mapping(stage.get("environment")):
        value = said_at(stage["environment"], name)
        is_secret = secret_references.is_in(value)
        aspect = Aspect.SECRETS if is_secret else Aspect.CONFIGURATION
        found[aspect, name] = _dated(value, secrets_changed, made_at) if is_secret else value
    container = mapping(stage.get("container"))
    found |= {(Aspect.RESOURCES, name): said_at(container, name) for name in _LIMITS if container.get(name)}
    found |= {(Aspect.SECRETS, name): "given" for name in map(foreign.text, items(container.get("secrets"))) if name}
    return found | _of_pods(mapping(stage.get("manifest")))


def _dated(value: str, changed: dict[str, datetime], made_at: datetime) -> str:
    try:
        references = secret_references.find(value)
    except Refused as refusal:
        return f"{value} ({refusal.problems[0].message})"
    said = []
    for one in references:
        at = changed.get(one.parameters.get("n", "").lower()) if one.engine == "store" else None
        if at is not None:
            version = "version of" if at <= made_at else "older than"
            said.append(f"{version} {at:%Y-%m-%d %H:%M:%S}")
    return f"{value} ({', '.join(said)})" if said else value


def _of_pods(manifest: JsonObject) -> Found:
    """Of a Kubernetes manifest's containers; the first has no name before its facts."""
    template = mapping(mapping(manifest.get("spec")).get("template"))
    found: Found = {}
    for number, container in enumerate(mappings_at(template.get("spec"), "containers")):
        before = f"{text_at(container, 'name')}." if number else ""
        for kind, amounts in mapping(container.get("resources")).items():
            for name in mapping(amounts):
                found[Aspect.RESOURCES, f"{before}{kind}.{name}"] = said_at(amounts, name)
        for variable in mappings_at(container, "env"):
            found |= _variable(before + text_at(variable, "name"), variable)
    return found


def _variable(name: str, variable: JsonObject) -> Found:
    source = mapping(variable.get("valueFrom"))
    for kind, aspect in _REFERENCES:
        if source.get(kind):
            return {(aspect, name): _key(source[kind])}
    return {(Aspect.CONFIGURATION, name): said_at(variable, "value")}


def _key(reference: Json) -> str:
    return f"{text_at(reference, 'name')}/{text_at(reference, 'key')}"
