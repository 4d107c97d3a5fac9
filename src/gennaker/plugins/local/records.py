"""Records: what is kept about jobs in Documents, and the one place there is."""

from datetime import datetime

import msgspec

from gennaker.interfaces.clouds import NewJob, Place

PLACE = Place(account="local", region="local")


class JobRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as it was asked for."""

    new: NewJob
    created_at: datetime
    is_stopped: bool = False
    """Somebody has stopped it; if it has not been started yet, it never will be."""
