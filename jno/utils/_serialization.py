"""jno.save and jno.load: one object in one self-describing file.

The layout is in `_saved_file.py`: everything that can be wrong with a file is found before a single byte is unpickled.
With RSA keys the file's signature stands beside it (see `_signatures.py`).
"""

from __future__ import annotations

import os
import pickle
import platform
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from jno.utils._atomic_files import write_atomically
from jno.utils._checks import require_bool
from jno.utils._config import get_limits
from jno.utils._data_format import encoded_data
from jno.utils._keys import get_rsa_private_key, get_rsa_public_key
from jno.utils._kinds import ANY_PATH, PATH, checked, instance
from jno.utils._paths import shown_path, user_path
from jno.utils._pickling import dumps
from jno.utils._saved_file import SavedContent, file_content, parsed_content
from jno.utils._signatures import (
    SignatureError,
    count_signatures,
    default_signature_path,
    signed,
    verify,
    write_signed,
)

_DISTRIBUTIONS = {"jno": "jno-jax", "jax": "jax", "equinox": "equinox"}


@checked(filepath=PATH, public_key_path=ANY_PATH, private_key_path=ANY_PATH)
def save(
    obj: object,
    filepath: str | os.PathLike[str],
    public_key_path: str | os.PathLike[str] | None = None,
    private_key_path: str | os.PathLike[str] | None = None,
    *,
    data_only: object = False,
) -> None:
    """Write an object (a solved `core`, a `domain`, a `statistics`, …) to a file.

    The file is written completely or not at all, whatever happens to the process or the disk, and may be saved by
    several threads and processes; missing parent directories are created. Load it under the same `jax_enable_x64`
    setting: JAX narrows 64-bit arrays where that is off.

    With a private key the file is signed (RSA-PSS, SHA-256, over all its bytes) and the signature is written to
    `<filepath>.sig`; at every moment the signature there is that of the file. Signing needs
    `pip install 'jno-jax[sign]'`.

    Args:
        obj: anything cloudpickle can serialise.
        filepath: the file; an existing one is replaced.
        public_key_path: PEM file of the RSA public key, to check that the two keys are a pair. Default None: the
            configured one (`jno.get_rsa_public_key`), if any.
        private_key_path: PEM file of the RSA private key, without a password, that signs. Default None: the
            configured one (`jno.get_rsa_private_key`); without one the file is not signed.
        data_only: write plain data instead of a pickle (default False): numbers, texts, lists, tuples, dictionaries,
            arrays and histories as they are; of a network its arrays by path; of a `core` a dictionary with
            ``weights``, ``configuration`` and ``history``. Such a file runs no code when it is read, and is what
            `jno.load` reads with ``trusted=False`` and what `Model.initialize` takes.

    Raises:
        TypeError: `data_only` and something is not data, such as a function; naming where.
        ValueError: `data_only` and it is nested deeper, or has more text, than is read (`jno.utils.get_limits`).
        SignatureError: a key is missing, unreadable, protected by a password, no RSA key or shorter than 2048 bits,
            the two are not a pair, or `public_key_path` was given without a private key. Nothing is written.
        ImportError: signing without `cryptography`.

    Warns:
        UserWarning: a public key but no private key is configured: the file is not signed, and `jno.load` refuses it
            under this configuration.

    Example:
        >>> import jno, tempfile, os
        >>> file = os.path.join(tempfile.mkdtemp(), "answer.jno")
        >>> jno.save({"answer": 42}, file)
        >>> jno.load(file)
        {'answer': 42}
    """
    require_bool(data_only, "save(data_only)")
    payload = encoded_data(obj, get_limits()) if data_only else dumps(obj)
    header = {"kind": _kind(type(obj)), "versions": _versions()}
    content = file_content(header, payload, is_data=bool(data_only))
    signature = _sign(content, public_key_path, private_key_path)
    path = user_path(filepath)
    if signature is None:
        write_atomically(path, content)
    else:
        write_signed(path, content, signature)


@checked(filepath=PATH, public_key_path=ANY_PATH, signature_path=ANY_PATH, expected_type=instance("a class", type))
def load(
    filepath: str | os.PathLike[str],
    public_key_path: str | os.PathLike[str] | None = None,
    signature_path: str | os.PathLike[str] | None = None,
    *,
    expected_type: type | None = None,
    trusted: object = True,
) -> Any:
    """Read an object that `jno.save` wrote.

    Warning:
        Unless it was saved with `data_only`, the payload is a pickle, and unpickling runs code that the file contains.
        The digest in the file finds damage, not malice: load only files from people you trust, only files that they
        signed, or with ``trusted=False``.

    As soon as a public key is given or configured, the file must have a valid signature of that key's owner: a
    missing, damaged or foreign one is an error, and nothing is unpickled before the signature of all bytes of the
    file was verified.

    Args:
        filepath: the file.
        public_key_path: PEM file of the RSA public key that must accept the signature. Default None: the configured
            one (`jno.get_rsa_public_key`); without one no signature is looked for.
        signature_path: the signature. Default None: `<filepath>.sig`.
        expected_type: the class the object must be an instance of. Default None: any.
        trusted: whether a pickle may be read (default True). With False only files that were saved with `data_only` are
            read, and no code can run, whoever wrote the file.

    Returns:
        The object; of a file with plain data what `save` says, its arrays as NumPy arrays.

    Raises:
        FileNotFoundError: there is no such file.
        SignatureError: the signature is missing, damaged or not valid for this file and key, the key cannot be
            used, or `signature_path` was given without a public key.
        ValueError: not a jNO file, damaged, written in a newer format, written with versions of packages that define
            its objects differently, above a limit (`jno.utils.get_limits`), or a pickle with ``trusted=False``.
        TypeError: the object is not an instance of `expected_type`.
        ImportError: verifying without `cryptography`.

    Example:
        >>> import jno, tempfile, os
        >>> file = os.path.join(tempfile.mkdtemp(), "answer.jno")
        >>> jno.save([1, 2], file)
        >>> jno.load(file, expected_type=list)
        [1, 2]
    """
    require_bool(trusted, "load(trusted)")
    path = user_path(filepath)
    if not path.is_file():
        raise FileNotFoundError(f"No such file: {shown_path(path)!r}; jno.load reads a file that jno.save wrote.")
    content = path.read_bytes()
    try:
        _verify(path, content, public_key_path, signature_path)
    except SignatureError:
        # it may have been saved again between reading it and its signature
        before, content = content, path.read_bytes()
        if content == before:
            raise
        _verify(path, content, public_key_path, signature_path)
    saved = parsed_content(path, content)
    is_data = saved.is_data
    if not is_data and not trusted:
        raise ValueError(
            f"{shown_path(path)!r} holds a {saved.kind} as a pickle, and reading a pickle runs the code in it; "
            "with trusted=False only files are read that were saved with data_only=True. Ask for such a file, or load "
            "it with trusted=True if you trust whoever wrote it."
        )
    obj = saved.data() if is_data else _unpickle(saved)
    if expected_type is not None and not isinstance(obj, expected_type):
        if is_data:
            raise TypeError(
                f"{shown_path(path)!r} holds the plain data of a {saved.kind}, expected {_kind(expected_type)}; "
                "read it with jno.load, and give its weights to networks with initialize('path::name')."
            )
        raise TypeError(
            f"{shown_path(path)!r} holds an object of type {_kind(type(obj))}, expected {_kind(expected_type)}; "
            "pass the matching expected_type or none."
        )
    return obj


def signature_of(saved: SavedContent) -> str:
    """What is known of the signature of a file, in words.

    Raises:
        SignatureError: it does not fit the file or the configured public key, or that key cannot be used.
        ImportError: verifying without `cryptography`.
    """
    signature_file, public = default_signature_path(saved.path), get_rsa_public_key()
    if not signature_file.is_file():
        return "none" if public is None else "none; with the configured public key jno.load refuses the file"
    if public is None:
        count_signatures(signature_file)
        return f"{shown_path(signature_file)!r}, not verified: no public key is configured (JNO_RSA_PUBLIC_KEY)"
    verify(saved.path, saved.content, signature_file, user_path(public))
    return f"{shown_path(signature_file)!r} fits the file and the public key {shown_path(public)!r}"


def _sign(
    content: bytes, public_key_path: str | os.PathLike[str] | None, private_key_path: str | os.PathLike[str] | None
) -> bytes | None:
    """Return the signature file for a content, None when no private key is given or configured."""
    # not `or`: an empty path is a mistake, and must not fall back to an unsigned file
    public = get_rsa_public_key() if public_key_path is None else public_key_path
    private = get_rsa_private_key() if private_key_path is None else private_key_path
    if private is not None:
        return signed(content, user_path(private), None if public is None else user_path(public))
    if public_key_path is not None:
        raise SignatureError(
            f"public_key_path={shown_path(public_key_path)!r} alone signs nothing: give private_key_path too, or "
            "neither."
        )
    if public is not None:
        warnings.warn(
            f"A public key is configured ({shown_path(public)!r}) but no private key: the file is not signed, and "
            "jno.load will refuse it under this configuration. Configure the private key (JNO_RSA_PRIVATE_KEY) to "
            "sign.",
            stacklevel=3,
        )
    return None


def _verify(
    path: Path,
    content: bytes,
    public_key_path: str | os.PathLike[str] | None,
    signature_path: str | os.PathLike[str] | None,
) -> None:
    public = get_rsa_public_key() if public_key_path is None else public_key_path
    if public is not None:
        signature = default_signature_path(path) if signature_path is None else user_path(signature_path)
        verify(path, content, signature, user_path(public))
    elif signature_path is not None:
        raise SignatureError(
            f"signature_path={shown_path(signature_path)!r} needs a public key to verify it: give public_key_path or "
            "set JNO_RSA_PUBLIC_KEY."
        )


def _kind(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def _versions() -> dict[str, str]:
    installed = {name: _version(distribution) for name, distribution in _DISTRIBUTIONS.items()}
    return {**installed, "python": platform.python_version()}


def _unpickle(saved: SavedContent) -> Any:
    try:
        return pickle.loads(saved.payload)
    except Exception as error:  # a pickle may call anything, so anything may be raised
        raise ValueError(
            f"{shown_path(saved.path)!r} holds a {saved.kind} that cannot be rebuilt here ({_reason(error)}). "
            f"It was written with {_listed(saved.versions)}; installed: {_listed(_versions())}. "
            "Load it with the versions it was written with, and with the same modules importable; if these are the "
            "same, the file was damaged before it was signed or digested: save the object again."
        ) from error


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
