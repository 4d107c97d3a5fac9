"""Tests of transport/reporting.py."""

import errno
import io

from gennaker.transport.reporting import LossyOutput


class SmallDisk(io.StringIO):
    """Takes what is written while there is room."""

    is_full = False

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_line_that_the_disk_does_not_take_stops_nobody() -> None:
    disk = SmallDisk()
    output = LossyOutput(disk)

    disk.is_full = True
    output.write("first\n")
    output.write("second\n")

    assert (disk.getvalue(), output.lost) == ("", 2)


def test_lost_lines_are_told_of_when_there_is_room_again() -> None:
    disk = SmallDisk()
    output = LossyOutput(disk)
    disk.is_full = True
    output.write("lost\n")

    disk.is_full = False
    output.write("kept\n")

    assert disk.getvalue() == '{"event": "log.lost", "lines": 1, "level": "warning"}\nkept\n'
    assert output.lost == 0
