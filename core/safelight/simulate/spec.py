"""What a synthetic night consists of: visits, masters, sky and the size of the telescope's errors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from safelight.errors import UsageError

__all__ = ["MasterSpec", "NightSpec", "VisitSpec"]


@dataclass(frozen=True, slots=True)
class VisitSpec:
    """One exposure of the camera, as the observer asked for it."""

    visit: int
    filter: str  # physical filter, e.g. "HSC-R"
    ccds: tuple[int, ...]
    date_obs: str  # UT date, ISO
    ut_start: str  # UT at the start of the exposure, HH:MM:SS
    ra_deg: float = 0.0  # boresight that the header claims, ICRS
    dec_deg: float = 0.0
    inst_pa_deg: float = 0.0  # position angle of the instrument flange, as in the header card INST-PA
    exposure_time_s: float = 30.0
    seeing_arcsec: float = 0.7  # FWHM at the centre of the field
    object: str = "STRIPE82L"
    data_type: str = "OBJECT"  # card DATA-TYP: OBJECT, BIAS, DARK or DOMEFLAT


@dataclass(frozen=True, slots=True)
class MasterSpec:
    """One kind of master calibration of some CCDs, "taken as given"."""

    kind: str  # "bias", "dark" or "flat"
    filter: str  # physical filter of a flat; "NONE" otherwise
    calib_date: str  # ISO date
    ccds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NightSpec:
    """A whole synthetic night; equal specifications give identical files."""

    name: str
    visits: tuple[VisitSpec, ...]
    masters: tuple[MasterSpec, ...]
    instrument: str = "hsc"
    seed: int = 20131102
    sky: str = ""  # folder of reference catalogues that are the sky; empty: a synthetic population
    drawn_catalogs: tuple[str, ...] = ()  # of "ps1", "gaia": real catalogues whose errors the simulator draws itself
    pointing_error_arcsec: float = 40.0  # the true pointing lies uniformly within this radius of the header's
    rotation_error_deg: float = 0.05  # and the true rotation within this of the header's
    scale_error: float = 2e-4  # fractional 1 sigma error of the plate scale (focus, refraction)
    cosmic_rays_per_cm2_min: float = 6.0
    raw_calibrations: int = 0  # raw bias, dark and flat frames of each kind to add
    validity_days: int = 180

    @property
    def ccds(self) -> tuple[int, ...]:
        """All CCDs that take part in a visit, ascending."""
        return tuple(sorted({ccd for visit in self.visits for ccd in visit.ccds}))

    @property
    def filters(self) -> tuple[str, ...]:
        """Filters of the visits, in order of their first use."""
        return tuple(dict.fromkeys(visit.filter for visit in self.visits))

    def visit(self, number: int) -> VisitSpec:
        """The visit (sky or raw calibration) of that number."""
        for visit in (*self.visits, *self.calibration_visits()):
            if visit.visit == number:
                return visit
        known = ", ".join(str(visit.visit) for visit in self.visits)
        raise UsageError("UNKNOWN_VISIT", f"The night {self.name!r} has no visit {number}.", f"Its visits are {known}.")

    def restricted(self, visits: Collection[int] | None, ccds: Collection[int] | None) -> NightSpec:
        """Only the given visits and CCDs, and only the masters that these need."""
        kept = tuple(
            replace(visit, ccds=tuple(ccd for ccd in visit.ccds if ccds is None or ccd in ccds))
            for visit in self.visits
            if visits is None or visit.visit in visits
        )
        kept = tuple(visit for visit in kept if visit.ccds)
        if not kept:
            pairs = "; ".join(f"{v.visit}: {', '.join(map(str, v.ccds))}" for v in self.visits)
            raise UsageError(
                "EMPTY_NIGHT",
                "No frame is left of the night with these visits and CCDs.",
                f"The night {self.name!r} has {pairs}.",
            )
        needed = replace(self, visits=kept, masters=())
        masters = (
            replace(master, ccds=tuple(ccd for ccd in master.ccds if ccd in needed.ccds))
            for master in self.masters
            if master.kind != "flat" or master.filter in needed.filters
        )
        return replace(needed, masters=tuple(master for master in masters if master.ccds))

    def with_seeing(self, seeing_arcsec: float) -> NightSpec:
        """All visits with this seeing (FWHM at the centre of the field, arcsec)."""
        if not 0.3 <= seeing_arcsec <= 3.0:
            raise UsageError("BAD_SEEING", f"A seeing of {seeing_arcsec} arcsec is outside 0.3 to 3.", "Try 0.7.")
        return replace(self, visits=tuple(replace(v, seeing_arcsec=seeing_arcsec) for v in self.visits))

    def calibration_visits(self) -> tuple[VisitSpec, ...]:
        """Raw bias, dark and (for each filter) flat exposures, `raw_calibrations` of each.

        They are taken on the evening of the first night; their visit numbers count down from the first visit's.
        """
        if not self.raw_calibrations:
            return ()
        kinds = [("BIAS", "BIAS", self.filters[0], 0.0), ("DARK", "DARK", self.filters[0], 300.0)]
        kinds += [("DOMEFLAT", "DOMEFLAT", name, 10.0) for name in self.filters]
        number = min(visit.visit for visit in self.visits) - 2 * len(kinds) * self.raw_calibrations
        date = min(visit.date_obs for visit in self.visits)
        made: list[VisitSpec] = []
        for kind, title, filter_name, seconds in kinds:
            for _ in range(self.raw_calibrations):
                minute = len(made) * 6 % 1440
                made.append(
                    VisitSpec(
                        visit=number,
                        filter=filter_name,
                        ccds=self.ccds,
                        date_obs=date,
                        ut_start=f"{minute // 60:02d}:{minute % 60:02d}:00",
                        exposure_time_s=seconds,
                        object=title,
                        data_type=kind,
                    )
                )
                number += 2
        return tuple(made)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and texts, for YAML."""
        result = asdict(self)
        for group in ("visits", "masters"):
            result[group] = [{**item, "ccds": list(item["ccds"])} for item in result[group]]
        result["drawn_catalogs"] = list(self.drawn_catalogs)
        return result

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NightSpec:
        """The inverse of `to_dict`; raises `UsageError` when a field is missing or unknown."""
        try:
            visits = tuple(VisitSpec(**{**item, "ccds": tuple(item["ccds"])}) for item in values["visits"])
            masters = tuple(MasterSpec(**{**item, "ccds": tuple(item["ccds"])}) for item in values["masters"])
            drawn = tuple(values.get("drawn_catalogs", ()))
            return cls(**{**values, "visits": visits, "masters": masters, "drawn_catalogs": drawn})
        except (KeyError, TypeError) as error:
            raise UsageError("BAD_NIGHT", f"This is not the description of a synthetic night: {error}.") from error

    def differences(self, other: NightSpec) -> list[str]:
        """Names of the fields in which two nights differ."""
        return [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]

    @property
    def sky_path(self) -> Path | None:
        """The folder of `sky`, None for a synthetic one."""
        return Path(self.sky) if self.sky else None
