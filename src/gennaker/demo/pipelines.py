"""The demo's pipelines: two that build, two that deliver, two that make the first release.

Plain Spinnaker JSON made by functions, so that both services share what they have in common; `gennaker demo --keep` leaves them
to look at, and docs/guides/own-service.md starts from them.
"""

from gennaker.demo.repository import BRANCH, PROJECT, SLUG
from gennaker.demo.where import PROCESSES, Where
from gennaker.model.codec import Json, JsonObject

SERVICES = ("shop", "cart")
REGISTRY = "local-registry"
STAGING_CHANNEL = "staging-alerts@example.org"
PRODUCTION_CHANNEL = "production-alerts@example.org"
APPROVERS = "approvers@example.org"
_REPORT = "report.xml"


def build(service: str, *, repository: str, secret: str, depends_on: tuple[str, ...]) -> JsonObject:
    """Builds a service whenever a push touches it or what it depends on."""
    paths: list[Json] = [f"services/{service}/**", *(f"{path}/**" for path in depends_on)]
    trigger: JsonObject = {
        "type": "git",
        "enabled": True,
        "source": "github",
        "project": PROJECT,
        "slug": SLUG,
        "branch": BRANCH,
        "secret": secret,
        "paths": paths,
    }
    stage: JsonObject = {
        "refId": "1",
        "type": "build",
        "name": f"Build {service}",
        "repository": repository,
        "commit": "${trigger.hash}",
        "branch": "${trigger.branch}",
        "service": f"services/{service}",
        "registryAccount": REGISTRY,
    }
    return {
        "application": service,
        "name": f"build-{service}",
        "spelEvaluator": "v4",
        "limitConcurrent": True,
        "keepWaitingPipelines": True,
        "triggers": [trigger],
        "stages": [stage],
    }


def first_release(service: str, *, grace_period: str, where: Where = PROCESSES) -> JsonObject:
    """Puts a service's first image into production: there is nothing yet to compare it with."""
    return {
        "application": service,
        "name": f"first-release-{service}",
        "spelEvaluator": "v4",
        "parameterConfig": [{"name": "image", "required": True}, {"name": "version", "required": True}],
        "stages": [
            {
                "refId": "1",
                "type": "deploy",
                "name": "First production",
                "clusters": [
                    {
                        **_production(service, where, grace_period=grace_period),
                        "strategy": "none",
                        "image": "${parameters.image}",
                        "version": "${parameters.version}",
                    }
                ],
            }
        ],
    }


def delivery_of_shop(
    *, traffic_percent: float, grace_period: str, webhook: str, where: Where = PROCESSES
) -> JsonObject:
    """Staging with tests, canary, approval, blue/green."""
    return {
        **_delivery("shop"),
        "notifications": [
            {"type": "webhook", "address": webhook, "when": ["pipeline.complete", "pipeline.failed"]},
        ],
        "stages": [
            *_staging("shop", where),
            _canary(where, traffic_percent=traffic_percent, requires="4"),
            {
                "refId": "7",
                "requisiteStageRefIds": ["6"],
                "type": "manualJudgment",
                "name": "Approve",
                "instructions": "Release ${trigger.tag} of the shop to production?",
                "sendNotifications": True,
                "notifications": [
                    {"type": "email", "address": APPROVERS, "when": ["manualJudgment"]},
                    {"type": "webhook", "address": webhook, "when": ["manualJudgment"]},
                    {"type": "console", "address": "approvers", "when": ["manualJudgment"]},
                ],
            },
            {
                "refId": "8",
                "requisiteStageRefIds": ["7"],
                "type": "deploy",
                "name": "Production",
                "sendNotifications": True,
                "notifications": [{"type": "email", "address": PRODUCTION_CHANNEL, "when": ["stage.failed"]}],
                "clusters": [{**_production("shop", where, grace_period=grace_period), "strategy": "redblack"}],
            },
        ],
    }


def delivery_of_cart(*, grace_period: str, where: Where = PROCESSES) -> JsonObject:
    """Staging with tests, then a rolling update."""
    return {
        **_delivery("cart"),
        "stages": [
            *_staging("cart", where),
            {
                "refId": "6",
                "requisiteStageRefIds": ["4"],
                "type": "deploy",
                "name": "Production",
                "clusters": [
                    {
                        **_production("cart", where, grace_period=grace_period),
                        "strategy": "rollingredblack",
                        "targetPercentages": [50, 100],
                    }
                ],
            },
        ],
    }


def _delivery(service: str) -> JsonObject:
    return {
        "application": service,
        "name": f"deliver-{service}",
        "spelEvaluator": "v4",
        "limitConcurrent": True,
        "keepWaitingPipelines": True,
        "triggers": [{"type": "docker", "enabled": True, "account": REGISTRY, "repository": service, "tag": ".*"}],
    }


def _staging(service: str, where: Where) -> list[Json]:
    alert: JsonObject = {"type": "email", "address": STAGING_CHANNEL, "when": ["stage.failed"]}
    alerts: JsonObject = {"sendNotifications": True, "notifications": [alert]}
    deploy: JsonObject = {
        "refId": "1",
        "type": "deploy",
        "name": "Staging",
        **alerts,
        "clusters": [
            {
                **where.cluster,
                "application": service,
                "stack": "staging",
                "strategy": "rollingredblack",
                "capacity": {"min": 1, "max": 1, "desired": 1},
                "loadBalancers": [f"{service}-staging"],
                # Not /healthz: that is what the smoke test looks at, and a version that fails it must get that far.
                "healthPath": "/version",
            }
        ],
    }
    smoke: JsonObject = {
        "refId": "2",
        "requisiteStageRefIds": ["1"],
        "type": "httpCheck",
        "name": "Smoke test",
        "address": "${#stage('Staging').outputs.address}",
        "paths": ["/healthz"],
        **alerts,
    }
    tests: list[Json] = [
        {
            "refId": ref,
            "requisiteStageRefIds": [requires],
            "name": name,
            **where.job(image="${trigger.artifacts[0].reference}", command=_tests(service, suite), report=_REPORT),
            **alerts,
        }
        for ref, requires, name, suite in (
            ("3", "2", "Integration tests", "integration"),
            ("4", "3", "End-to-end tests", "e2e"),
        )
    ]
    return [deploy, smoke, *tests]


def _tests(service: str, suite: str) -> tuple[str, ...]:
    address = "${#stage('Staging').outputs.address}"
    return "python3", "-m", f"{service}.acceptance", suite, "--base-url", address, "--junit", _REPORT


def _canary(where: Where, *, traffic_percent: float, requires: str) -> JsonObject:
    place: JsonObject = {
        **where.cluster,
        "application": "shop",
        "capacity": {"min": 1, "max": 1, "desired": 1},
        "loadBalancers": ["shop-prod"],
        "trafficPercent": traffic_percent,
        "healthPath": "/version",
    }
    return {
        "refId": "6",
        "requisiteStageRefIds": [requires],
        "type": "kayentaCanary",
        "name": "Canary",
        "analysisType": "realTimeAutomatic",
        "deployments": {
            "baseline": {**where.place, "application": "shop", "cluster": "shop-prod"},
            "serverGroupPairs": [
                {
                    "control": {**place, "stack": "prod", "freeFormDetails": "baseline"},
                    "experiment": {**place, "stack": "prod", "freeFormDetails": "canary"},
                }
            ],
            "delayBeforeCleanup": "PT0S",
        },
        "canaryConfig": {
            "canaryConfigId": "shop-canary",
            "lifetimeDuration": "PT40S",
            "canaryAnalysisInterval": "PT20S",
            "beginCanaryAnalysisAfter": "PT2S",
            "scopes": [{"scopeName": "default", "step": 1}],
            "scoreThresholds": {"pass": 80, "marginal": 50},
        },
    }


def _production(service: str, where: Where, *, grace_period: str) -> JsonObject:
    return {
        **where.cluster,
        "application": service,
        "stack": "prod",
        "capacity": {"min": 2, "max": 2, "desired": 2},
        "loadBalancers": [f"{service}-prod"],
        "gracePeriod": grace_period,
        "healthPath": "/version",
        "verify": {"httpCheck": {"paths": ["/healthz", "/version"]}},
    }
