"""The home folder, and links, in what a user says."""

from __future__ import annotations

import os
from pathlib import Path


def at_home(path: str | os.PathLike[str]) -> Path:
    """The path, with the home folder for a ~ that begins it. A name that only begins so, as ~$photo.jpg and the names
    of users who are not known do, stays as it is, where `Path.expanduser` raises an error."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (for this)


def without_links(path: str | os.PathLike[str]) -> Path:
    """The path without links. A link that leads in a circle stays as it is, and whoever opens it is told so, where
    `Path.resolve` raises a RuntimeError (before Python 3.13)."""
    return Path(os.path.realpath(path))
