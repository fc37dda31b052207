"""Where data live: repositories, path templates, the registry, calibrations by validity, reruns, safe writing.

>>> from safelight.butler import Butler                              # doctest: +SKIP
>>> butler = Butler("DATA", rerun="processCcdOutputs")               # doctest: +SKIP
>>> butler.query("filter=HSC-I visit=903986..904014:2 ccd=16^22")    # doctest: +SKIP
"""

from safelight.butler.atomic import atomic_path, clean_temporaries
from safelight.butler.butler import Butler
from safelight.butler.calibrations import CalibrationChoice
from safelight.butler.datasets import CcdRecord, DatasetLedger, FileRecord
from safelight.butler.repository import create_repository, is_repository, open_repository
from safelight.butler.roots import Roots, resolve_roots
from safelight.butler.selection import Selection

__all__ = [
    "Butler",
    "CalibrationChoice",
    "CcdRecord",
    "DatasetLedger",
    "FileRecord",
    "Roots",
    "Selection",
    "atomic_path",
    "clean_temporaries",
    "create_repository",
    "is_repository",
    "open_repository",
    "resolve_roots",
]
