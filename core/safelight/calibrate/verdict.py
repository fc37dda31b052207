"""When the doubts about a WCS are, together, a refutation.

Each caveat has its innocent explanations: a blurred image scatters, a catalogue has gaps, a frame has junk. A WCS that
scatters, bends the camera and leaves the bright stars unexplained all at once has none but that it is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

from safelight.caveats import Caveat
from safelight.errors import ProcessingError

__all__ = ["refuse_if_contradicted"]

#: Independent ways in which a WCS is contradicted; a bent camera weighs double, since nothing bends one.
WEIGHTS = {
    "WCS_BENDS_MODEL": 2,
    "WCS_REFERENCES_MISSING": 1,
    "WCS_RESERVED_RESIDUAL_HIGH": 1,
    "WCS_SCALE_UNEXPECTED": 1,
    "WCS_SCATTER_HIGH": 1,
    "WCS_SOURCES_UNKNOWN": 1,
}
DAMNING = 3


def refuse_if_contradicted(caveats: Sequence[Caveat]) -> None:
    """Refuse a WCS of which too many of its caveats say that it is wrong.

    Raises
    ------
    ProcessingError
        ``WCS_CONTRADICTED``, with what the caveats say.
    """
    against = [caveat for caveat in caveats if caveat.code in WEIGHTS]
    if sum(WEIGHTS[caveat.code] for caveat in against) < DAMNING:
        return
    said = " ".join(caveat.message for caveat in against)
    raise ProcessingError(
        "WCS_CONTRADICTED",
        f"The best WCS is contradicted by {len(against)} checks that do not depend on one another. {said}",
        "Look at the image, and whether the reference catalogue is of this field and epoch.",
    )
