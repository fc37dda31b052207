"""What every command shares: errors as sentences, exit codes, a closed pipe, help that keeps its examples."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from safelight.errors import SafelightError, UsageError

__all__ = ["CANCELLED", "Parser", "guarded", "show_error"]

CANCELLED = 130


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions and examples; wide enough for the option column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `UsageError` and whose help ends in examples."""

    def __init__(self, *, prog: str, description: str, example: str, fromfile_prefix_chars: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"example:\n  {example.strip()}",
            formatter_class=_HelpFormatter,
            fromfile_prefix_chars=fromfile_prefix_chars,
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage."""
        text = message[:1].upper() + message[1:]
        raise UsageError("BAD_OPTION", text if text.endswith(".") else f"{text}.", f"{self.prog} --help")


def show_error(error: SafelightError, program: str) -> None:
    """Print an error as a sentence with its hint on stderr."""
    print(f"{program}: {error.message} [{error.code}]", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)


def guarded(program: str, run: Callable[[], int]) -> int:
    """Run a command's body; turn what it raises into a sentence and an exit code.

    A reader that closes the pipe (``| head``) ends the command quietly, as it does other programs. What the system
    refuses (a full disk behind stdout, a file without permission) is said in one line.
    """
    open_standard_streams()
    try:
        code = run()
        sys.stdout.flush()
        return code
    except SafelightError as error:
        show_error(error, program)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{program}: cancelled", file=sys.stderr)
        return CANCELLED
    except BrokenPipeError:
        abandon_stdout()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        print(
            f"{program}: {where}{error.strerror or error}. [{'DISK_FULL' if full else 'SYSTEM_ERROR'}]", file=sys.stderr
        )
        if full:
            print("  hint: Free some space, then give the same command again.", file=sys.stderr)
        if error.filename is None:
            abandon_stdout()
        return 1


def open_standard_streams() -> None:
    """Put /dev/null where a standard stream is closed (``>&-``): a data file must not become descriptor 1 or 2."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def abandon_stdout() -> None:
    """Let what is still to be written to stdout go nowhere: Python would complain again when it closes it at exit."""
    with contextlib.suppress(OSError, ValueError):  # a stdout without a descriptor has nothing to complain of
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def arguments_of(argv: Sequence[str] | None) -> list[str]:
    """The arguments given, or the process's own."""
    return list(sys.argv[1:] if argv is None else argv)
