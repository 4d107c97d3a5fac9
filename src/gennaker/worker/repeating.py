"""Repeating: how an effect is performed that may have been performed before, since nobody knows how far it had come."""

from gennaker.interfaces.journal import Journal
from gennaker.interfaces.probes import Probe
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import EffectClass, Execution
from gennaker.worker.performing import Performer, Run


async def repeat(
    pending: PendingEffect, execution: Execution | None, *, performer: Performer, journal: Journal, probe: Probe
) -> Run:
    """Counts, in a commit of its own, the repeat of what may happen at most twice; gives it up after that one."""
    if execution is None or performer.effect_class(pending.effect, execution) is EffectClass.REPEATABLE:
        return Run(is_repeat=True)
    if pending.tries >= 1:
        return Run(is_repeat=True, is_given_up=True)
    probe.reached("commit.before:RepeatCounted")
    await journal.raise_tries(pending.effect.key)
    probe.reached("commit.after:RepeatCounted")
    return Run(is_repeat=True)
