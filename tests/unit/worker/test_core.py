"""The core: what plugins offer is found under its names."""

from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import Harness

from gennaker.interfaces.stages import StageSpec, StageType
from gennaker.worker import core


def stage(name: str, *aliases: str, label: str = "") -> StageType:
    return StageType(name=name, label=label, about="", spec=StageSpec, aliases=aliases)


def test_stage_types_are_found_by_name_and_alias_and_the_first_of_a_name_wins() -> None:
    first, second = stage("a", "b", label="first"), stage("b", "c", label="second")

    assert core.by_name([first, second]) == {"a": first, "b": first, "c": second}


def test_what_factories_make_is_in_the_services_under_its_type() -> None:
    built = Harness(scripted.plugin(Target())).built()

    assert set(built.services.notifiers) == {"test"}
    assert {"make", "call", "poll", "hang", "fail"} == set(built.stage_types)
    assert not built.worker.is_ready
