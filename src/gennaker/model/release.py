"""Releases: what runs where, since when, what it replaced and until when the old version is kept warm.

A release outlives the execution that made it. A newer release of the same cluster supersedes the older one: the older
one's warm server group is decommissioned at once unless it is the one that the newer release replaced
(docs/guarantees.md).
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from gennaker.model.problems import Problem


class ReleaseState(StrEnum):
    """Where a release stands."""

    CURRENT = "current"
    """It serves, and what it replaced is kept warm until `warm_until`."""
    SETTLED = "settled"
    """It serves; what it replaced was decommissioned."""
    SUPERSEDED = "superseded"
    """A newer release serves."""
    ROLLED_BACK = "rolled-back"
    """What it replaced serves again."""


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One release of one cluster in one account and region."""

    id: str
    """`rel_<ulid>`"""
    application: str
    account: str
    region: str
    cluster: str
    cloud_provider: str
    load_balancers: tuple[str, ...] = ()
    server_group: str
    image: str
    """Reference with digest."""
    version: str = ""
    """The image's tag, as people name it."""
    replaced: str | None = None
    """Server group that served before; None: there was none."""
    replaced_version: str = ""
    execution_id: str
    released_at: datetime
    warm_until: datetime | None = None
    """When `replaced` is decommissioned; None: at once, unless it is kept."""
    keeps_replaced: bool = False
    """`replaced` is nobody's to decommission: it stays, disabled, until somebody removes it."""
    state: ReleaseState = ReleaseState.CURRENT
    ended_at: datetime | None = None
    ended_because: str = ""

    @property
    def shown_version(self) -> str:
        """As a person is told of it, whatever is known of it."""
        return self.version or self.image or self.server_group


def first(release: Release) -> Problem:
    """There is nothing that the release could be rolled back to."""
    named = f"{release.server_group} ({release.shown_version})"
    return Problem(
        code="rollback.first",
        message=f"{named} is the first release of {release.cluster}: there is no earlier version to restore.",
        remedy="Deploy another version instead.",
    )
