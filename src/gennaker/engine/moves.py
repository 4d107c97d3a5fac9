"""Moves: what follows inside one step without another event.

Where Orca sends itself a message, a step puts a move on its agenda. Moves are handled one after the other until none
is left, so that a long chain of stages that need no work doesn't nest calls.
"""

from typing import TypeAlias

import msgspec

from gennaker.model.execution import Side


class StartStage(msgspec.Struct, frozen=True, gc=False):
    """Start a stage if all that it requires has ended well; otherwise nothing: who ends last asks again."""

    stage_id: str


class BeginWork(msgspec.Struct, frozen=True, gc=False):
    """The before-stages have ended (or there are none): start the first task, or complete."""

    stage_id: str


class StartTask(msgspec.Struct, frozen=True, gc=False):
    """Start a task of a running stage."""

    stage_id: str
    task_id: str


class SkipByHand(msgspec.Struct, frozen=True, gc=False):
    """A stage whose context, or that of one above it, says `manualSkip: true` would run a task: it is skipped instead."""

    stage_id: str


class ContinueParent(msgspec.Struct, frozen=True, gc=False):
    """A synthetic stage without followers has ended well: go on with its parent if no other is left."""

    parent_id: str
    side: Side


class CompleteStage(msgspec.Struct, frozen=True, gc=False):
    """Derive the stage's status and end it, or go on with its late stages."""

    stage_id: str


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A stage has just ended: go on with what follows it."""

    stage_id: str


class CheckExecution(msgspec.Struct, frozen=True, gc=False):
    """End the execution if nothing is left."""


Move: TypeAlias = (
    StartStage | BeginWork | StartTask | SkipByHand | ContinueParent | CompleteStage | Ended | CheckExecution
)
"""All of them; order matters only within one step."""
