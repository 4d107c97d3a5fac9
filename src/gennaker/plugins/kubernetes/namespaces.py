"""Namespaces that accounts may use, as they were seen last where an API server doesn't answer."""

from functools import partial

from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import patience
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.objects import Objects
from gennaker.plugins.kubernetes.patience import patiently

_NAMESPACE = Kind("namespace")
_FORBIDDEN = 403


class Namespaces:
    """Of all accounts."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._seen: dict[str, tuple[str, ...]] = {}
        self._unseen: set[str] = set()

    async def of(self, account: Account) -> tuple[str, ...]:
        """Those of the settings, else what there is. None are no failure: whoever lists accounts lists the others."""
        if account.settings.namespaces:
            return account.settings.namespaces
        # Whoever looks again and again shall not wait each time for one that is known to be gone.
        pauses = () if account.name in self._unseen else patience.PAUSES
        try:
            self._seen[account.name] = await patiently(partial(_listed, account), pauses)
        except Refused:
            self._unseen.add(account.name)
        else:
            self._unseen.discard(account.name)
        return self._seen.get(account.name, ())


async def _listed(account: Account) -> tuple[str, ...]:
    try:
        seen = await Objects(account).everywhere(_NAMESPACE, "")
    except Refused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return (account.server.namespace,)
    names = {account.server.namespace, *(name for _, name in seen)}
    return tuple(sorted(one for one in names if account.namespace_problem(one) is None))
