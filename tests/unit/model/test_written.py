"""Written: what a stage says of configuration, resources and secrets."""

from datetime import UTC, datetime, timedelta

from gennaker.model.codec import JsonObject
from gennaker.model.comparison import Aspect
from gennaker.model.written import facts

MADE = datetime(2026, 3, 1, tzinfo=UTC)
SECRET: JsonObject = {"cluster": {"environment": {"PASSWORD": "secret://store?n=DB"}}}


def test_a_secret_that_was_changed_since_has_an_older_version() -> None:
    changed = {"db": MADE + timedelta(days=1)}

    assert (
        facts(SECRET, changed, MADE)[Aspect.SECRETS, "PASSWORD"]
        == "secret://store?n=DB (older than 2026-03-02 00:00:00)"
    )
    later = facts(SECRET, changed, MADE + timedelta(days=2))
    assert later[Aspect.SECRETS, "PASSWORD"] == "secret://store?n=DB (version of 2026-03-02 00:00:00)"


def test_a_manifests_containers_say_resources_and_references() -> None:
    env: list[JsonObject] = [
        {"name": "MODE", "value": "fast"},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "shop-v002", "key": "colour"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "shop-v001", "key": "key"}}},
    ]
    own: JsonObject = {"name": "app", "resources": {"limits": {"cpu": 2}}, "env": [*env]}
    beside: JsonObject = {"name": "log", "resources": {"requests": {"memory": "1Gi"}}}
    manifest: JsonObject = {"spec": {"template": {"spec": {"containers": [own, beside]}}}}

    assert facts({"manifest": manifest}, {}, MADE) == {
        (Aspect.CONFIGURATION, "MODE"): "fast",
        (Aspect.CONFIGURATION, "COLOUR"): "shop-v002/colour",
        (Aspect.SECRETS, "KEY"): "shop-v001/key",
        (Aspect.RESOURCES, "limits.cpu"): "2",
        (Aspect.RESOURCES, "log.requests.memory"): "1Gi",
    }


def test_a_reference_that_can_not_be_read_is_told_as_it_stands() -> None:
    context: JsonObject = {"environment": {"CERTIFICATE": "encryptedFile:store!n:x"}}

    assert "files can't be secrets" in facts(context, {}, MADE)[Aspect.SECRETS, "CERTIFICATE"]
