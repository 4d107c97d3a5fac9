"""What the folder of Kubernetes offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.kubernetes import (
    accounts,
    delete_manifest,
    deploy_manifest,
    find_artifacts,
    live,
    patch_manifest,
    provider,
    rollout_stages,
    run_job_manifest,
    scale_manifest,
    traffic_stages,
)

stages = (
    deploy_manifest.stage,
    delete_manifest.stage,
    scale_manifest.stage,
    patch_manifest.stage,
    rollout_stages.undoing,
    rollout_stages.pausing,
    rollout_stages.resuming,
    rollout_stages.restarting,
    traffic_stages.enabling,
    traffic_stages.disabling,
    find_artifacts.stage,
    find_artifacts.target,
    run_job_manifest.stage,
)
watches = Service(name="kubernetes-watches", run=accounts.keep, is_everywhere=True)
plugin = Plugin(
    name="kubernetes",
    stages=stages,
    clouds=(provider.KubernetesProvider.of,),
    api_servers=(accounts.of_settings,),
    manifests=(live.KubernetesManifests.of,),
    services=(watches,),
)
