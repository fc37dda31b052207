"""What the headers of our FITS files say about an exposure, and what is read back from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from safelight.exposure.exposure import Exposure, VisitInfo
from safelight.exposure.fits_cards import Card
from safelight.exposure.photocalib import PhotoCalib

__all__ = [
    "foreign_cards",
    "identity_cards",
    "is_structural",
    "photo_calib_cards",
    "photo_calib_from",
    "read_gains",
    "visit_info_cards",
    "visit_info_from",
]

#: VisitInfo field -> card and comment; names are those of LSST's files.
_VISIT_CARDS: Mapping[str, tuple[str, str]] = {
    "exposure_id": ("EXPID", "visit and CCD as one number"),
    "exposure_time_s": ("EXPTIME", "[s] exposure time"),
    "dark_time_s": ("DARKTIME", "[s] time between reset and read-out"),
    "mjd_mid_tai": ("MJD-AVG", "[d] middle of the exposure, MJD, TAI"),
    "boresight_ra_deg": ("BORE-RA", "[deg] boresight, ICRS"),
    "boresight_dec_deg": ("BORE-DEC", "[deg] boresight, ICRS"),
    "rotator_angle_deg": ("BORE-ROTANG", "[deg] boresight rotation angle on the sky"),
    "azimuth_deg": ("BORE-AZ", "[deg] boresight azimuth"),
    "altitude_deg": ("BORE-ALT", "[deg] boresight altitude"),
    "airmass": ("BORE-AIRMASS", "airmass at the boresight"),
    "longitude_deg": ("OBS-LONG", "[deg] observatory longitude, east positive"),
    "latitude_deg": ("OBS-LAT", "[deg] observatory latitude"),
    "elevation_m": ("OBS-ELEV", "[m] observatory elevation"),
    "air_temperature_c": ("AIRTEMP", "[Celsius] outside temperature"),
    "air_pressure_pa": ("AIRPRESS", "[Pa] outside pressure"),
    "humidity_percent": ("HUMIDITY", "[%] outside humidity"),
}
_ZEROPOINT_KEYWORDS = (
    "MAGZERO", "MAGZERO_ERR", "MAGZERO_NOBJ", "MAGZSEC", "PHOTZP", "PHOTZPER", "FLUXMAG0", "FLUXMAG0ERR",
)  # fmt: skip
_OWN_KEYWORDS = frozenset(
    {keyword for keyword, _ in _VISIT_CARDS.values()}
    | {"DATE-AVG", "TIMESYS", "ROTTYPE", "FILTER", "FILTBAND", "DETECTOR", "DETNAME", "DETSER", "NAMPS", "GAIN"}
    | {"INHERIT", "LTV1", "LTV2", "BUNIT", "EXTTYPE", "EXTNAME", "EXTVER", "EXTLEVEL", "UTYPE"}
    | {"ORIGIN", "CREATOR", "DATE", "HASVISIT", *_ZEROPOINT_KEYWORDS}
)
_STRUCTURE = frozenset({
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "TFIELDS", "THEAP", "BSCALE",
    "BZERO", "BLANK", "CHECKSUM", "DATASUM", "ZHECKSUM", "ZDATASUM", "CONTINUE", "END", "WCSAXES", "LONPOLE", "LATPOLE",
    "RADESYS", "RADECSYS", "EQUINOX", "WCSNAME", "DATASEC", "BIASSEC", "TRIMSEC", "AR_HDU", "CDELTM1", "CDELTM2",
    "A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER", "A_DMAX", "B_DMAX", "PROJP1", "PROJP2", "PROJP3",
})  # fmt: skip
_INDEXED_STRUCTURE = (
    "NAXIS", "CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT", "CROTA", "CRDER", "CSYER", "LTV", "LTM", "TTYPE", "TFORM",
    "TUNIT", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL",
)  # fmt: skip
_MATRIX_STRUCTURE = ("CD", "PC", "PV", "LTM", "A_", "B_", "AP_", "BP_")
_COMPRESSION = frozenset({
    "ZIMAGE", "ZBITPIX", "ZCMPTYPE", "ZQUANTIZ", "ZDITHER0", "ZSIMPLE", "ZEXTEND", "ZBLANK", "ZSCALE", "ZZERO",
    "ZTENSION", "ZPCOUNT", "ZGCOUNT",
})  # fmt: skip


def is_structural(keyword: str) -> bool:
    """Whether a card describes the layout or the WCS of the file it stood in, and so must not be copied to another."""
    if keyword in _STRUCTURE or keyword in _COMPRESSION:
        return True
    letters = keyword.rstrip("0123456789")
    if letters != keyword and letters in _INDEXED_STRUCTURE:
        return True
    for prefix in _MATRIX_STRUCTURE:
        if keyword.startswith(prefix) and "_" in keyword:
            indices = keyword[len(prefix) :].split("_")
            if len(indices) == 2 and all(index.isdigit() for index in indices):
                return True
    return letters in ("PC00", "PC", "CD00") and len(keyword) == 8 and keyword[2:].isdigit()


def foreign_cards(header: Mapping[str, Any]) -> dict[str, Any]:
    """The cards of `header` that say neither layout, nor WCS, nor anything an `Exposure` has a field for."""
    return {
        keyword: value
        for keyword, value in header.items()
        if keyword
        and not is_structural(keyword)
        and keyword not in _OWN_KEYWORDS
        and not (keyword.startswith("GAIN") and keyword[4:].isdigit())
    }


def identity_cards(exposure: Exposure) -> list[Card]:
    """Which CCD, which filter, which gains."""
    cards = [
        Card("FILTER", exposure.filter_name, "physical filter"),
        Card("FILTBAND", exposure.band, "canonical band; empty when unknown"),
        Card("DETECTOR", exposure.detector_id, "CCD number"),
        Card("DETNAME", exposure.detector_name, "CCD name"),
        Card("DETSER", exposure.detector_serial, "CCD serial number"),
    ]
    if exposure.gains:
        mean = sum(exposure.gains) / len(exposure.gains)
        cards.append(Card("NAMPS", len(exposure.gains), "number of amplifiers"))
        cards.append(Card("GAIN", mean, "[e-/ADU] mean of the amplifiers"))
        cards += [Card(f"GAIN{i + 1}", gain, "[e-/ADU]") for i, gain in enumerate(exposure.gains)]
    return cards


def read_gains(header: Mapping[str, Any]) -> tuple[float, ...]:
    """The gains of the amplifiers, e-/ADU."""
    return tuple(float(header[f"GAIN{i + 1}"]) for i in range(int(header.get("NAMPS", 0))))


def visit_info_cards(visit_info: VisitInfo | None) -> list[Card]:
    """VisitInfo cards; what is unknown (NaN) has none."""
    if visit_info is None:
        return [Card("HASVISIT", False, "nothing is known about the visit")]
    cards = [Card("HASVISIT", True, "the cards below describe the visit")]
    for name, (keyword, comment) in _VISIT_CARDS.items():
        value = getattr(visit_info, name)
        if math.isfinite(value):
            cards.append(Card(keyword, value, comment))
    if math.isfinite(visit_info.mjd_mid_tai):
        from astropy.time import Time

        moment = Time(visit_info.mjd_mid_tai, format="mjd", scale="tai", precision=6)
        cards.append(Card("DATE-AVG", moment.isot, "middle of the exposure"))
        cards.append(Card("TIMESYS", "TAI", "time scale of DATE-AVG and MJD-AVG"))
    if math.isfinite(visit_info.rotator_angle_deg):
        cards.append(Card("ROTTYPE", "SKY", "meaning of BORE-ROTANG"))
    return cards


def visit_info_from(header: Mapping[str, Any]) -> VisitInfo | None:
    """The VisitInfo that `visit_info_cards` wrote; None where the header has none."""
    if not header.get("HASVISIT", "EXPTIME" in header):
        return None
    values: dict[str, Any] = {"exposure_time_s": math.nan, "dark_time_s": math.nan}
    for field in fields(VisitInfo):
        keyword, _ = _VISIT_CARDS[field.name]
        if header.get(keyword) is not None:
            number = header[keyword]
            values[field.name] = int(number) if field.name == "exposure_id" else float(number)
    return VisitInfo(**values)


def photo_calib_cards(photo_calib: PhotoCalib | None, exposure_time_s: float) -> list[Card]:
    """The zeropoint under the names that observers look for: of 1 ADU, of 1 ADU/s, and as the flux of magnitude 0."""
    if photo_calib is None:
        return []
    zeropoint, error = photo_calib.zeropoint_mag, photo_calib.zeropoint_error_mag
    flux = 10 ** (0.4 * zeropoint)
    cards = [
        Card("MAGZERO", zeropoint, "[mag] AB magnitude of 1 ADU"),
        Card("MAGZERO_ERR", error, "[mag] its standard error"),
        Card("MAGZERO_NOBJ", photo_calib.n_stars, "number of stars in the fit"),
        Card("PHOTZP", zeropoint, "[mag] AB magnitude of 1 ADU, as MAGZERO"),
        Card("FLUXMAG0", flux, "[ADU] flux of AB magnitude 0"),
        Card("FLUXMAG0ERR", flux * error * 0.4 * math.log(10), "[ADU] its standard error"),
    ]
    if math.isfinite(error):
        cards.insert(4, Card("PHOTZPER", error, "[mag] as MAGZERO_ERR"))
    else:
        cards = [card for card in cards if card.keyword not in ("MAGZERO_ERR", "FLUXMAG0ERR")]
    if exposure_time_s > 0:
        per_second = zeropoint - 2.5 * math.log10(exposure_time_s)
        cards.insert(1, Card("MAGZSEC", per_second, "[mag] AB magnitude of 1 ADU/s"))
    return cards


def photo_calib_from(header: Mapping[str, Any]) -> PhotoCalib | None:
    """The zeropoint that `photo_calib_cards` wrote, or that of an older LSST file (FLUXMAG0)."""
    if header.get("MAGZERO") is not None:
        error = header.get("MAGZERO_ERR")
        return PhotoCalib(
            float(header["MAGZERO"]), math.nan if error is None else float(error), int(header.get("MAGZERO_NOBJ", 0))
        )
    flux = header.get("FLUXMAG0")
    if flux is not None and float(flux) > 0:
        error = 2.5 / math.log(10) * float(header.get("FLUXMAG0ERR", math.nan)) / float(flux)
        return PhotoCalib(2.5 * math.log10(float(flux)), error)
    return None
