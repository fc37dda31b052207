"""Where the tour stops: which keys lead there, and what must be readable then."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STOPS", "Stop"]

WIDE, NARROW = (120, 40), (80, 24)


@dataclass(frozen=True)
class Stop:
    """A picture: its name, the keys that lead to it from a fresh start, and text that must be readable then.

    A step is the name of a key, or ``text:`` and characters to type, or ``wait:`` and text to wait for, or ``match:``
    and a regular expression to wait for.
    """

    name: str
    steps: tuple[str, ...]
    expects: str
    size: tuple[int, int] = WIDE
    theme: str = "dark"
    opened: bool = True  # False: started without a repository
    live: bool = False  # of a run that goes on meanwhile


def _typed(text: str) -> tuple[str, str, str]:
    return "/", f"text:{text}", "enter"


STOPS: tuple[Stop, ...] = (
    Stop("start", (), "choose a repository", opened=False),
    Stop("browse", ("G",), "visit"),
    Stop("filter", ("/", "text:filter=HSC-I ccd=16"), "Enter keep"),
    Stop("facets", ("t",), "HSC-R"),
    Stop("plan", ("p", "wait:ccd"), "bias"),
    Stop("run-confirm", ("p", "wait:bias", "x"), "processCcd"),
    Stop("config", ("p", "wait:bias", "e", "wait:default"), "default"),
    Stop("run", ("3", "]", "]", "wait:904020"), "904020"),
    Stop("run-live", ("3", r"match:\b[5-9]\d/104 "), "rerun", live=True),
    Stop("logs", ("4",), "Logs"),
    Stop("image", (*_typed("{ccd}"), "i", "wait:calexp", ")", ")", ")", "O"), "calexp"),
    Stop(
        "image-examine",
        (*_typed("{ccd}"), "i", "wait:calexp", ")", ")", *("right",) * 20, *("up",) * 12, "r", "wait:FWHM"),
        "FWHM",
    ),
    Stop(
        "image-planes",
        (*_typed("{ccd}"), "i", "wait:calexp", ")", ")", "p", "wait:CROSSTALK"),
        "CROSSTALK",
    ),
    Stop("mosaic", (*_typed("{whole}"), "i", "wait:calexp", "M", "wait:visit"), "visit"),
    Stop("triage", ("6", "wait:kept"), "kept"),
    Stop("triage-zeropoint", ("6", "wait:kept", "m"), "kept out"),
    Stop("triage-night", ("6", "wait:kept", "m", "m", "m", "wait:UTC"), "UTC"),
    Stop("compare", ("6", "wait:kept", "d", "wait:medians"), "sigma"),
    Stop("palette", ("ctrl+p",), "Search all actions"),
    Stop("help", ("?",), "Browse"),
    Stop("image-red", (*_typed("{ccd}"), "i", "wait:calexp"), "calexp", theme="safelight"),
    Stop("browse-80x24", ("G",), "visit", size=NARROW),
    Stop("run-80x24", ("3", "]", "]", "wait:904020"), "904020", size=NARROW),
    Stop("triage-80x24", ("6", "wait:kept"), "kept", size=NARROW),
    Stop("start-80x24", (), "choose a repository", size=NARROW, opened=False),
)
