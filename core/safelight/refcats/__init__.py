"""Reference catalogues in HTM shards: ingest and load."""

from safelight.refcats.catalog import ReferenceCatalog

__all__ = ["ReferenceCatalog"]
