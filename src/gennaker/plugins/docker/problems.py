"""Problems: what an engine says in its own words, as sentences that say what to do."""

import re

from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.transport.instances.keeping import RunsUnknown

_SHOWN = 400
_KNOWN: tuple[tuple[str, str, str, str], ...] = (
    (
        r"client version \S+ is too (old|new)",
        "docker.version",
        "The engine of the account {account} speaks no version of its API that Gennaker speaks",
        "Update the engine: Gennaker needs Docker 20.10, Podman 4, or newer.",
    ),
    (
        r"no space left on device|not enough (free )?space|disk quota exceeded",
        "docker.no_space",
        "The engine of the account {account} has no space left",
        "Remove images and containers that nobody needs (`docker system prune`), or give its disk more space.",
    ),
    (
        r"server gave HTTP response to HTTPS client|first record does not look like a TLS handshake",
        "docker.plain_registry",
        "The registry speaks plain HTTP, which the engine of the account {account} doesn't allow",
        (
            "Name the registry in /etc/containers/registries.conf with `insecure = true` (Podman) or under "
            "`insecure-registries` in /etc/docker/daemon.json."
        ),
    ),
    (
        (
            r"digest.*(mismatch|did not match|does not match|failed verification)|verification failed for digest"
            r"|unexpected (commit )?digest|failed size validation"
        ),
        "image.digest_mismatch",
        "The registry gave something else than the digest says",
        "Don't run it: the registry is broken or somebody has tampered with it. Push the image again.",
    ),
    (
        r"unauthorized|authentication required|(?<!permission )denied: |pull access denied|no basic auth credentials",
        "docker.registry_denied",
        "The registry doesn't give this image to the account {account}",
        "Give its name and password under [docker.{account}.registries], or look for a typing error in the image's name.",
    ),
    (
        (
            r"manifest unknown|manifest for .* not found|name unknown|no such image|failed to find image"
            r"|repository .* not found|failed to resolve reference .*: not found"
        ),
        "image.unknown",
        "There is no such image",
        "Look for a typing error in its name, tag or digest, or push it first.",
    ),
    (
        r"connection refused|no such host|i/o timeout|network is unreachable|TLS handshake timeout",
        "docker.registry_unreachable",
        "The engine of the account {account} can't reach the registry",
        "Start the registry, or look at the engine's network and proxies.",
    ),
    (
        r"(unable to find|no such|network .* not found|could not find).*network|network [^ ]+ not found",
        "docker.network",
        "There is no such network",
        "Create it with `docker network create`, or write another one under `container.networks`.",
    ),
    (
        r"cannot assign requested address",
        "docker.instance_host",
        "The engine's machine has no such address",
        "Mend instance-host of [docker.{account}]: one of the addresses of the engine's machine.",
    ),
    (
        r"bind source path does not exist",
        "docker.mount",
        "There is no such folder on the engine's machine",
        "Make it there, or mend `source` under `container.mounts`.",
    ),
    (
        r"port is already allocated|address already in use|bind: ",
        "docker.port",
        "The port is in use",
        "Nothing: the next attempt takes another one.",
    ),
    (
        r"executable file .*not found|no such file or directory|exec format error|permission denied.*exec|exec.*permission denied",
        "docker.command",
        "The image's command can't be run",
        "Look at the image's ENTRYPOINT and CMD, and at the machine for which it was built.",
    ),
)
"""What it says, the code, the sentence, the remedy; the first that fits."""


class EngineUnreachable(Refused, RunsUnknown):
    """The engine gave no answer: nothing is known about what it runs."""


def refused(said: str, *, account: str, about: str, status: int = 422) -> Refused:
    """What the engine said about something, as a refusal."""
    problem = _known(said, account=account, about=about) or Problem(
        code="docker.refused",
        message=f"{about}: the engine of the account {account} refuses it: {_words(said)}.",
        remedy="Mend what it names; the engine's own log says more.",
    )
    return Refused(problem, status=status)


def failed(said: str, *, account: str, about: str) -> EngineUnreachable:
    """The engine couldn't say what is: nothing is known, and the next look may tell."""
    problem = _known(said, account=account, about=about) or Problem(
        code="docker.failed",
        message=f"{about}: the engine of the account {account} fails: {_words(said)}.",
        remedy="Look at the engine's log, where it says so again and again.",
    )
    return EngineUnreachable(problem, status=UNAVAILABLE)


def unreachable(
    account: str,
    address: str,
    *,
    why: str,
    remedy: str,
    code: str = "docker.unreachable",
    status: int = UNAVAILABLE,
) -> EngineUnreachable:
    """The engine gave no answer."""
    message = f"The container engine of the account {account} at {address} {why}."
    return EngineUnreachable(Problem(code=code, message=message, remedy=remedy), status=status)


def unknown_place(account: str, region: str, known: tuple[str, ...]) -> Refused:
    """Nothing can be made there."""
    listed = ", ".join(known) or "none; settings name them as [docker.NAME]"
    return Refused(
        Problem(
            code="docker.place",
            message=f"The provider docker has no account {account!r} with region {region!r}.",
            remedy=f"Write one of its accounts and regions ({listed}).",
        )
    )


def no_memory(account: str, name: str, *, wanted: int, taken: int, there: int) -> Refused:
    """The instances' limits don't fit into the machine."""
    return Refused(
        Problem(
            code="docker.no_memory",
            message=f"There is no room for {name}: its instances may need {_gigabytes(wanted)}, and of the {_gigabytes(there)} that the "
            f"engine's machine has, server groups of this account may need {_gigabytes(taken)} already. Nothing was made.",
            remedy="Lower `container.memory` or the number of instances, destroy a server group that nobody needs, or, where not all "
            f"need their limit at once, set overcommit = true under [docker.{account}].",
        ),
        status=409,
    )


def _known(said: str, *, account: str, about: str) -> Problem | None:
    for pattern, code, sentence, remedy in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            message = f"{about}: {sentence.format(account=account)} ({_words(said)})."
            return Problem(code=code, message=message, remedy=remedy.format(account=account))
    return None


def _words(said: str) -> str:
    return " ".join(said.split())[:_SHOWN]


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.2f} GiB"


def taken(name: str) -> Refused:
    """Another server group has the name."""
    return Refused(
        Problem(
            code="server_group.exists",
            message=f"There is a server group {name} already.",
            remedy="Wait until it is destroyed, or create one with another number.",
        ),
        status=409,
    )


def unknown(name: str) -> Refused:
    """There is no such server group or instance."""
    return Refused(
        Problem(
            code="server_group.unknown",
            message=f"There is no {name} in the provider docker.",
            remedy="It may have been destroyed; look at the application's clusters.",
        ),
        status=404,
    )


def option(key: str, message: str, remedy: str) -> Refused:
    """A key of `container` that can't be followed."""
    return Refused(Problem(code="docker.option", message=message, remedy=remedy, pointer=f"/container/{key}"))
