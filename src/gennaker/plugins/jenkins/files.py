"""Files that builds of Jenkins have archived, as artifacts of the type `jenkins/file`."""

from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.ci import CiMissing, CiUnavailable
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.jenkins import system
from gennaker.plugins.jenkins.system import Jenkins


class JenkinsFiles:
    """The artifact account that a Jenkins is, under the Jenkins' own name."""

    types = ("jenkins/file",)

    def __init__(self, jenkins: Jenkins) -> None:
        """Nothing is asked yet."""
        self.name = jenkins.name
        self._jenkins = jenkins

    async def fetch(self, artifact: JsonObject) -> bytes:
        """The file `reference` of the build `version` of the job `name`."""
        job, number, path = (foreign.said_at(artifact, key) for key in ("name", "version", "reference"))
        try:
            return await self._jenkins.file(job, number, path)
        except CiUnavailable as failure:
            raise ArtifactUnavailable(str(failure)) from failure
        except CiMissing as failure:
            raise Refused(Problem(code="artifact.not_given", message=str(failure))) from failure


def accounts(services: Services) -> tuple[JenkinsFiles, ...]:
    """One for each Jenkins of the settings."""
    return tuple(JenkinsFiles(one) for one in system.systems(services))
