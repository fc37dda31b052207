"""The error tree.

::

    SafelightError                      code, sentence, hint, data ID
    ├── UsageError(ValueError)          exit 2   a command line or a call that cannot be understood
    │   └── DataIdError                 exit 2   a data-ID expression that cannot be understood
    ├── ConfigurationError(ValueError)  exit 2   a configuration or camera file that does not validate
    │   └── ConfigurationMismatch       exit 3   a rerun has another configuration
    ├── EmptySelection(LookupError)     exit 4   a valid data ID that selects nothing
    ├── RepositoryError                 exit 5   not a repository, unreadable or unwritable
    │   └── DatasetNotFound(LookupError)         a dataset, calibration or shard that does not exist
    └── ProcessingError                 exit 1   one CCD cannot be processed

Every error has a stable upper-case `code` that scripts may compare, a sentence for people, and a hint that says
what to do next. Errors are shown as sentences; tracebacks go to the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "ConfigurationError",
    "ConfigurationMismatch",
    "DataIdError",
    "DatasetNotFound",
    "EmptySelection",
    "ProcessingError",
    "RepositoryError",
    "SafelightError",
    "UsageError",
]


class SafelightError(Exception):
    """Base of all errors that a user can cause or meet.

    Parameters
    ----------
    code : str
        Stable identifier, upper case with underscores, e.g. ``"UNKNOWN_KEY"``.
    message : str
        One sentence that says what is wrong, with the offending value in it.
    hint : str, optional
        What to do about it.
    data_id : mapping, optional
        The data ID at hand, if one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, hint: str = "", data_id: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.data_id: dict[str, Any] = dict(data_id or {})

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]" + (f"\n  hint: {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders; Exception's own pickling would lose all but the message.
        return (type(self), (self.code, self.message, self.hint, self.data_id))


class UsageError(SafelightError, ValueError):
    """A command line or a call that cannot be understood."""

    exit_code = 2


class DataIdError(UsageError):
    """A data-ID expression that cannot be understood: unknown key, uncastable value, bad range.

    `span` is (start, end) of the offending characters in the text as typed (words of a command line are joined by one
    space), so that an editor can underline them; None when there is no such text.
    """

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        data_id: Mapping[str, Any] | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(code, message, hint, data_id)
        self.span = span

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.code, self.message, self.hint, self.data_id, self.span))


class ConfigurationError(SafelightError, ValueError):
    """A configuration or camera file that does not validate."""

    exit_code = 2


class ConfigurationMismatch(ConfigurationError):
    """The rerun was made with another configuration; nothing is run."""

    exit_code = 3


class EmptySelection(SafelightError, LookupError):
    """A well-formed data ID that selects nothing."""

    exit_code = 4


class RepositoryError(SafelightError):
    """Not a repository, or one that cannot be read or written."""

    exit_code = 5


class DatasetNotFound(RepositoryError, LookupError):
    """A dataset, master calibration or reference shard that does not exist."""


class ProcessingError(SafelightError):
    """One CCD cannot be processed; the other CCDs of a run go on.

    `code` names the reason, e.g. ``"TOO_FEW_STARS"``; the runner adds the step in which it happened.
    """
