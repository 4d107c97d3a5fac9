"""Stage types of Spinnaker about clouds and images that no provider here offers, and what does their work."""

from gennaker.interfaces.stages import StageSpec, StageType

_BUDGET = "A PodDisruptionBudget is a manifest like any other: deploy it by deployManifest."
_BAKE = "Images aren't baked here: a build stage makes them, or a CI stage; deploy takes the image from there."
_BALANCER = "A load balancer goes with its settings; upsertLoadBalancer makes one, and a cluster's `loadBalancers` on their first use."
_CLOUD = "No cloud provider here has such a resource: use the cloud's own tool in a runJob, script or webhook stage."
_INSTANCES = "Single instances aren't handled: resize, disable or destroy their server group."
_TAGS = "Entity tags aren't kept here: an application's attributes, an execution's outputs and audit records say such things."
_IMAGE = "Images are deleted at their registry, by its own means."
_INSTEAD = {
    "upsertDisruptionBudget": _BUDGET,
    "bake": _BAKE,
    "bakeCloudFoundryManifest": _BAKE,
    **dict.fromkeys(("deleteLoadBalancer", "upsertAppEngineLoadBalancers"), _BALANCER),
    "deleteImage": _IMAGE,
    **dict.fromkeys(("upsertEntityTags", "deleteEntityTags", "upsertServerGroupTags"), _TAGS),
    **dict.fromkeys(
        (
            *("terminateInstances", "rebootInstances", "detachInstances", "terminateInstanceAndDecrementServerGroup"),
            *("registerInstancesWithLoadBalancer", "deregisterInstancesFromLoadBalancer"),
            *("enableInstancesInDiscovery", "disableInstancesInDiscovery"),
        ),
        _INSTANCES,
    ),
    **dict.fromkeys(
        (
            *("upsertSecurityGroup", "deleteSecurityGroup", "upsertScalingPolicy", "deleteScalingPolicy"),
            *(
                "modifyScalingProcess",
                "modifyAwsScalingProcess",
                "updateLaunchConfig",
                "updateLaunchTemplate",
                "rollingPush",
            ),
            *("saveSnapshot", "restoreSnapshot", "deleteSnapshot", "bulkDestroyServerGroup"),
            *("deployCloudFormation", "deleteCloudFormation", "startServerGroup", "stopServerGroup"),
            *("deployAppEngineConfiguration", "deployCloudrunManifest", "deployService", "destroyService"),
            *("shareService", "unshareService", "createServiceKey", "deleteServiceKey"),
            *("createServiceBindings", "deleteServiceBindings"),
            *("Aws.LambdaDeploymentStage", "Aws.LambdaUpdateCodeStage", "Aws.LambdaDeleteStage"),
            *("Aws.LambdaInvokeStage", "Aws.LambdaTrafficRoutingStage"),
        ),
        _CLOUD,
    ),
}
stages = tuple(
    StageType(name=name, label="of Spinnaker", about="Not offered.", spec=StageSpec, instead=instead)
    for name, instead in _INSTEAD.items()
)
