"""What the definitions folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.definitions import (
    create_v2_pipeline_template,
    delete_application,
    delete_pipeline,
    delete_project,
    delete_v2_pipeline_template,
    reorder_pipelines,
    save_pipeline,
    save_pipelines_from_artifact,
    update_application,
    update_pipeline,
    update_v2_pipeline_template,
    upsert_application,
    upsert_project,
)

plugin = Plugin(
    name="definitions",
    stages=(
        save_pipeline.stage,
        update_pipeline.stage,
        delete_pipeline.stage,
        reorder_pipelines.stage,
        save_pipelines_from_artifact.stage,
        *upsert_application.stages,
        update_application.stage,
        delete_application.stage,
        upsert_project.stage,
        delete_project.stage,
        create_v2_pipeline_template.stage,
        update_v2_pipeline_template.stage,
        delete_v2_pipeline_template.stage,
    ),
)
