"""`gennaker import` and `export`: from one installation's Gate into another, the report, and the way back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from tests import make, waiting
from tests.fakes import sites
from tests.fakes.sites import Site

from gennaker.cli import exporting, importing
from gennaker.cli.importing import Wanted
from gennaker.cli.terminal import Form
from gennaker.migration import bundle as bundles
from gennaker.model.problems import Refused
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow
from gennaker.transport.client import Client
from gennaker.transport.gate import Credentials, Gate

TEMPLATE: dict[str, Any] = {
    "schema": "v2",
    "id": "waiting",
    "protect": False,
    "metadata": {"name": "Waiting", "description": "waits", "owner": "ada@example.org", "scopes": ["global"]},
    "variables": [{"name": "seconds", "type": "int", "defaultValue": 5}],
    "pipeline": {"stages": [make.stage_json("a", type="wait", waitTime="${ templateVariables.seconds }")]},
}
DELIVER: dict[str, Any] = {
    "id": "11111111-1111-4111-8111-111111111111",
    "application": "shop",
    "name": "Deliver",
    "mood": {"unknown": ["keys", "survive"]},
    "triggers": [
        {"type": "webhook", "enabled": True, "source": "ci", "runAsUser": "robot"},
        {"type": "webhook", "enabled": False, "source": "old"},
        {"type": "cron", "enabled": True, "cronExpression": "0 0 12 * * ?"},
        {"type": "helm", "enabled": True, "account": "charts", "version": "1.x"},
    ],
    "notifications": [{"type": "pager", "address": "x", "when": ["pipeline.failed"]}],
    "stages": [
        make.stage_json("1", type="wait", waitTime=1),
        make.stage_json("2", "1", type="teleport", account="prod", text="${#beam('x')}"),
    ],
}
TEMPLATED: dict[str, Any] = {
    "schema": "v2",
    "id": "22222222-2222-4222-8222-222222222222",
    "application": "shop",
    "name": "Waits",
    "type": "templatedPipeline",
    "template": {
        "artifactAccount": "front50ArtifactCredentials",
        "type": "front50/pipelineTemplate",
        "reference": "spinnaker://waiting",
    },
    "variables": {"seconds": 7},
    "stages": [],
    "triggers": [],
}
CANARY: dict[str, Any] = {
    "id": "c#1",
    "name": "shop-canary",
    "applications": ["shop"],
    "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
    "metrics": [
        {
            "name": "errors",
            "query": {"type": "prometheus", "metricName": "errors", "serviceType": "prometheus"},
            "groups": ["all"],
            "analysisConfigurations": {},
            "scopeName": "default",
        }
    ],
    "classifier": {"groupWeights": {"all": 100}},
}
PROJECT: dict[str, Any] = {
    "id": "p1",
    "name": "Checkout",
    "email": "ada@example.org",
    "config": {"applications": ["shop"], "clusters": [], "pipelineConfigs": []},
}


MAILS = {"email": [{"type": "email", "address": "ada@example.org", "when": ["pipeline.failed"]}]}


def filled(site: Site) -> None:
    """An installation to come from."""
    application = {"name": "shop", "email": "ada@example.org", "permissions": {"READ": ["devs"], "WRITE": ["devs"]}}
    site.call("POST", "/v2/pipelineTemplates/create", TEMPLATE)
    jobs = ({"type": "createApplication", "application": application}, {"type": "upsertProject", "project": PROJECT})
    for job in jobs:
        ref = site.call("POST", "/tasks", {"application": "shop", "description": "x", "job": [job]})["ref"]
        waiting.until_seen(
            lambda ref=ref: site.call("GET", ref)["status"] not in ("NOT_STARTED", "RUNNING"),
            "the job to end",
            pause_seconds=0,
        )
        assert site.call("GET", ref)["status"] == "SUCCEEDED"
    for one in (DELIVER, TEMPLATED):
        site.call("POST", "/pipelines", one)
    site.call("POST", "/notifications/application/shop", MAILS)
    site.call("POST", "/v2/canaryConfig", CANARY)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites.running(tmp_path_factory.mktemp("there"), definitions.plugin, flow.plugin) as site:
        filled(site)
        yield site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with sites.running(tmp_path / "here", definitions.plugin, flow.plugin) as site:
        yield site


@pytest.fixture
def client(here: Site, tmp_path: Path) -> Iterator[Client]:
    found = Client(tmp_path / "here")
    assert found.address == here.address
    yield found
    found.close()


def imported(client: Client, there: Site, capsys: pytest.CaptureFixture[str], **wanted: Any) -> tuple[int, Any]:
    with Gate(there.address, Credentials()) as gate:
        status = importing.from_gate(client, gate, Wanted(form=Form.JSON, **wanted))
    return status, json.loads(capsys.readouterr().out)


def everything(site: Site) -> dict[str, Any]:
    """All definitions as Gate gives them, without stamps."""
    configs = [site.call("GET", f"/v2/canaryConfig/{quote(one['id'])}") for one in site.call("GET", "/v2/canaryConfig")]
    listed = {
        "applications": [{**one, "user": ""} for one in site.call("GET", "/applications")],
        "pipelines": site.call("GET", "/pipelineConfigs"),
        "templates": site.call("GET", "/v2/pipelineTemplates"),
        "canaries": configs,
        "projects": site.call("GET", "/projects"),
        "notifications": [site.call("GET", "/notifications/application/shop")],
    }
    return {kind: [bundles.content(one) for one in found] for kind, found in listed.items()}


def test_everything_comes_over_with_its_ids_and_triggers_off(
    there: Site, here: Site, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = imported(client, there, capsys)

    assert status == 0
    assert report["applications"] == {"shop": "imported"}
    assert {kind: one["stored"] for kind, one in report["counts"].items()} == {
        "template": 3,
        "canary-config": 1,
        "project": 1,
        "application": 1,
        "notifications": 1,
        "pipeline": 2,
    }
    assert everything(here) == everything(there)
    stored = here.call("GET", "/applications/shop/pipelineConfigs/Deliver")
    assert [one["enabled"] for one in stored["triggers"]] == [False, False, False, False]
    assert [bundles.BEFORE in one for one in stored["triggers"]] == [True, False, True, True]
    assert there.call("GET", "/applications/shop/pipelineConfigs/Deliver")["triggers"][0]["enabled"] is True


def test_every_gap_is_named_with_its_place(there: Site, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    _, report = imported(client, there, capsys)

    told = {
        (one["weight"], one["code"], one["kind"], one.get("name", ""), one.get("pointer", "")) for one in report["gaps"]
    }
    assert told == {
        ("stops", "stage.unknown_type", "pipeline", "Deliver", "/stages/1/type"),
        ("stops", "account.missing", "pipeline", "Deliver", "/stages/1/account"),
        ("differs", "expression.function_missing", "pipeline", "Deliver", "/stages/1/text"),
        ("differs", "trigger.not_served", "pipeline", "Deliver", "/triggers/3/type"),
        ("differs", "trigger.run_as", "pipeline", "Deliver", "/triggers/0/runAsUser"),
        ("differs", "notification.unknown_type", "pipeline", "Deliver", "/notifications/0"),
        ("stops", "metrics.missing", "canary-config", "shop-canary", "/metrics/0/query/type"),
        ("differs", "notification.unknown_type", "notifications", "shop", "/email"),
        ("note", "role.nobody", "application", "shop", "/permissions"),
    }


def test_a_second_import_changes_nothing(
    there: Site, here: Site, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(client, there, capsys)

    _, report = imported(client, there, capsys)

    assert sum(one["stored"] + one["refused"] for one in report["counts"].values()) == 0
    assert len(here.call("GET", f"/pipelineConfigs/{DELIVER['id']}/history")) == 1


def test_a_trial_says_the_same_and_stores_nothing(
    there: Site, here: Site, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    _, tried = imported(client, there, capsys, is_trial=True)

    assert (here.call("GET", "/applications"), here.call("GET", "/pipelineConfigs")) == ([], [])
    assert here.call("GET", "/api/v1/imports") == {"applications": [], "next": None}
    _, report = imported(client, there, capsys)
    assert {**tried, "isTrial": False} == report


def test_what_was_made_here_is_left_alone(
    there: Site, here: Site, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {"application": "shop", "name": "Own", "stages": [make.stage_json("a", type="wait", waitTime=1)]}
    here.call("POST", "/pipelines", own)

    status, report = imported(client, there, capsys)

    assert status == 1
    assert [one["code"] for one in report["gaps"] if one["weight"] == "refused"] == ["import.made_here"]
    assert [one["name"] for one in here.call("GET", "/pipelineConfigs")] == ["Own"]


def test_an_export_is_what_was_imported_and_can_be_imported_again(
    there: Site, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(client, there, capsys)
    folder = tmp_path / "out"

    assert exporting.export(client, folder, ()) == 0

    written = json.loads((folder / "applications/shop/pipelines/Deliver.json").read_text())
    assert written["triggers"] == there.call("GET", "/applications/shop/pipelineConfigs/Deliver")["triggers"]
    assert written["mood"] == DELIVER["mood"]
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*.json")) == [
        "applications/shop/application.json",
        "applications/shop/notifications.json",
        "applications/shop/pipelines/Deliver.json",
        "applications/shop/pipelines/Waits.json",
        "canary-configs/shop-canary.json",
        "projects/Checkout.json",
        "templates/waiting-latest.json",
        "templates/waiting.json",
    ]
    with sites.running(tmp_path / "third", definitions.plugin, flow.plugin) as third:
        again = Client(tmp_path / "third")
        capsys.readouterr()
        assert importing.from_files(again, Wanted(files=(folder,), form=Form.JSON)) == 0
        again.close()
        assert everything(third) == everything(there)


RECORDED: dict[str, Any] = {
    "/applications": [{"name": "SHOP", "accounts": "prod"}, {"name": "k8s-only", "accounts": "prod"}],
    "/applications/shop": {
        "name": "shop",
        "attributes": {
            "email": "ada@example.org",
            "accounts": "prod",
            "cloudProviders": "kubernetes",
            "repoSlug": "shop",
        },
    },
    "/applications/shop/pipelineConfigs": [
        {
            **DELIVER,
            "index": 0,
            "lastModifiedBy": "ada",
            "updateTs": "1700000000000",
            "schema": "1",
            "keepWaitingPipelines": False,
            "limitConcurrent": True,
            "spelEvaluator": "v4",
        }
    ],
    "/applications/shop/strategyConfigs": [],
    "/notifications/application/shop": {
        "application": "shop",
        "email": [{"address": "ada@example.org", "level": "application", "type": "email", "when": ["pipeline.failed"]}],
    },
    "/v2/pipelineTemplates": [],
    "/projects": [],
}
"""What Gate answers where Kayenta isn't installed, and an application has nothing but clusters."""


def test_a_spinnaker_without_canaries_and_with_an_application_of_clusters_only_is_imported(
    here: Site, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        found = RECORDED.get(request.url.path)
        return (
            httpx2.Response(404, json={"message": "Not found"}) if found is None else httpx2.Response(200, json=found)
        )

    with Gate("https://gate.example.org", Credentials(), transport=httpx2.MockTransport(answer)) as gate:
        status = importing.from_gate(client, gate, Wanted(form=Form.JSON))

        report = json.loads(capsys.readouterr().out)
        assert importing.from_gate(client, gate, Wanted(applications=("k8s-only",))) == 1, "it was asked for"

    told = {(one["weight"], one["code"], one.get("name")) for one in report["gaps"]}
    assert status == 0
    assert told >= {
        ("note", "gate.refused", "k8s-only"),
        ("differs", "notification.unknown_type", "shop"),
        ("note", "gate.refused", "https://gate.example.org"),
        ("note", "account.missing", "shop"),
    }
    assert here.call("GET", "/notifications/application/shop") == RECORDED["/notifications/application/shop"]
    stored = here.call("GET", "/applications/shop/pipelineConfigs/Deliver")
    assert (stored["updateTs"], stored["lastModifiedBy"], stored["spelEvaluator"]) == ("1700000000000", "ada", "v4")


def test_what_a_gate_lists_and_does_not_give_is_told_once_and_keeps_nothing_away(
    here: Site, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    gives = {**RECORDED, "/v2/canaryConfig": [{"id": "gone"}], "/v2/pipelineTemplates": [{"schema": "v2", "id": "t"}]}

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = gives.get(request.url.path)
        return httpx2.Response(404, json={}) if found is None else httpx2.Response(200, json=found)

    with Gate("https://gate.example.org", Credentials(), transport=httpx2.MockTransport(answer)) as gate:
        assert importing.from_gate(client, gate, Wanted(form=Form.JSON)) == 1

    told = [one for one in json.loads(capsys.readouterr().out)["gaps"] if one["weight"] == "refused"]
    assert sorted((one["kind"], one["name"], one["code"]) for one in told) == [
        ("canary-config", "gone", "gate.refused"),
        ("template", "t", "template.field_wrong"),
    ]
    assert here.call("GET", "/applications/shop/pipelineConfigs/Deliver")["name"] == "Deliver"


def test_an_import_for_people_says_what_it_means(
    there: Site, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with Gate(there.address, Credentials()) as gate:
        assert importing.from_gate(client, gate, Wanted(is_shadow=True, is_trial=True)) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "A run would stop there:"
    assert said[2].startswith(
        "  pipeline shop: Deliver (at /stages/1/account): There is no account 'prod' here. Add it"
    )
    assert said[-1] == "shop would be in shadow: nothing of it is performed until `gennaker cut-over shop`."


def test_files_that_are_nothing_of_it_are_refused(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    file.write_text('{"kind": "Deployment"}')

    with pytest.raises(Refused, match="neither an application, a pipeline"):
        importing.from_files(client, Wanted(files=(file,)))
    with pytest.raises(Refused, match="Nothing is named"):
        importing.from_files(client, Wanted())


def test_what_pipelines_name_is_looked_for_when_all_are_there(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = {"type": "pipeline", "application": "zoo"}
    caller = {
        "id": "caller",
        "application": "shop",
        "name": "Caller",
        "triggers": [
            {"type": "pipeline", "enabled": True, "application": "zoo", "pipeline": "gone", "status": ["successful"]}
        ],
        "stages": [
            make.stage_json("1", **call, pipeline="later"),
            make.stage_json("2", **call, pipeline="gone"),
            make.stage_json("3", **call, pipeline="${parameters.which}"),
            make.stage_json("4", type="kayentaCanary", canaryConfig={"canaryConfigId": "c9"}),
        ],
    }
    later = {"id": "later", "application": "zoo", "name": "Later", "stages": []}
    homeless = {"id": "x", "name": "Homeless", "stages": []}
    for number, one in enumerate((caller, later, homeless)):
        (tmp_path / f"{number}.json").write_text(json.dumps(one))

    files = tuple(tmp_path.glob("*.json"))
    assert importing.from_files(client, Wanted(files=files, form=Form.JSON, is_trial=True)) == 1

    report = json.loads(capsys.readouterr().out)
    codes = ("pipeline.missing", "canary_config.missing", "import.no_application")
    assert [(one["code"], one.get("pointer", "")) for one in report["gaps"] if one["code"] in codes] == [
        ("import.no_application", ""),
        ("pipeline.missing", "/stages/1/pipeline"),
        ("canary_config.missing", "/stages/3/canaryConfig/canaryConfigId"),
        ("pipeline.missing", "/triggers/0/pipeline"),
    ]


def test_more_than_fits_into_one_request_comes_in_several(
    here: Site, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = [
        {**DELIVER, "id": f"p{n}", "name": f"Large {n}", "stages": [], "description": "x" * 900_000} for n in range(4)
    ]
    file = tmp_path / "pipelines.json"
    file.write_text(json.dumps(large))

    assert importing.from_files(client, Wanted(files=(file,))) == 0

    assert "Imported: pipeline: 4 stored." in capsys.readouterr().out
    assert len(here.call("GET", "/pipelineConfigs")) == 4
