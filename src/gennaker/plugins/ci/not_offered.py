"""Stage types of Spinnaker for CI systems that Gennaker doesn't speak to: a clear problem instead of an unknown type."""

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, Unplannable
from gennaker.model.problems import Problem


def _stage(name: str, label: str) -> StageType:
    problem = Problem(
        code="stage.not_offered",
        message=f"Gennaker doesn't run builds of {label}.",
        remedy="Run it by a webhook stage, or by a stage for Jenkins, GitHub Actions, GitLab CI or Azure DevOps.",
    )

    async def plan(_spec: StageSpec, _context: StageContext) -> Plan:
        raise Unplannable(problem)

    return StageType(name=name, label=label, about=f"{problem.message} {problem.remedy}", spec=StageSpec, plan=plan)


stages = (
    _stage("travis", "Travis CI"),
    _stage("wercker", "Wercker"),
    _stage("concourse", "Concourse"),
    _stage("awsCodeBuild", "AWS CodeBuild"),
    _stage("googleCloudBuild", "Google Cloud Build"),
)
