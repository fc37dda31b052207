"""Exposures as the objects of other astronomy packages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from safelight.exposure.exposure import Exposure
from safelight.exposure.fits_cards import Card
from safelight.exposure.fits_headers import identity_cards, photo_calib_cards, visit_info_cards
from safelight.exposure.wcs import SkyWcs

if TYPE_CHECKING:
    from astropy.nddata import CCDData

__all__ = ["to_ccddata"]

_UNUSABLE = ("BAD", "SAT", "NO_DATA", "UNMASKEDNAN")


def to_ccddata(exposure: Exposure) -> CCDData:
    """`exposure` as `astropy.nddata.CCDData`, sharing the pixels of image and variance.

    Unit ADU; mask True where a pixel has no usable measurement (BAD, SAT, NO_DATA, UNMASKEDNAN); flags the whole bit
    mask; uncertainty the variance; WCS the TAN-SIP rendering; meta the header cards.
    """
    from astropy.nddata import CCDData, VarianceUncertainty

    known = [name for name in _UNUSABLE if name in exposure.planes]
    return CCDData(
        exposure.image,
        unit="adu",
        mask=exposure.masked(*known),
        flags=exposure.mask,
        uncertainty=VarianceUncertainty(exposure.variance),
        wcs=None if exposure.wcs is None else _astropy_wcs(exposure.wcs, exposure.shape),
        meta={**exposure.header, **_meta(exposure)},
    )


def _astropy_wcs(wcs: SkyWcs, shape: tuple[int, int]) -> Any:
    from safelight.exposure.wcs import TanSipWcs, render_tan_sip

    height, width = shape
    return (wcs if isinstance(wcs, TanSipWcs) else render_tan_sip(wcs, width, height)).to_astropy()


def _meta(exposure: Exposure) -> dict[str, Any]:
    seconds = exposure.visit_info.exposure_time_s if exposure.visit_info else math.nan
    cards: list[Card] = [
        *identity_cards(exposure),
        *visit_info_cards(exposure.visit_info),
        *photo_calib_cards(exposure.photo_calib, seconds),
    ]
    return {card.keyword: card.value for card in cards}
