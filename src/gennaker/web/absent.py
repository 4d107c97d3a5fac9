"""Absent: what Gate has routes of and nothing here makes or uses.

Of lists it is true that there is none in them, and a page goes on; everything else is said not to be offered, whoever asks.
"""

from typing import Final

LISTS: Final = (
    "/artifactory/names",
    "/bakery/options",
    "/banners",
    "/certificates",
    "/certificates/{provider:str}",
    "/charts/find",
    "/codebuild/accounts",
    "/functions",
    "/gcb/accounts",
    "/instanceTypes",
    "/keyPairs",
    "/nexus/names",
    "/notifications/metadata",
    "/pagerDuty/oncalls",
    "/pagerDuty/services",
    "/pubsub/subscriptions",
    "/roles/{provider:str}",
    "/slack/channels",
    "/storage",
    "/subnets",
    "/subnets/{provider:str}",
    "/tags",
    "/vpcs",
)
OLD_TEMPLATES: Final = "/pipelineTemplates"
"""A list as well: those of schema v1."""
MAPS: Final = (
    "/networks",
    "/networks/{provider:str}",
)
"""The same, of things that are asked for by account."""
_ANYTHING = (
    "/admin",
    "/bakery",
    "/batch",
    "/cleanup",
    "/cloudMetrics",
    "/codebuild",
    "/concourse",
    "/ecs",
    "/extensions",
    "/gcb",
    "/integrations",
    "/managed",
    "/mcp",
    "/pipelineTemplates",
    "/proxies",
    "/servicebroker",
    "/snapshots",
    "/v1/data",
)
"""With everything below them."""
_READ = (
    "/artifacts/{provider:str}/{package:str}",
    "/artifacts/{provider:str}/{package:str}/{version:str}",
    "/artifacts/content-address/{application:str}/{hash:str}",
    "/canaries/{canary:str}",
    "/canaryConfigs",
    "/applications/{application:str}/snapshots",
    "/applications/{application:str}/snapshots/{account:str}",
    "/applications/{application:str}/snapshots/{account:str}/history",
    "/ci/builds",
    "/ci/builds/{build:str}/output",
    "/credentials/type/{kind:str}",
    "/history/{name:str}",
    "/plugins/info",
    "/plugins/installed",
    "/applications/{application:str}/tasks/{task_id:str}/details/{detail_id:str}",
    "/tasks/{task_id:str}/details/{detail_id:str}",
    "/pipelineConfigs/{pipeline_id:str}/convertToTemplate",
    "/pipelineTemplate",
    "/swagger-ui.html",
    "/v3/api-docs",
)
_WRITTEN = (
    "/plugins/publish/{plugin:str}/{version:str}",
    "/auth/deleteSessionCache",
    "/notifications/callbacks/{source:str}",
    "/convertPipelineToTemplate",
)
_NOTIFICATIONS = "/notifications/{kind:str}/{name:str}"
"""Of anything but applications."""
_EVERYTHING = tuple(path for one in _ANYTHING for path in (one, f"{one}/{{rest:path}}"))
NOT_OFFERED: Final = {
    "GET": (*(path for path in _EVERYTHING if path != OLD_TEMPLATES), *_READ, _NOTIFICATIONS),
    "POST": (*_EVERYTHING, *_WRITTEN, _NOTIFICATIONS),
    "PUT": (*_EVERYTHING, "/canaries/{canary:str}/end"),
    "PATCH": _EVERYTHING,
    "DELETE": (*_EVERYTHING, _NOTIFICATIONS),
}
"""Paths by method."""
ALSO_LISTED: Final = ("/banners", "/tags")
"""Lists that one could add to; what nothing here would heed isn't kept either."""
