"""The exception tree and the exit codes: every way to fail has one meaning.

::

    FeatureStoreError            1  internal error
      UsageError                 2  a flag is unknown, missing or contradictory
      BadInput                   3  a file cannot be read, or holds what it must not
      WrongShape                 4  a table or column is missing or of another type
      AuditFailed                5  what was staged, or what is stored, breaks an identity
        DeletionRefused          5  more rows would vanish than a run may delete unasked
      Conflict                   6  inputs changed, or an overlapping run committed meanwhile
        WarehouseLocked          6  another process holds the warehouse
      RemoteFailure              7  a service refused, failed or did not answer in time
      CoverageTooLow             8  fewer player rows have a feature row than --fail-under asks for
      TooManyFailures            9  more players failed than --max-error-rate permits

0 is committed and reconciled; 130 and 143 are Ctrl-C and SIGTERM. A message says what was
expected, what was found, where, and what to do next; it never holds a whole row.
"""

from __future__ import annotations

import re

LONGEST_REASON = 300
_STAGE = re.compile(r"( \[while running '[^'\n]{1,200}'\])\s*\Z")


class FeatureStoreError(Exception):
    """The root; also an internal error."""

    exit_code = 1


class UsageError(FeatureStoreError):
    exit_code = 2


class BadInput(FeatureStoreError):
    exit_code = 3


class WrongShape(FeatureStoreError):
    exit_code = 4


class AuditFailed(FeatureStoreError):
    exit_code = 5


class DeletionRefused(AuditFailed):
    pass


class Conflict(FeatureStoreError):
    exit_code = 6


class WarehouseLocked(Conflict):
    pass


class RemoteFailure(FeatureStoreError):
    exit_code = 7


class CoverageTooLow(FeatureStoreError):
    exit_code = 8


class TooManyFailures(FeatureStoreError):
    exit_code = 9


INTERRUPTED, TERMINATED = 130, 143

_BY_NAME: dict[str, type[FeatureStoreError]] = {
    error.__name__: error
    for error in (
        FeatureStoreError,
        UsageError,
        BadInput,
        WrongShape,
        AuditFailed,
        DeletionRefused,
        Conflict,
        WarehouseLocked,
        RemoteFailure,
        CoverageTooLow,
        TooManyFailures,
    )
}


def describe_error(error: BaseException) -> str:
    """``Name: message``, the form in which a failed run stores its error."""
    text = str(error) if isinstance(error, FeatureStoreError) else shorten_reason(str(error))
    return f"{type(error).__name__}: {text}"


def shorten_reason(text: str) -> str:
    """What may be told of an error that others raised, which may quote a row: the beginning of its first
    line, and the stage of the pipeline that Beam adds at the end."""
    first = (text.splitlines() or [""])[0]
    stage = _STAGE.search(text)
    if stage is None:
        return first[:LONGEST_REASON]
    return first.removesuffix(stage[1])[:LONGEST_REASON] + stage[1]


def restore_error(text: str) -> FeatureStoreError:
    """The error that :func:`describe_error` described; an unknown name is an internal error."""
    name, _, message = text.partition(": ")
    if name in _BY_NAME:
        return _BY_NAME[name](message)
    return FeatureStoreError(text)
