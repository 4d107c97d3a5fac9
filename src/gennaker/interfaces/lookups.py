"""Look-ups: what functions of expressions ask outside (`#fromUrl`, `#pipelineId` …), as questions with answers.

An expression is evaluated without waiting for anybody: a question without an answer fails it for the time being, the
question is answered, and the expression is evaluated again (`engine.asking`).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from gennaker.expressions.functions import LookupFailed
from gennaker.model.codec import Json


class About(StrEnum):
    """What a question is about."""

    URL = "url"
    """`name`: the URL; the answer is the text there."""
    REFERENCE = "reference"
    """`name`: a reference to an artifact store; the answer is its content."""
    PIPELINE = "pipeline"
    """`name` and `application`; the answer is an id, null where there is no such pipeline."""
    APPLICATION = "application"
    """`name`; the answer is a map, null where there is no such application."""
    CANARY_CONFIG = "canary-config"
    """`name` and `application`; the answer is an id, null where there is no such config."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question; equal ones have one answer."""

    about: About
    name: str
    application: str = ""


Answer: TypeAlias = Json | LookupFailed
"""What was found, or why nothing could be."""


class Outside(Protocol):
    """Answers questions."""

    async def answers(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question, in their order; they are asked at the same time."""
        ...
