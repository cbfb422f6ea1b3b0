"""Signatures of files: RSA-PSS with SHA-256 (RFC 8017) over all bytes of the file, in a file beside it.

Layout of the signature file: `PYLOTTE-SP`, a version byte, 4 bytes length (big endian), the signature. While a file is
replaced there are several of these records, one for the new and one for the old content, so that a process that is
killed leaves a file that can be verified.
"""

from __future__ import annotations

import os
import stat
import struct
import warnings
from pathlib import Path
from typing import Any

from jno.utils._atomic_files import write_atomically
from jno.utils._config import get_limits
from jno.utils._locks import exclusive
from jno.utils._paths import shown_path

_PREFIX = b"PYLOTTE-SP\x01"
_LENGTH = struct.Struct(">I")
_MINIMUM_BITS = 2048  # NIST SP 800-131A


class SignatureError(ValueError):
    """A file cannot be signed, or its signature is missing, damaged or not that of the public key.

    Example:
        >>> import jno
        >>> issubclass(jno.SignatureError, ValueError)
        True
    """


def signed(content: bytes, private_key: Path, public_key: Path | None) -> bytes:
    """Return the signature file of a content; with `public_key`, after checking that it belongs to the key."""
    key = _load_private_key(private_key)
    if public_key is not None and _load_public_key(public_key).public_numbers() != key.public_key().public_numbers():
        raise SignatureError(
            f"The public key {shown_path(public_key)!r} does not belong to the private key "
            f"{shown_path(private_key)!r}: what one signs the other refuses. Give the two files of one pair."
        )
    return _record(key.sign(content, *_scheme()))


def verify(path: Path, content: bytes, signature_file: Path, public_key: Path) -> None:
    """Raise a `SignatureError` unless the file holds a signature of this content that the key accepts."""
    key = _load_public_key(public_key)
    from cryptography.exceptions import InvalidSignature

    if not signature_file.is_file():
        raise SignatureError(
            f"{shown_path(path)!r} is not signed: there is no {shown_path(signature_file)!r}, and with a public key "
            f"({shown_path(public_key)!r}) only signed files are loaded. Give signature_path if the signature is "
            "elsewhere."
        )
    failure = InvalidSignature()
    for signature in _signatures(signature_file):
        try:
            return key.verify(signature, content, *_scheme())
        except InvalidSignature as error:
            failure = error
    raise SignatureError(
        f"The signature {shown_path(signature_file)!r} does not fit {shown_path(path)!r} and the public key "
        f"{shown_path(public_key)!r}: the file was changed or saved again after signing, the signature was changed, or "
        "another key signed. Nothing was unpickled."
    ) from failure


def write_signed(path: Path, content: bytes, signature: bytes) -> None:
    """Write a file and its signature file so that at every moment the file can be verified.

    Raises:
        OSError: naming what cannot be written; the old file can be verified as before.
        RuntimeError: another process writes the file for more than a minute.
    """
    signature_file = default_signature_path(path)
    with exclusive(path):
        try:
            # until the file is replaced, that of the old content must be there too
            signatures = signature + b"".join(map(_record, _signatures(signature_file)))
        except (SignatureError, OSError):  # none, or none that a file can be verified with
            signatures = signature
        write_atomically(signature_file, signatures)
        write_atomically(path, content)
        write_atomically(signature_file, signature)


def _record(signature: bytes) -> bytes:
    return _PREFIX + _LENGTH.pack(len(signature)) + signature


def _signatures(file: Path) -> list[bytes]:
    """The signatures in a file, at least one."""
    try:
        size = file.stat().st_size
        get_limits().check("header_bytes", size, f"The signature {shown_path(file)!r}", f"has {size:,} bytes")
    except ValueError as error:
        raise SignatureError(str(error)) from error
    content, signatures = file.read_bytes(), []
    if not content.startswith(_PREFIX):
        raise SignatureError(f"{shown_path(file)!r} is not a signature that this jNO reads; jno.save writes it.")
    while content:
        start = len(_PREFIX) + _LENGTH.size
        end = start + (_LENGTH.unpack(content[len(_PREFIX) : start])[0] if len(content) >= start else 1)
        if not content.startswith(_PREFIX) or len(content) < end:
            raise SignatureError(f"The signature {shown_path(file)!r} is truncated or damaged. Copy it again.")
        signatures.append(content[start:end])
        content = content[end:]
    return signatures


def count_signatures(file: Path) -> int:
    """The number of signatures in a signature file; several while the file that they belong to is replaced.

    Raises:
        SignatureError: it is damaged or no signature file.
    """
    return len(_signatures(file))


def _scheme() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashes.SHA256()
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size), digest


def _load_private_key(path: Path) -> Any:
    rsa, serialization, unsupported = _import_cryptography()
    content = _pem(path, "private")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as error:  # what cryptography raises for an encrypted key without a password
        raise SignatureError(
            f"The private key {shown_path(path)!r} is protected by a password; give one without, readable only by you."
        ) from error
    except (ValueError, unsupported) as error:
        raise _not_a_key(path, "private") from error
    return _checked(path, "private", key, rsa.RSAPrivateKey)


def _load_public_key(path: Path) -> Any:
    rsa, serialization, unsupported = _import_cryptography()
    content = _pem(path, "public")
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, unsupported) as error:
        raise _not_a_key(path, "public") from error
    return _checked(path, "public", key, rsa.RSAPublicKey)


def _import_cryptography() -> tuple[Any, Any, type[Exception]]:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as error:
        raise ImportError("Signed files need cryptography: pip install 'jno-jax[sign]'.") from error
    return rsa, serialization, UnsupportedAlgorithm


def _pem(path: Path, which: str) -> bytes:
    if "-----BEGIN" in str(path):
        raise SignatureError(
            f"The {which} key is given as its content, where the path of its PEM file belongs. Write it to a file that "
            "only you can read, and give the path."
        )
    if not path.is_file():
        raise SignatureError(
            f"The {which} key {shown_path(path)!r} does not exist. Create it, or correct {which}_key_path, "
            f"JNO_RSA_{which.upper()}_KEY, JNO_RSA_PATH (a folder with both keys) or the table [rsa] of the "
            "configuration file."
        )
    if which == "private":
        _warn_if_others_can_read(path)
    return path.read_bytes()


def _warn_if_others_can_read(path: Path) -> None:
    """Warn of a private key that other users of the machine can read or replace."""
    shared = stat.S_IRWXG | stat.S_IRWXO
    if os.name == "posix" and path.stat().st_mode & shared:
        warnings.warn(
            f"The private key {shown_path(path)!r} can be used by others on this machine: whoever reads it can sign as "
            f"you. Run: chmod 600 {shown_path(path)}",
            stacklevel=2,
        )


def _not_a_key(path: Path, which: str) -> SignatureError:
    return SignatureError(
        f"{shown_path(path)!r} is no {which} key in PEM format. Make a pair with: "
        "openssl genrsa -out private.pem 3072; openssl rsa -in private.pem -pubout -out public.pem"
    )


def _checked(path: Path, which: str, key: Any, kind: Any) -> Any:
    if not isinstance(key, kind):
        raise SignatureError(
            f"The {which} key {shown_path(path)!r} is a {type(key).__name__}; files are signed with RSA keys."
        )
    if key.key_size < _MINIMUM_BITS:
        raise SignatureError(
            f"The {which} key {shown_path(path)!r} has {key.key_size} bits; at least {_MINIMUM_BITS} are needed."
        )
    return key


def default_signature_path(path: str | os.PathLike[str]) -> Path:
    """Return where `jno.save` puts the signature of a file: `<file>.sig`."""
    return Path(os.fspath(path) + ".sig")
