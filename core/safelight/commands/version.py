"""``safelight version``: versions of Safelight and of what it computes with."""

from __future__ import annotations

from collections.abc import Sequence

from safelight.commands.shell import Parser, arguments_of

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(
        prog="safelight version",
        description="Print the versions of Safelight, Python and the packages that decide results.",
        example="safelight version",
    )
    parser.parse_args(arguments_of(argv))
    from safelight import __version__
    from safelight.processccd.versions import package_versions

    versions = {"safelight": __version__} | package_versions()
    for name, version in versions.items():
        print(f"{name} {version}")
    return 0
