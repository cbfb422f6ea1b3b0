"""Which RSA keys are configured, and by whom.

Three places may name a key: the environment and the user's file, which belong to the user, and the file of the working
directory, which may be somebody else's. The environment beats the files. The file of the working directory counts where
the user's file names no key; where both name one, they must name the same, for otherwise whoever made the directory
would choose whose files are loaded. An empty value is an error everywhere: it switches nothing off.
"""

from __future__ import annotations

import os
from pathlib import Path

from jno.utils._config import config_files, entries_of
from jno.utils._documentation import SharedDocumentation
from jno.utils._paths import shown_path, user_path
from jno.utils._signatures import SignatureError

_documented = SharedDocumentation(
    {},
    raises={
        "SignatureError": "the file of the working directory names another key than the user's file, or a value is "
        "empty."
    },
)


@_documented
def get_rsa_public_key() -> str | None:
    """Return the path of the RSA public key, None when none is configured.

    Looked up in `JNO_RSA_PUBLIC_KEY`, `JNO_RSA_PATH` (a folder with `public.pem`), and `[rsa] public_key` and
    `[rsa] path` of the user's file, then of the working directory's, in this order.  Relative paths in a file start at
    the file.

    Example:
        >>> import jno
        >>> key = jno.get_rsa_public_key()
    """
    return _configured("public")


@_documented
def get_rsa_private_key() -> str | None:
    """Return the path of the RSA private key, None when none is configured.

    Looked up as `get_rsa_public_key` looks up its key: in `JNO_RSA_PRIVATE_KEY`, `JNO_RSA_PATH` (a folder with
    `private.pem`), and `[rsa] private_key` and `[rsa] path` of the two files.

    Example:
        >>> import jno
        >>> key = jno.get_rsa_private_key()
    """
    return _configured("private")


def _configured(which: str) -> str | None:
    key = _of_environment(which)
    if key is None:
        project_file, user_file = config_files()
        project, key = _of_file(project_file, which), _of_file(user_file, which)
        if key is None:
            key = project
        elif project is not None and not _is_same(project, key):
            raise SignatureError(
                f"{shown_path(project_file)} names another {which} key, {shown_path(project)!r}, than "
                f"{shown_path(user_file)}, {shown_path(key)!r}: a working directory cannot replace the user's key. "
                f"Remove the key from the first file; or, if you mean it for this program, set "
                f"JNO_RSA_{which.upper()}_KEY or pass {which}_key_path."
            )
    return None if key is None else str(key)


def _of_environment(which: str) -> Path | None:
    """The key itself before the folder that holds it."""
    for name, file in ((f"JNO_RSA_{which.upper()}_KEY", ""), ("JNO_RSA_PATH", f"{which}.pem")):
        text = os.environ.get(name)
        if text is not None and not text.strip():
            raise SignatureError(
                f"{name} is empty, and an empty key does not switch a check off. Unset it or name a file."
            )
        if text is not None:
            return user_path(text) / file
    return None


def _of_file(path: Path, which: str) -> Path | None:
    entries = entries_of(path, "rsa")
    if f"{which}_key" in entries:
        return path.parent / user_path(entries[f"{which}_key"])
    if "path" in entries:
        return path.parent / user_path(entries["path"]) / f"{which}.pem"
    return None


def _is_same(key: Path, other: Path) -> bool:
    """Whether two paths lead to one key; the user's path is the one that is used."""
    if key.resolve() == other.resolve():
        return True
    try:
        return key.read_bytes() == other.read_bytes()
    except OSError:
        return False
