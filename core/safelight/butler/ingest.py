"""Bringing raw frames, master calibrations and defect lists into a repository.

Only these functions write ``registry.sqlite3`` and ``calibRegistry.sqlite3``.
"""

from safelight.butler.ingestcalibs import ingest_calibs
from safelight.butler.ingestdefects import ingest_curated_defects
from safelight.butler.ingestimages import ingest_images
from safelight.butler.ingestreport import BadFile, IngestedFile, IngestReport

__all__ = ["BadFile", "IngestReport", "IngestedFile", "ingest_calibs", "ingest_curated_defects", "ingest_images"]
