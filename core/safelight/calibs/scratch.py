"""Post-ISR frames of a build, kept on disk so that memory stays bounded however many they are."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.errors import RepositoryError
from safelight.exposure import FloatImage

__all__ = ["ScratchFrames"]


class ScratchFrames:
    """Float32 frames of one shape in a folder that is deleted by its owner; read back in bands of rows."""

    def __init__(self, folder: Path, shape: tuple[int, int]) -> None:
        self._folder, self.shape = folder, shape
        self._paths: list[Path] = []

    def __len__(self) -> int:
        return len(self._paths)

    def append(self, image: FloatImage) -> None:
        """Keep `image`. Raises `RepositoryError` (DISK_FULL or CANNOT_WRITE)."""
        path = self._folder / f"frame-{len(self._paths):04d}.f32"
        try:
            image.tofile(path)
        except OSError as error:
            # numpy reports a short write without an errno.
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, None)
            raise RepositoryError(
                "DISK_FULL" if full else "CANNOT_WRITE",
                f"The scratch file {path} cannot be written: {error.strerror or error}.",
                "Give a folder with room for one float32 frame per input.",
            ) from error
        self._paths.append(path)

    def bands(self, megabytes: float) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Row ranges and the stack (frames, rows, width) of each: at most `megabytes`, at least one row."""
        height, width = self.shape
        rows = max(1, int(megabytes * 1e6 / (4 * width * max(len(self._paths), 1))))
        for start in range(0, height, rows):
            end = min(start + rows, height)
            stack = np.empty((len(self._paths), end - start, width), np.float32)
            for k, path in enumerate(self._paths):
                stack[k] = np.fromfile(path, np.float32, (end - start) * width, offset=4 * start * width).reshape(
                    end - start, width
                )
            yield slice(start, end), stack
