"""Reading raw frames: pixels, header, geometry and first WCS, with a sentence for everything that can be wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight.fitscards import parse_cards, read_header_block
from safelight.instruments.header import translate_header, visit_info
from safelight.instruments.pointing import Pointing, initial_wcs
from safelight.instruments.raw import RawFrame

if TYPE_CHECKING:
    from safelight.exposure.workspace import Workspace
    from safelight.instruments.model import Detector, Instrument
    from safelight.instruments.rules import HeaderRule

__all__ = ["read_raw", "read_raw_header"]

T = TypeVar("T")
Pixels = NDArray[np.uint16] | NDArray[np.int32] | NDArray[np.float32]

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", -32: ">f4", -64: ">f8"}


def read_raw_header(path: str | Path) -> dict[str, Any]:
    """The header of a raw frame, keyword -> value; of a tile-compressed file with the image's own cards.

    Raises
    ------
    ProcessingError
        ``RAW_UNREADABLE``, ``RAW_EMPTY``, ``RAW_NOT_FITS`` or ``RAW_TRUNCATED``.
    """
    path = Path(path)
    return _guarded(path, lambda: _read_header(path))


def read_raw(
    path: str | Path,
    instrument: Instrument,
    *,
    ccd: int | None = None,
    filter_name: str | None = None,
    pointing: Pointing | None = None,
    workspace: Workspace | None = None,
) -> RawFrame:
    """A raw frame, mirrored as the camera file says, with its visit information and first WCS.

    The mirroring is a property of the read-out and is always done (LSST's Gen2 skips it silently for files whose header
    has no WCS, and then misplaces every amplifier).

    Parameters
    ----------
    path : path-like
        FITS image (``.fits``), gzipped (``.gz``) or tile-compressed (``.fz``, or any suffix).
    instrument : Instrument
        The camera.
    ccd : int, optional
        Detector id; else read from the header.
    filter_name : str, optional
        Physical filter; else read from the header.
    pointing : Pointing, optional
        What the observer states about where the telescope looked.
    workspace : Workspace, optional
        Where the pixels may be put; they are then valid until the next frame is read with it.

    Returns
    -------
    RawFrame
        `pixels` is a view of an array in native byte order: uint16 for 16-bit frames with BZERO 32768, int32 for other
        integers that fit, float32 otherwise.

    Raises
    ------
    ProcessingError
        ``RAW_UNREADABLE``, ``RAW_EMPTY``, ``RAW_NOT_FITS``, ``RAW_TRUNCATED``, ``RAW_WRONG_SIZE``, ``MISSING_KEYWORD``
        or ``BAD_KEYWORD``.
    """
    path = Path(path)
    pixels, header = _guarded(path, lambda: _read_image(path, workspace))
    try:
        return _describe(path, instrument, pixels, header, ccd, filter_name, pointing)
    except ProcessingError as error:
        raise ProcessingError(error.code, f"{path}: {error.message}", error.hint) from error


def _describe(
    path: Path,
    instrument: Instrument,
    pixels: Pixels,
    header: dict[str, Any],
    ccd: int | None,
    filter_name: str | None,
    pointing: Pointing | None,
) -> RawFrame:
    rules = instrument.header.columns
    if ccd is None:
        ccd = rules["ccd"].apply(header, "ccd") if "ccd" in rules else instrument.detectors[0].id
    if filter_name is None:
        filter_name = str(rules["filter"].apply(header, "filter")) if "filter" in rules else ""
    detector = _detector(instrument, ccd, pixels, header)
    info = visit_info(instrument, header, detector)
    if pointing is not None and pointing.ra_deg is not None and pointing.dec_deg is not None:
        info.boresight_ra_deg, info.boresight_dec_deg = pointing.ra_deg, pointing.dec_deg
    wcs, origin = initial_wcs(instrument, detector, info, header, pointing)
    known = instrument.filter(filter_name)
    return RawFrame(
        pixels=_mirrored(pixels, detector),
        header=header,
        detector=detector,
        visit_info=info,
        wcs=wcs,
        filter_name=filter_name,
        band=known.band if known is not None else "",
        wcs_origin=origin,
        mirrored=detector.raw_flip,
        data_id=_data_id(instrument, header, ccd, filter_name),
    )


def _detector(instrument: Instrument, ccd: int, pixels: Pixels, header: Mapping[str, Any]) -> Detector:
    detector = instrument.detector(ccd)
    height, width = pixels.shape
    if not detector.size_from_frame and (width, height) != (detector.raw_width, detector.raw_height):
        raise ProcessingError(
            "RAW_WRONG_SIZE",
            f"The frame is {width}x{height} pixels, but CCD {detector.id} of {instrument.name} is read out as "
            f"{detector.raw_width}x{detector.raw_height}.",
        )
    gain = _level(instrument.header.gain, header, "gain")
    return detector.for_frame(width, height, gain, _level(instrument.header.saturation_adu, header, "saturation level"))


def _level(rule: HeaderRule | None, header: Mapping[str, Any], quantity: str) -> float | None:
    value = float(rule.apply(header, quantity)) if rule is not None else math.nan
    return value if math.isfinite(value) and value > 0 else None


def _mirrored(pixels: Pixels, detector: Detector) -> Pixels:
    if detector.raw_flip == "LR":
        return pixels[:, ::-1]
    return pixels[::-1] if detector.raw_flip == "TB" else pixels


def _data_id(instrument: Instrument, header: Mapping[str, Any], ccd: int, filter_name: str) -> dict[str, Any]:
    columns = translate_header(instrument, header)
    keys = instrument.data_id_keys or columns
    return {key: columns[key] for key in keys if key in columns} | {"ccd": ccd, "filter": filter_name}


def _guarded(path: Path, read: Callable[[], T]) -> T:
    """Run `read`, turning what the file system and the decompressors raise into sentences."""
    import zlib

    try:
        if path.stat().st_size == 0:
            raise ProcessingError("RAW_EMPTY", f"{path} is empty.")
        return read()
    except EOFError as error:
        raise _truncated(path, "its compressed stream ends early") from error
    except zlib.error as error:
        raise ProcessingError("RAW_TRUNCATED", f"{path} is damaged: {error}.") from error
    except OSError as error:
        if error.errno is None:  # the decompressor's own complaint
            raise ProcessingError("RAW_TRUNCATED", f"{path} is damaged: {error}.") from error
        raise ProcessingError("RAW_UNREADABLE", f"{path} cannot be read: {error.strerror or error}.") from error


def _truncated(path: Path, detail: str) -> ProcessingError:
    return ProcessingError("RAW_TRUNCATED", f"{path} is truncated: {detail}.", "Fetch or copy the file again.")


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        gzipped = stream.read(2) == b"\x1f\x8b"
    if not gzipped:
        return path.open("rb")
    from isal import igzip

    return cast(BinaryIO, igzip.open(path, "rb"))


def _first_header(path: Path, stream: BinaryIO) -> dict[str, Any]:
    block = read_header_block(stream)
    if not block.startswith(b"SIMPLE  ="):
        raise ProcessingError("RAW_NOT_FITS", f"{path} is not a FITS file: it does not begin with SIMPLE.")
    if b"END     " not in block and not block.rstrip(b" ").endswith(b"END"):
        raise _truncated(path, "its header has no END card")
    return parse_cards(block)


def _read_header(path: Path) -> dict[str, Any]:
    with _open(path) as stream:
        header = _first_header(path, stream)
        if header.get("NAXIS", 0) != 0:
            return header
        extension = parse_cards(read_header_block(stream))
    return _image_header(header, extension)


#: Cards of the compressed table's structure and their counterparts that describe the image.
_TABLE_CARDS = frozenset({"XTENSION", "TFIELDS", "PCOUNT", "GCOUNT", "THEAP", "EXTNAME", "CHECKSUM", "DATASUM"})


def _image_header(primary: dict[str, Any], extension: dict[str, Any]) -> dict[str, Any]:
    """One header from an empty primary and the (compressed) image extension behind it."""
    kept = {
        key: value
        for key, value in extension.items()
        if key not in _TABLE_CARDS and not key.startswith(("TTYPE", "TFORM", "ZTILE", "ZNAME", "ZVAL"))
    }
    for key in [k for k in kept if k.startswith("ZNAXIS") or k == "ZBITPIX"]:
        kept[key[1:]] = kept.pop(key)
    for key in (
        "ZIMAGE",
        "ZCMPTYPE",
        "ZTENSION",
        "ZSIMPLE",
        "ZEXTEND",
        "ZPCOUNT",
        "ZGCOUNT",
        "ZHECKSUM",
        "ZDATASUM",
        "ZQUANTIZ",
    ):
        kept.pop(key, None)
    return {key: value for key, value in primary.items() if not key.startswith("NAXIS")} | kept


def _read_image(path: Path, workspace: Workspace | None) -> tuple[Pixels, dict[str, Any]]:
    with _open(path) as stream:
        header = _first_header(path, stream)
        if header.get("NAXIS", 0) == 2:
            return _read_plain(path, stream, header, workspace), header
        if header.get("NAXIS", 0) != 0:
            raise ProcessingError("RAW_WRONG_SIZE", f"{path} has {header.get('NAXIS')} axes; a raw frame has 2.")
        extension = parse_cards(read_header_block(stream))
        if not extension:
            raise ProcessingError("RAW_WRONG_SIZE", f"{path} holds no image.")
        merged = _image_header(header, extension)
        if not extension.get("ZIMAGE", False):
            if extension.get("XTENSION") != "IMAGE" or extension.get("NAXIS") != 2:
                raise ProcessingError("RAW_WRONG_SIZE", f"{path} holds no image in its first extension.")
            return _read_plain(path, stream, extension, workspace), merged
        _check_length(path, stream, extension)
    return _read_compressed(path), merged


def _check_length(path: Path, stream: BinaryIO, table: Mapping[str, Any]) -> None:
    """astropy only warns of a compressed table that ends early."""
    start = stream.tell()
    expected = start + int(table["NAXIS1"]) * int(table["NAXIS2"]) + int(table.get("PCOUNT", 0))
    length = stream.seek(0, 2)
    if length < expected:
        raise _truncated(path, f"it has {length} of at least {expected} bytes")


def _read_plain(path: Path, stream: BinaryIO, header: Mapping[str, Any], workspace: Workspace | None) -> Pixels:
    try:
        width, height = int(header["NAXIS1"]), int(header["NAXIS2"])
        dtype = np.dtype(_DTYPES[int(header["BITPIX"])])
    except (KeyError, TypeError, ValueError) as error:
        raise ProcessingError(
            "RAW_NOT_FITS", f"{path} is not a FITS image: BITPIX or NAXIS is wrong ({error})."
        ) from None
    if workspace is None:
        data = np.empty((height, width), dtype)
    else:
        data = workspace.take("raw pixels", (height, width), dtype)
    view = memoryview(cast(Any, data)).cast("B") if data.size else memoryview(b"")
    filled = 0
    while filled < len(view):
        count = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not count:
            missing = f"{filled / max(len(view), 1):.0%} of its {width}x{height} pixels are there"
            raise _truncated(path, missing)
        filled += count
    return _scaled(data, header)


def _scaled(data: NDArray[Any], header: Mapping[str, Any]) -> Pixels:
    """Stored values in native byte order with BSCALE and BZERO applied; one pass in place for unsigned 16 bit."""
    zero, scale = float(header.get("BZERO", 0) or 0), float(header.get("BSCALE", 1) or 1)
    if data.dtype == np.dtype(">i2") and zero == 32768.0 and scale == 1.0:
        unsigned = data.view(np.uint16).byteswap(inplace=True)
        np.bitwise_xor(unsigned, np.uint16(0x8000), out=unsigned)
        return unsigned
    if data.dtype.kind in "iu" and scale == 1.0 and zero == int(zero):
        shifted: Any = data.astype(np.int64 if data.dtype.itemsize == 4 and zero else np.int32)
        shifted += int(zero)
        if shifted.dtype == np.int32 or (shifted.size and np.abs(shifted).max() < 2**31):
            return cast("NDArray[np.int32]", shifted.astype(np.int32, copy=False))
        return cast("NDArray[np.float32]", shifted.astype(np.float32))
    return (data.astype(np.float64) * scale + zero).astype(np.float32)


def _read_compressed(path: Path) -> Pixels:
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            data = hdus[1].data
    except (TypeError, ValueError, RuntimeError) as error:
        raise ProcessingError("RAW_TRUNCATED", f"{path} cannot be decompressed: {error}.") from error
    if data is None or data.ndim != 2:
        raise ProcessingError("RAW_WRONG_SIZE", f"{path} holds no two-dimensional image.")
    native = np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))
    if native.dtype == np.uint16:
        return cast("NDArray[np.uint16]", native)
    kind = (
        np.int32
        if native.dtype.kind in "iu" and native.dtype.itemsize <= 4 and native.dtype != np.uint32
        else np.float32
    )
    return cast(Pixels, native.astype(kind, copy=False))
