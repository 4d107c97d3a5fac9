"""Running the demo: in a folder of its own, with nothing left running whatever ends it, and an exit status that says how it went."""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from gennaker.demo import own_folder, reckoning
from gennaker.demo.story import Story
from gennaker.demo.telling import Teller
from gennaker.demo.where import PROCESSES, Where
from gennaker.model.problems import Refused

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(
    *,
    data: Path | None,
    config: Path | None,
    flags: tuple[str, ...],
    keep: bool,
    rate: float = reckoning.USUAL_RATE,
    where: Where = PROCESSES,
) -> int:
    """Tells the story; 0 if everything did what it must. With `keep` all is left running until Ctrl-C.

    `config` and `flags` are the server's; the demo's own settings come between them. `where`: where the services run; `rate`:
    the requests a second that they get.

    Raises Refused before anything begins if the folder or the rate won't do.
    """
    reckoning.check_rate(rate)
    folder = data.expanduser().absolute() if data else own_folder.temporary()
    own_folder.claim(folder)
    teller = Teller()
    with _at_ending_signals(_interrupt):
        _tell(Story(folder, teller, config=config, flags=flags, rate=rate, where=where), teller, keep=keep)
    if teller.failures:
        teller.verdict(folder)
        return 1
    if data is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(story: Story, teller: Teller, *, keep: bool) -> None:
    try:
        story.tell()
        if keep:
            story.stay()
    except Refused as refused:
        teller.refused(refused)
    except KeyboardInterrupt:
        teller.failures.append("interrupted")
    finally:
        # Whoever is impatient must not keep it from leaving nothing running.
        with _at_ending_signals(signal.SIG_IGN):
            _end(story, teller)


def _end(story: Story, teller: Teller) -> None:
    try:
        story.end()
    except Refused as refused:
        teller.refused(refused)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _at_ending_signals(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> Iterator[None]:
    """Does this instead at signals that end programs, except those that are ignored (nohup)."""
    before = {number: signal.getsignal(number) for number in _ENDING_SIGNALS}
    changed = {number: was for number, was in before.items() if was is not signal.SIG_IGN}
    for number in changed:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, was in changed.items():
            signal.signal(number, was)
