"""Rules: what the engine must know of stage types, as data.

Descriptors without callables, so that `advance` stays pure and a journal can be folded without any plugin's code.
"""

from collections.abc import Iterable, Mapping

import msgspec

from gennaker.interfaces.stages import StageType
from gennaker.model.execution import Stage
from gennaker.settings import Settings


class StageRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine must know of one stage type."""

    restart_clears: tuple[str, ...] = ()
    """Keys of context and outputs that a restart removes."""
    restart_takes: tuple[str, ...] = ()
    """Keys of the context that a restart takes from the pipeline as it is saved now."""
    restart_remembers: tuple[str, ...] = ()
    """Keys of the context that a restart keeps in `restartDetails`: `buildInfo` as `previousBuildInfo`."""
    evaluates_in_order: str = ""
    """Key of the list of variables that are evaluated one after another (see `engine.variables`)."""
    runs_in_dry_run: bool = False
    """Its tasks run in a dry run too (`trigger.dryRun`)."""
    is_skippable: bool = False
    """A person may skip such a stage if its context says `skippable: true`."""
    ends_with_all_before: bool = False
    """All its before-stages come to an end before it does, also where one of them has failed."""
    plans_after: bool = False
    """It has stages that follow its tasks: they must be planned before it completes."""
    plans_on_failure: bool = False
    """It has stages that follow its failure."""


class BackOff(msgspec.Struct, frozen=True, kw_only=True):
    """The shortest rest between two polls of a task that acts on one cloud provider, in seconds."""

    seconds: float = 0
    by_account: Mapping[str, float] = {}


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of all known stage types, by name and alias, and what the operator wants of all tasks."""

    stages: Mapping[str, StageRule] = {}
    disabled_tasks: tuple[str, ...] = ()
    """Names of tasks that are skipped."""
    back_off_seconds: float = 0
    """The shortest rest between two polls of any task."""
    longest_back_off_seconds: float = 0
    """The longest rest; 0: any."""
    back_off_of_providers: Mapping[str, BackOff] = {}
    """By cloud provider."""

    def of(self, stage: Stage) -> StageRule:
        """The rule of a stage; one of an unknown type has nothing of its own (it fails when it is prepared)."""
        return self.stages.get(type_name(stage), _NOTHING)


_NOTHING = StageRule()


def type_name(stage: Stage) -> str:
    """The name by which the stage's type is looked up: the context's `alias` if it has one, else the type."""
    alias = stage.context.get("alias")
    return alias if alias and isinstance(alias, str) else stage.type


def from_stage_types(types: Iterable[StageType], settings: Settings | None = None) -> Rules:
    """The rules of these types, under their names and aliases, with what the settings say of tasks."""
    rules: dict[str, StageRule] = {}
    for stage_type in types:
        rule = StageRule(
            restart_clears=stage_type.restart_clears,
            restart_takes=stage_type.restart_takes,
            restart_remembers=stage_type.restart_remembers,
            evaluates_in_order=stage_type.evaluates_in_order,
            runs_in_dry_run=stage_type.runs_in_dry_run,
            is_skippable=stage_type.is_skippable,
            ends_with_all_before=stage_type.ends_with_all_before,
            plans_after=stage_type.plan_after is not None,
            plans_on_failure=stage_type.plan_on_failure is not None,
        )
        for name in (stage_type.name, *stage_type.aliases):
            rules[name] = rule
    known = settings or Settings()
    return Rules(
        stages=rules,
        disabled_tasks=known.engine.disabled_tasks,
        back_off_seconds=known.engine.back_off_seconds,
        longest_back_off_seconds=known.engine.longest_back_off_seconds,
        back_off_of_providers={
            name: BackOff(seconds=one.back_off_seconds, by_account=one.account_back_off_seconds)
            for name, one in known.providers.items()
        },
    )
