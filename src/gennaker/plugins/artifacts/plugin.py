"""What the artifacts folder offers."""

from gennaker.interfaces.artifacts import ArtifactAccount
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.plugins.artifacts import accounts
from gennaker.plugins.artifacts.accounts import FileAccount
from gennaker.plugins.artifacts.charts import ChartAccount
from gennaker.plugins.artifacts.repositories import RepositoryAccount


def of_settings(services: Services) -> tuple[ArtifactAccount, ...]:
    """Those of the settings, and the one that needs none."""
    found: list[ArtifactAccount] = [accounts.public(services)]
    for name, one in services.settings.artifact_accounts.items():
        allowed, secrets = services.settings.webhook_hosts, services.secrets
        match one.type:
            case "helm":
                found.append(ChartAccount(name, one, allowed=allowed, secrets=secrets))
            case "git":
                found.append(RepositoryAccount(name, one, secrets=secrets))
            case _:
                found.append(FileAccount(name, one, allowed=allowed, secrets=secrets))
    return tuple(found)


plugin = Plugin(name="artifacts", artifacts=(of_settings,))
