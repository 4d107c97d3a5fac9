"""Absent: lists of things of Spinnaker that nothing here makes or uses. That there is none of them is true, and a page goes on."""

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
