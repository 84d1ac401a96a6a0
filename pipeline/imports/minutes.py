"""Playing time as the public exports write it -> minutes as a number.

======================  ===================================================
``34:12``               34 minutes, 12 seconds
``34:12:00``            the same: a spreadsheet took it for hours and minutes
``34.000000:12``        the same: the NBA's older box scores
``PT34M12.00S``         the same: ISO 8601 without hours
``34.2``, ``34``        minutes
``DNP``, ``NWT - ...``  no minutes: the reason stands in their place
======================  ===================================================

``HH:MM:SS`` is not read: whether ``1:02:30`` begins with an hour or a minute cannot be told, so a
third part other than ``00`` is refused.
"""

from __future__ import annotations

import re

_CLOCK = re.compile(r"([0-9]{1,3})(?:\.0+)?:([0-5][0-9])(?::00)?")
_ISO = re.compile(r"PT(?=[0-9])(?:([0-9]{1,3})M)?(?:([0-5]?[0-9](?:\.[0-9]{1,9})?)S)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?|[+-]?inf(inity)?", re.IGNORECASE)
_ABSENCE = re.compile(r"(DNP|DND|NWT)\b.*")
"""Did not play, did not dress, not with the team: how the NBA begins the reason of an absence."""


def read_minutes(text: str) -> float | None:
    """The minutes that the text says, None for an absence; ``ValueError`` when it says neither."""
    if clock := _CLOCK.fullmatch(text):
        return (60 * int(clock[1]) + int(clock[2])) / 60
    if iso := _ISO.fullmatch(text):
        return (60 * int(iso[1] or 0) + float(iso[2] or 0)) / 60
    return None if is_absence(text) else read_number(text)


def read_number(text: str) -> float:
    """The number that the text is, infinity included; ``ValueError`` for any other text."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def is_absence(text: str) -> bool:
    """Whether a comment says that the player was absent from the game."""
    return _ABSENCE.fullmatch(text) is not None
