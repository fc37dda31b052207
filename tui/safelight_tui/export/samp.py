"""Sending files to DS9 and TOPCAT by SAMP, or saying what to type at home. To be called in a thread."""

from __future__ import annotations

import shlex
import socket
import warnings
from pathlib import Path

from safelight.errors import SafelightError
from safelight.processccd.marks import current_user

__all__ = ["NoHub", "home_lines", "send_fits"]


class NoHub(SafelightError):
    """No SAMP hub runs on this host, or nobody there takes such files."""


def home_lines(path: Path) -> list[str]:
    """What to type on one's own machine: fetch the file, show it."""
    host = socket.getfqdn()
    if host.startswith("localhost"):
        host = socket.gethostname()
    source = f"{current_user()}@{host}:{path}"
    return [f"scp {shlex.quote(source)} .", f"ds9 {shlex.quote(path.name)}"]


def send_fits(path: Path, name: str, *, table: bool = False) -> int:
    """Ask every program on the hub that takes them to load a FITS image (or table).

    Returns
    -------
    int
        How many programs were asked.

    Raises
    ------
    NoHub
        NO_SAMP_HUB or NO_SAMP_CLIENT, with the lines to type at home as the hint.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy.samp import SAMPIntegratedClient
        from astropy.samp.errors import SAMPHubError, SAMPProxyError

        kind = "table.load.fits" if table else "image.load.fits"
        client = SAMPIntegratedClient(name="safelight", description="CCD frames", addr="localhost", callable=False)
        try:
            client.connect()
        except (SAMPHubError, SAMPProxyError, OSError) as error:
            raise NoHub(
                "NO_SAMP_HUB",
                "No SAMP hub runs on this host: start DS9 or TOPCAT here, or show the file at home.",
                "\n".join(home_lines(path)),
            ) from error
        try:
            takers = client.get_subscribed_clients(kind)
            if not takers:
                raise NoHub(
                    "NO_SAMP_CLIENT",
                    f"No program on the SAMP hub takes {'tables' if table else 'images'}.",
                    "\n".join(home_lines(path)),
                )
            client.notify_all({"samp.mtype": kind, "samp.params": {"url": path.resolve().as_uri(), "name": name}})
            return len(takers)
        finally:
            client.disconnect()
