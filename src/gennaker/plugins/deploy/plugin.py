"""What the deploy folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.deploy import (
    cluster_stages,
    create_server_group,
    decommission,
    deploy,
    destroy_server_group,
    disable_server_group,
    enable_server_group,
    find_image,
    http_check,
    release_keeper,
    resize_server_group,
    rollback_cluster,
    rollback_release,
    rollout_keeper,
    run_job,
    shift_traffic,
    traffic_keeper,
    undo_rollout,
)

plugin = Plugin(
    name="deploy",
    stages=(
        deploy.stage,
        create_server_group.stage,
        create_server_group.clone,
        resize_server_group.stage,
        enable_server_group.stage,
        disable_server_group.stage,
        destroy_server_group.stage,
        cluster_stages.shrink,
        cluster_stages.scale_down,
        cluster_stages.disable,
        rollback_cluster.stage,
        find_image.stage,
        run_job.stage,
        http_check.stage,
        rollback_release.stage,
        decommission.stage,
        shift_traffic.stage,
        undo_rollout.stage,
    ),
    services=(traffic_keeper.service, release_keeper.service, rollout_keeper.service),
)
