"""Following the newest visit: which row that is."""

from __future__ import annotations

from typing import Any

import numpy as np

from safelight_tui.session.session import Session

__all__ = ["newest_row"]


def newest_row(session: Session, ccd: Any = None) -> int | None:
    """The row of the newest visit in view, of the CCD wanted or else its first; None where nothing is in view.

    The newest visit is the one of the highest number. Frames without visits: the one that was ingested last.
    """
    rows = session.filter.view.rows()
    if not len(rows):
        return None
    columns = session.catalogue.columns
    if "visit" not in columns:
        return int(rows[-1])
    codes = columns["visit"].codes[rows]
    of_visit = rows[codes == codes.max()]
    if "ccd" not in columns:
        return int(of_visit[0])
    values = [columns["ccd"][int(row)] for row in of_visit]
    if ccd in values:
        return int(of_visit[values.index(ccd)])
    return int(of_visit[int(np.argmin(columns["ccd"].codes[of_visit]))])
