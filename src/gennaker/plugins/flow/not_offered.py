"""Stage types of Spinnaker that belong to systems which Gennaker doesn't have, and what does their work here."""

from gennaker.interfaces.stages import StageSpec, StageType

_CANARY = "Use the stage kayentaCanary."
_TEMPLATE = (
    "Use pipeline templates of schema v2: createV2PipelineTemplate, updateV2PipelineTemplate, deleteV2PipelineTemplate."
)
_MANAGED = "Managed Delivery isn't part of Gennaker: write a pipeline."
_PLUGINS = "Plugins of Spinnaker can't run here; Gennaker's own are Python packages."
_WEBHOOK = "Call the system by a webhook stage."
_INSTEAD = {
    "acaTask": _CANARY,
    "canary": _CANARY,
    "deployCanary": _CANARY,
    "monitorCanary": _CANARY,
    "canaryDisableCluster": _CANARY,
    "createPipelineTemplate": _TEMPLATE,
    "updatePipelineTemplate": _TEMPLATE,
    "deletePipelineTemplate": _TEMPLATE,
    "importDeliveryConfig": _MANAGED,
    "publishDeliveryConfig": _MANAGED,
    "upsertDeliveryConfig": _MANAGED,
    "deleteDeliveryConfig": _MANAGED,
    "upsertPluginInfo": _PLUGINS,
    "deletePluginInfo": _PLUGINS,
    "loadPluginRelease": _PLUGINS,
    "setPreferredPluginRelease": _PLUGINS,
    "createJiraIssue": _WEBHOOK,
    "jira": _WEBHOOK,
    "gremlin": _WEBHOOK,
    "pageApplicationOwner": "Use a notification of the stage or of the pipeline.",
}
stages = tuple(
    StageType(name=name, label="of Spinnaker", about="Not offered.", spec=StageSpec, instead=instead)
    for name, instead in _INSTEAD.items()
)
