"""Doubts that are, together, a refutation."""

from __future__ import annotations

import pytest

from safelight.calibrate.verdict import refuse_if_contradicted
from safelight.caveats import Caveat
from safelight.errors import ProcessingError


def caveats(*codes: str) -> list[Caveat]:
    return [Caveat(code, f"What {code} says.") for code in codes]


@pytest.mark.parametrize(
    "codes",
    [
        (),
        ("WCS_BENDS_MODEL",),
        ("WCS_SCATTER_HIGH", "WCS_SOURCES_UNKNOWN"),
        ("WCS_REFERENCES_MISSING", "WCS_SOURCES_UNKNOWN", "WCS_EXTRAPOLATED", "FEW_ASTROMETRIC_STARS", "NO_BAND"),
    ],
)
def test_what_may_be_innocent_stays_a_caveat(codes: tuple[str, ...]) -> None:
    refuse_if_contradicted(caveats(*codes))


@pytest.mark.parametrize(
    "codes",
    [
        ("WCS_BENDS_MODEL", "WCS_SCATTER_HIGH"),
        ("WCS_SCATTER_HIGH", "WCS_REFERENCES_MISSING", "WCS_SOURCES_UNKNOWN"),
    ],
)
def test_what_has_no_innocent_explanation_is_refused_and_every_check_is_quoted(codes: tuple[str, ...]) -> None:
    with pytest.raises(ProcessingError, match=f"contradicted by {len(codes)} checks") as caught:
        refuse_if_contradicted(caveats(*codes, "WCS_EXTRAPOLATED"))
    assert caught.value.code == "WCS_CONTRADICTED"
    assert all(f"What {code} says." in caught.value.message for code in codes)
