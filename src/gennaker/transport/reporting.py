"""Reporting: how the process's structured log is written (JSON lines, or readable lines on a terminal)."""

import json
import logging
import sys
from collections.abc import Callable
from typing import IO

import structlog

_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
"""Those that structlog knows; libraries may have levels in between."""


class LossyOutput:
    """Takes lines for a stream; one that can't be written is counted instead of raised, and told of as soon as it can.

    The log often lies on the disk that the data is on: when that is full, work must stop with the store's sentence, not
    with a failure to write a line about it.
    """

    def __init__(self, stream: IO[str]) -> None:
        """Nothing is lost yet."""
        self.lost = 0
        self.masked: Callable[[str], str] = str
        """Takes secrets out of a line; set as soon as somebody knows any."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes, or counts."""
        try:
            if self.lost:
                self._stream.write(json.dumps({"event": "log.lost", "lines": self.lost, "level": "warning"}) + "\n")
                self._stream.flush()
                self.lost = 0
            self._stream.write(self.masked(text))
            self._stream.flush()
        except OSError:
            self.lost += 1
        return len(text)

    def flush(self) -> None:
        """Each line is flushed when it is written."""


class _OfLibraries(logging.Handler):
    """Hands on what libraries log by Python's own logging: the event is their logger's name, what they say its message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        level = max((known for known in _LEVELS if known <= record.levelno), default=logging.DEBUG)
        log = structlog.get_logger()
        log.log(level, record.name, message=record.getMessage().strip(), exc_info=record.exc_info)


def configure(*, is_terminal: bool, level: int = logging.INFO) -> LossyOutput:
    """Sets the log up once, at the start of a process that serves; returns where it goes."""
    output = LossyOutput(sys.stderr)
    # Traces without the values of variables: among these are tokens and the bodies of requests.
    renderers: tuple[structlog.types.Processor, ...] = (
        (structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),)
        if is_terminal
        else (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(output),  # type: ignore[arg-type]  # it only writes and flushes
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_OfLibraries()], force=True)
    logging.captureWarnings(capture=True)
    return output
