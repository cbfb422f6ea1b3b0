"""Folders that only the user may write, because what is read from them is run."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from jno.utils._paths import shown_path

if sys.platform != "win32":
    import grp
    import pwd


def check_private(folder: Path, content: str, danger: str) -> None:
    """Refuse a folder that somebody else can write or put another one in the place of.

    Nobody but the user and the administrator may write the folder or one above it. Above it, a folder where everybody
    only deletes what is his own (`/tmp`) is good enough, and so is a group that has the name of the user.  Windows
    protects the folders of a user's profile itself.

    Args:
        folder: one that exists.
        content: what is kept in it, for the message.
        danger: why that matters, for the message.

    Raises:
        ValueError: naming the folder, who can write it, and what to do.
    """
    if sys.platform == "win32":
        return
    for path in _chain(folder):
        fault = _fault(path, innermost=path in (folder, folder.resolve()))
        if fault:
            raise ValueError(
                f"{content} are not kept in {shown_path(folder)}: {shown_path(path)} {fault}, and {danger}. Make it "
                f"yours alone, e.g. chmod go-w {shown_path(path)}, or let XDG_CACHE_HOME name a folder of your own"
            )


def _chain(folder: Path) -> list[Path]:
    """The folder and all above it, where links are followed and where they are not."""
    names = folder.absolute(), folder.resolve()
    return list(dict.fromkeys(path for name in names for path in (name, *name.parents)))


def _fault(path: Path, *, innermost: bool) -> str:
    status = path.stat()
    user = os.geteuid()
    if status.st_uid not in (user, 0) or (innermost and status.st_uid != user):
        return "belongs to somebody else"
    mode = status.st_mode
    if mode & stat.S_ISVTX and not innermost:
        return ""
    if mode & stat.S_IWOTH:
        return "can be written by everybody"
    if mode & stat.S_IWGRP and not _is_group_of(user, status.st_gid):
        return "can be written by a group"
    return ""


def _is_group_of(user: int, group: int) -> bool:
    """Whether a group is the one of its own that many systems give every user."""
    try:
        return grp.getgrgid(group).gr_name == pwd.getpwuid(user).pw_name
    except KeyError:
        return False
