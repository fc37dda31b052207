"""Reference catalogues in HTM shards: ingest and load."""

from safelight.refcats.catalog import ReferenceCatalog
from safelight.refcats.dataset import DatasetConfig
from safelight.refcats.htm import shard_ids, shard_of
from safelight.refcats.ingest import IngestSummary, ingest_reference_catalog, write_shards
from safelight.refcats.ingestconfig import RefcatIngestConfig, load_ingest_config
from safelight.refcats.load import catalog_shards, load_reference_catalog
from safelight.refcats.summary import CatalogSummary, catalog_summary

__all__ = [
    "CatalogSummary",
    "DatasetConfig",
    "IngestSummary",
    "RefcatIngestConfig",
    "ReferenceCatalog",
    "catalog_shards",
    "catalog_summary",
    "ingest_reference_catalog",
    "load_ingest_config",
    "load_reference_catalog",
    "shard_ids",
    "shard_of",
    "write_shards",
]
