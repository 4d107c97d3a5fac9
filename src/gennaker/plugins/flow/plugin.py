"""What the flow folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.flow import (
    check_preconditions,
    depends_on_execution,
    evaluate_artifacts,
    evaluate_variables,
    execution_window,
    find_artifact_from_execution,
    manual_judgment,
    monitor_pipeline,
    noop,
    not_offered,
    pipeline,
    run_multiple_pipelines,
    wait,
    wait_for_condition,
    wait_until,
)

plugin = Plugin(
    name="flow",
    stages=(
        wait.stage,
        wait_until.stage,
        wait_for_condition.stage,
        noop.stage,
        manual_judgment.stage,
        check_preconditions.stage,
        evaluate_variables.stage,
        evaluate_artifacts.stage,
        find_artifact_from_execution.stage,
        depends_on_execution.stage,
        pipeline.stage,
        monitor_pipeline.stage,
        run_multiple_pipelines.stage,
        execution_window.stage,
        *not_offered.stages,
    ),
)
