"""jno.save and jno.load."""

import json
import os
import pickle
import stat
import struct
import sys
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem_format
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from jno.utils import SignatureError, load, save
from jno.utils import _serialization as serialization
from jno.utils._saved_file import MAGIC
from jno.utils.statistics import statistics

PREFIX = len(MAGIC)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "deep" / "object.jno"
    save({"a": np.arange(3), "b": jnp.ones((2, 2))}, path)
    return path


def split(content):
    """Return header (parsed) and payload, by the documented layout alone."""
    (length,) = struct.unpack(">I", content[8:12])
    return json.loads(content[12 : 12 + length]), content[12 + length :]


def join(header, payload):
    encoded = json.dumps(header).encode()
    return MAGIC + struct.pack(">I", len(encoded)) + encoded + payload


class Exploding:
    """Unpickling it fails the test: the checks come first."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_round_trip(file):
    loaded = load(file)
    np.testing.assert_array_equal(loaded["a"], [0, 1, 2])
    np.testing.assert_array_equal(loaded["b"], np.ones((2, 2)))


def test_closures_can_be_saved(tmp_path):
    factor = 3
    save(lambda x: factor * x, tmp_path / "f")
    assert load(tmp_path / "f")(2) == 6


def test_header(file):
    header, payload = split(file.read_bytes())
    assert header["format"] == 1
    assert header["kind"] == "builtins.dict"
    assert header["length"] == len(payload)
    assert set(header["versions"]) == {"jno", "jax", "equinox", "python"}


def test_expected_type(file):
    assert isinstance(load(file, expected_type=dict), dict)
    with pytest.raises(TypeError, match=r"object\.jno.*of type builtins\.dict, expected builtins\.list"):
        load(file, expected_type=list)


def test_replaces_and_leaves_no_temporary_file(file):
    save(1, file)
    assert load(file) == 1
    assert os.listdir(file.parent) == [file.name]


def test_failed_save_keeps_the_old_file(file, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(serialization.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(1, file)
    assert isinstance(load(file), dict)
    assert os.listdir(file.parent) == [file.name]


def test_mode_follows_the_umask(tmp_path):
    previous = os.umask(0o022)
    try:
        save(1, tmp_path / "x")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such file: .*nothing\.jno.*jno\.save"):
        load(tmp_path / "nothing.jno")


def test_foreign_file_is_not_unpickled(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Exploding()))
    with pytest.raises(ValueError, match=r"model\.pkl' is not a jNO file; jno\.load reads"):
        load(path)


def test_flipped_byte(tmp_path):
    path = tmp_path / "x"
    save(Exploding(), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"truncated or damaged.*SHA-256.*Copy it again"):
        load(path)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (PREFIX + 2, "ends before its header"),
        (PREFIX + 20, "ends within its header"),
        (-5, "bytes instead of"),
    ],
)
def test_truncated(file, keep, message):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"object.jno' is truncated or damaged: .*{message}"):
        load(file)


def test_appended_bytes(file):
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="bytes instead of"):
        load(file)


def test_newer_format(file):
    _, payload = split(file.read_bytes())
    file.write_bytes(join({"format": 2}, payload))
    with pytest.raises(ValueError, match="file format 2, this jNO reads up to 1; install the newer jNO"):
        load(file)


@pytest.mark.parametrize("header", [[], {}, {"format": "1"}, {"format": 1, "kind": "x"}])
def test_incomplete_header(file, header):
    _, payload = split(file.read_bytes())
    file.write_bytes(join(header, payload))
    with pytest.raises(ValueError, match="header is incomplete"):
        load(file)


def test_unreadable_header(file):
    file.write_bytes(MAGIC + struct.pack(">I", 2) + b"\xff{")
    with pytest.raises(ValueError, match="header is unreadable"):
        load(file)


def test_class_that_no_longer_exists(tmp_path, monkeypatch):
    from jno.utils import callbacks

    class Gone:
        pass

    Gone.__module__, Gone.__qualname__ = callbacks.__name__, "Gone"
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "Gone", Gone, raising=False)
        save(Gone(), tmp_path / "x")
    with pytest.raises(ValueError, match=r"callbacks\.Gone that cannot be rebuilt here.*written with jno .*jax"):
        load(tmp_path / "x")


# --- signed files -----------------------------------------------------------------------------------------------
class Keys:
    """Writes key files; RSA pairs `first` and `second`."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("first", "second"):
            self.pair(name, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def pair(self, name, key, protection=None):
        pem = pem_format.Encoding.PEM
        protection = protection or pem_format.NoEncryption()
        private = key.private_bytes(pem, pem_format.PrivateFormat.PKCS8, protection)
        public = key.public_key().public_bytes(pem, pem_format.PublicFormat.SubjectPublicKeyInfo)
        self.private(name).touch(mode=0o600)
        self.private(name).write_bytes(private)
        self.public(name).write_bytes(public)

    def private(self, name="first"):
        return self.folder / f"{name}-private.pem"

    def public(self, name="first"):
        return self.folder / f"{name}-public.pem"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def signed(tmp_path, keys):
    """Return a signed file that fails the test when it is unpickled."""
    path = tmp_path / "deep" / "x.jno"
    save(Exploding(), path, keys.public(), keys.private())
    return path


def signature_of(path):
    return path.with_name(path.name + ".sig")


def test_signed_round_trip(tmp_path, keys):
    path = tmp_path / "x"
    save([1, 2], path, private_key_path=keys.private())
    assert load(path, keys.public()) == [1, 2]
    assert load(str(path), str(keys.public()), expected_type=list) == [1, 2]
    assert load(path) == [1, 2]  # no key: no promise, no check
    moved = signature_of(path).rename(tmp_path / "elsewhere.sig")
    assert load(path, keys.public(), moved) == [1, 2]


def test_signature_file_layout(signed, keys):
    """The signature is plain RSA-PSS over the file's bytes, verified here by cryptography alone."""
    content = signature_of(signed).read_bytes()
    assert content[:11] == b"PYLOTTE-SP\x01"
    assert struct.unpack(">I", content[11:15]) == (2048 // 8,) == (len(content) - 15,)
    key = pem_format.load_pem_public_key(keys.public().read_bytes())
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    key.verify(content[15:], signed.read_bytes(), scheme, hashes.SHA256())


@pytest.fixture(scope="module")
def untouched(tmp_path_factory, keys):
    """Return a path, its signed content, and the signature."""
    path = tmp_path_factory.mktemp("signed") / "x"
    save(Exploding(), path, private_key_path=keys.private())
    return path, path.read_bytes(), signature_of(path).read_bytes()


NOT_THE_SAME = "does not fit|is not a signature|truncated or damaged"


@given(mask=st.integers(1, 255), place=st.floats(0, 1, exclude_max=True), in_signature=st.booleans())
def test_any_changed_byte_is_refused(untouched, keys, mask, place, in_signature):
    path, *contents = untouched
    changed = bytearray(contents[in_signature])
    changed[int(place * len(changed))] ^= mask
    contents[in_signature] = bytes(changed)
    path.write_bytes(contents[0])
    signature_of(path).write_bytes(contents[1])
    with pytest.raises(SignatureError, match=NOT_THE_SAME):
        load(path, keys.public())


@pytest.mark.parametrize("which", ["file", "signature"])
def test_every_flipped_byte_and_every_truncation_is_refused(signed, keys, which):
    changed = signed if which == "file" else signature_of(signed)
    original = changed.read_bytes()
    flipped = [original[:i] + bytes([original[i] ^ 1]) + original[i + 1 :] for i in range(len(original))]
    for content in [*flipped, *(original[:i] for i in range(len(original))), original + b"\0"]:
        changed.write_bytes(content)
        with pytest.raises(SignatureError, match=NOT_THE_SAME):
            load(signed, keys.public())


def test_missing_signature(signed, keys):
    signature_of(signed).unlink()
    with pytest.raises(SignatureError, match=r"x\.jno' is not signed: there is no '.*x\.jno\.sig'.*signature_path"):
        load(signed, keys.public())
    with pytest.raises(SignatureError, match=r"there is no '.*nothing\.sig'"):
        load(signed, keys.public(), signed.with_name("nothing.sig"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a signature that this jNO reads"),
        (b"-----BEGIN PGP SIGNATURE-----", "is not a signature that this jNO reads"),
        (b"PYLOTTE-SP\x02\0\0\0\1s", "is not a signature that this jNO reads"),
        (b"PYLOTTE-SP\x01\0", "is truncated or damaged"),
        (b"PYLOTTE-SP\x01\0\0\0\2s", "is truncated or damaged"),
        (b"PYLOTTE-SP\x01\0\0\0\1s", "does not fit .*saved again after signing.*Nothing was unpickled"),
    ],
)
def test_wrong_signature(signed, keys, content, message):
    signature_of(signed).write_bytes(content)
    with pytest.raises(SignatureError, match=message):
        load(signed, keys.public())


def test_another_key_signed(signed, keys):
    with pytest.raises(SignatureError, match=r"does not fit .*another key signed"):
        load(signed, keys.public("second"))


def test_signature_of_another_file(signed, tmp_path, keys):
    save(Exploding, tmp_path / "y", private_key_path=keys.private())
    with pytest.raises(SignatureError, match="does not fit"):
        load(signed, keys.public(), tmp_path / "y.sig")


def test_saved_again_without_signing(signed, keys):
    save(1, signed)
    with pytest.raises(SignatureError, match="saved again after signing"):
        load(signed, keys.public())


def test_signature_is_verified_before_the_file_is_looked_at(tmp_path, keys):
    (tmp_path / "x").write_bytes(b"no jNO file")
    with pytest.raises(SignatureError, match="is not signed"):
        load(tmp_path / "x", keys.public())


def test_keys_that_are_no_pair(tmp_path, keys):
    with pytest.raises(SignatureError, match=r"does not belong to the private key.*files of one pair"):
        save(1, tmp_path / "x", keys.public("second"), keys.private())
    assert not os.listdir(tmp_path)


def test_only_one_of_two(file, tmp_path, keys):
    with pytest.raises(SignatureError, match="alone signs nothing: give private_key_path too, or neither"):
        save(1, tmp_path / "x", keys.public())
    assert not (tmp_path / "x").exists()
    with pytest.raises(SignatureError, match="needs a public key to verify it: give public_key_path or set JNO_RSA"):
        load(file, signature_path=keys.public())


@pytest.fixture
def unusable(tmp_path, keys):
    """Key files that cannot sign, by what is wrong with them."""
    made = Keys.__new__(Keys)
    made.folder = tmp_path
    made.pair("curve", ec.generate_private_key(ec.SECP256R1()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cryptography, that the key is short
        made.pair("short", rsa.generate_private_key(public_exponent=65537, key_size=1024))
    first = pem_format.load_pem_private_key(keys.private().read_bytes(), None)
    made.pair("protected", first, pem_format.BestAvailableEncryption(b"secret"))
    for path in (made.private("text"), made.public("text")):
        path.write_text("no key")
        path.chmod(0o600)
    for path in (made.private("damaged"), made.public("damaged")):
        path.write_bytes(keys.public().read_bytes()[:200])
        path.chmod(0o600)
    return made


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("curve", "key '.*' is a .*; files are signed with RSA keys"),
        ("short", "has 1024 bits; at least 2048 are needed"),
        ("text", "is no (private|public) key in PEM format. Make a pair with: openssl"),
        ("damaged", "is no (private|public) key in PEM format"),
        ("absent", r"key '.*absent-.*' does not exist.*JNO_RSA_(PRIVATE|PUBLIC)_KEY, JNO_RSA_PATH"),
    ],
)
def test_unusable_keys(signed, unusable, tmp_path, name, message):
    with pytest.raises(SignatureError, match=message):
        save(1, tmp_path / "y", private_key_path=unusable.private(name))
    assert not (tmp_path / "y").exists()
    with pytest.raises(SignatureError, match=message):
        load(signed, unusable.public(name))


def test_protected_private_key(unusable, tmp_path):
    with pytest.raises(SignatureError, match="is protected by a password; give one without"):
        save(1, tmp_path / "y", private_key_path=unusable.private("protected"))


def test_the_other_key_of_the_pair(signed, keys, tmp_path):
    with pytest.raises(SignatureError, match="is no public key in PEM format"):
        load(signed, keys.private())
    public = tmp_path / "public.pem"
    public.write_bytes(keys.public().read_bytes())
    public.chmod(0o600)
    with pytest.raises(SignatureError, match="is no private key in PEM format"):
        save(1, tmp_path / "y", private_key_path=public)


def test_an_empty_path_is_no_way_around(signed, tmp_path):
    with pytest.raises(SignatureError, match="does not exist"):
        load(signed, "")
    with pytest.raises(SignatureError, match="does not exist"):
        save(1, tmp_path / "y", private_key_path="")


def test_configured_keys(tmp_path, keys, monkeypatch):
    path, history = tmp_path / "x", statistics([{"total_loss": np.ones(2)}])
    monkeypatch.setenv("JNO_RSA_PRIVATE_KEY", str(keys.private()))
    monkeypatch.setenv("JNO_RSA_PUBLIC_KEY", str(keys.public()))
    save(Exploding(), path)
    history.save(tmp_path / "h")
    assert statistics.load(tmp_path / "h").total_loss == 1.0
    for signature in (signature_of(path), tmp_path / "h.sig"):
        signature.unlink()
    with pytest.raises(SignatureError, match="is not signed"):
        load(path)
    with pytest.raises(SignatureError, match="is not signed"):
        statistics.load(tmp_path / "h")

    monkeypatch.delenv("JNO_RSA_PRIVATE_KEY")
    with pytest.warns(UserWarning, match="no private key: the file is not signed, and jno.load will refuse it"):
        save(Exploding(), path)
    with pytest.raises(SignatureError, match="is not signed"):
        load(path)

    # a folder without the key it stands for does not turn the check off
    monkeypatch.delenv("JNO_RSA_PUBLIC_KEY")
    monkeypatch.setenv("JNO_RSA_PATH", str(tmp_path))
    with pytest.raises(SignatureError, match=r"public\.pem' does not exist"):
        load(path)


def test_without_cryptography(signed, keys, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ImportError, match=r"need cryptography: pip install 'jno-jax\[sign\]'"):
        load(signed, keys.public())
    with pytest.raises(ImportError, match=r"need cryptography: pip install 'jno-jax\[sign\]'"):
        save(1, tmp_path / "y", private_key_path=keys.private())
