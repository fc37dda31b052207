"""``safelight pause`` and ``safelight cancel``: ask a run that goes on, wherever it was started."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from safelight.commands.shell import Parser, arguments_of

if TYPE_CHECKING:
    from safelight.processccd.control import RequestWord
    from safelight.processccd.runlist import RunOverview

__all__ = ["cancel", "pause"]

_ANSWER_S = 5.0

_PAUSE = """\
Let a run begin nothing new; the CCDs in hand are finished. --resume lets it go on. It does not
matter where the run was started: in this terminal, in another, on another host."""

_CANCEL = """\
End a run when the CCDs in hand are done, or --now. What is finished stays; giving the run's
command line again goes on with the rest."""


def pause(argv: Sequence[str] | None = None) -> int:
    """Run ``safelight pause``; 0 when the run has obeyed, 1 when it did not answer."""
    parser = _parser("safelight pause", _PAUSE, "safelight pause DATA --rerun first --resume")
    parser.add_argument("--resume", action="store_true", help="go on")
    options = parser.parse_args(arguments_of(argv))
    return _ask(options.input, options.rerun, "resume" if options.resume else "pause")


def cancel(argv: Sequence[str] | None = None) -> int:
    """Run ``safelight cancel``; 0 when the run has obeyed, 1 when it did not answer."""
    parser = _parser("safelight cancel", _CANCEL, "safelight cancel DATA --rerun first --now")
    parser.add_argument("--now", action="store_true", help="do not wait for the CCDs in hand")
    options = parser.parse_args(arguments_of(argv))
    return _ask(options.input, options.rerun, "cancel-now" if options.now else "cancel")


def _parser(prog: str, description: str, example: str) -> Parser:
    parser = Parser(prog=prog, description=description, example=example)
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("--rerun", metavar="NAME", required=True, help="the rerun in which the run goes on")
    return parser


def _ask(root: str, rerun: str, word: RequestWord) -> int:
    from safelight.commands.rundirs import live_run, rerun_directory
    from safelight.processccd.control import request

    run = live_run(rerun_directory(root, rerun))
    request(run.output, run.run, word)
    if _answered(run, word):
        print(f"run {run.run}: {word}")
        return 0
    print(f"safelight: the run {run.run} has not answered within {_ANSWER_S:g} s; it may yet do so", file=sys.stderr)
    return 1


def _answered(run: RunOverview, word: RequestWord) -> bool:
    """Follow the journal until the run says that it obeys, or that it is over."""
    from safelight.processccd.events import RunControlled, RunFinished
    from safelight.processccd.journal import JournalReader

    reader = JournalReader(run.journal)
    deadline = time.monotonic() + _ANSWER_S
    since = time.time() - 0.5
    while time.monotonic() < deadline:
        for event in reader.read():
            if isinstance(event, RunControlled) and event.request == word and event.time >= since:
                return True
            if isinstance(event, RunFinished):
                return True
        time.sleep(0.1)
    return False
