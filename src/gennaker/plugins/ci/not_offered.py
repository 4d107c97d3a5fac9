"""Stage types of Spinnaker for CI systems that Gennaker doesn't speak to."""

from gennaker.interfaces.stages import StageSpec, StageType

_INSTEAD = "Run it by a webhook stage, or by a stage for Jenkins, GitHub Actions, GitLab CI or Azure DevOps."
_LABELS = {
    "travis": "Travis CI",
    "wercker": "Wercker",
    "concourse": "Concourse",
    "awsCodeBuild": "AWS CodeBuild",
    "googleCloudBuild": "Google Cloud Build",
}
stages = tuple(
    StageType(name=name, label=label, about=f"A build of {label}.", spec=StageSpec, instead=_INSTEAD)
    for name, label in _LABELS.items()
)
