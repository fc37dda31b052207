"""A run that the application does itself, one that it starts detached, and processCcd.py write the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from astropy.io import fits

# Each way has a process of its own, as in life. A process that has just compiled the kernels rounds the last bit
# unlike one that loads them from the cache, so they are compiled beforehand, by a run that is thrown away.
APPLICATION = """
import sys
from pathlib import Path
from safelight_tui.runs.request import RunRequest
from safelight_tui.runs.worker import RunWorker

said = []
request = RunRequest(Path(sys.argv[1]), sys.argv[2], id_text="ccd=16", in_process=sys.argv[3] == "here")
worker = RunWorker(request, said.append)
worker.start()
worker.join(300)
assert [type(message).__name__ for message in said] == ["Began", "Ended"], said
assert said[-1].phase == "done", said
"""
COMMAND = "import sys; from safelight.commands.processccd import main; sys.exit(main(sys.argv[1:]))"


def python(script: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def pixels_and_rows(rerun: Path) -> dict[str, list[bytes]]:
    """The data of every FITS file, by its place; headers tell of the run and differ."""
    found = {}
    for path in sorted(rerun.rglob("*.fits*")):
        with fits.open(path) as hdus:
            found[str(path.relative_to(rerun))] = [hdu.data.tobytes() for hdu in hdus if hdu.data is not None]
    return found


def test_a_run_in_the_application_detached_or_by_hand_gives_the_same_files(tiny_night: Path, tmp_path: Path) -> None:
    root = tmp_path / "DATA"
    shutil.copytree(tiny_night, root)
    for rerun in ("compile", "hand"):
        python(COMMAND, str(root), "--rerun", rerun, "--id", "ccd=16")
    for way in ("here", "detached"):
        python(APPLICATION, str(root), way, way)
    results = [pixels_and_rows(root / "rerun" / name) for name in ("hand", "here", "detached")]
    assert len(results[0]) > 5
    assert [set(result) for result in results] == [set(results[0])] * 3
    # name by name: a comparison of megabytes of bytes that differ would take pytest minutes to tell
    differing = [name for name in results[0] if not results[0][name] == results[1][name] == results[2][name]]
    assert differing == []
