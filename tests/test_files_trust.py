"""Who decides which files may run code: keys of several sources, pickles, plain data."""

import os
import pickle
import re

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization as pem_format
from cryptography.hazmat.primitives.asymmetric import rsa

import jno
from jno.utils import SignatureError, get_rsa_private_key, get_rsa_public_key, load_config, shown_path
from jno.utils.statistics import statistics


class Exploding:
    """Unpickling it fails the test."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def written_pair(folder):
    folder.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = pem_format.Encoding.PEM, pem_format.PrivateFormat.PKCS8
    (folder / "private.pem").touch(mode=0o600)
    (folder / "private.pem").write_bytes(key.private_bytes(pem, form, pem_format.NoEncryption()))
    public = key.public_key().public_bytes(pem, pem_format.PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(public)
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Return the folders of two pairs of keys."""
    return [written_pair(tmp_path_factory.mktemp("keys") / name) for name in ("mine", "theirs")]


def rsa_table(**entries):
    return "[rsa]\n" + "".join(f'{name} = "{value}"\n' for name, value in entries.items())


# --- the lattice of keys ----------------------------------------------------------------------------------------
def test_the_working_directory_adds_a_key(settings_files, pairs):
    settings_files(project=rsa_table(public_key=pairs[0] / "public.pem"))
    assert get_rsa_public_key() == str(pairs[0] / "public.pem")


def test_the_working_directory_does_not_replace_the_users_key(settings_files, pairs, monkeypatch, tmp_path):
    mine, theirs = pairs
    jno.save(Exploding(), "x.jno", private_key_path=theirs / "private.pem")
    settings_files(rsa_table(public_key=mine / "public.pem"), rsa_table(public_key=theirs / "public.pem"))
    message = r"\.jno\.toml names another public key, '.*theirs/public\.pem', than .*config\.toml, '.*mine/public\.pem'"
    with pytest.raises(SignatureError, match=message):
        jno.load("x.jno")
    settings_files(rsa_table(path=mine), rsa_table(path=theirs))
    for get in (get_rsa_public_key, get_rsa_private_key):
        with pytest.raises(SignatureError, match="a working directory cannot replace the user's key"):
            get()
    # the environment belongs to the user and beats both
    monkeypatch.setenv("JNO_RSA_PUBLIC_KEY", str(mine / "public.pem"))
    with pytest.raises(SignatureError, match="does not fit"):
        jno.load("x.jno")
    # and so does an argument
    with pytest.raises(pytest.fail.Exception, match="unpickled"):
        jno.load("x.jno", theirs / "public.pem")


def test_a_copy_of_the_users_key_is_the_same_key(settings_files, pairs, tmp_path):
    copied = tmp_path / "project" / "public.pem"
    copied.write_bytes((pairs[0] / "public.pem").read_bytes())
    settings_files(rsa_table(public_key=pairs[0] / "public.pem"), rsa_table(public_key="public.pem"))
    assert get_rsa_public_key() == str(pairs[0] / "public.pem")  # whose content no project can change


def test_relative_keys_start_at_their_file(settings_files, pairs, tmp_path):
    settings_files(rsa_table(public_key="mine.pem"))
    assert get_rsa_public_key() == str(tmp_path / "home" / ".jno" / "mine.pem")
    settings_files("", rsa_table(path="keys"))
    assert get_rsa_private_key() == str(tmp_path / "project" / "keys" / "private.pem")


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("source", ["user", "project"])
def test_an_empty_key_in_a_file_is_an_error(settings_files, pairs, source, value):
    jno.save(Exploding(), "x.jno")
    other = {"user": "project", "project": "user"}[source]
    settings_files(**{source: rsa_table(public_key=value), other: rsa_table(public_key=pairs[0] / "public.pem")})
    name = r"config\.toml" if source == "user" else r"\.jno\.toml"
    with pytest.raises(ValueError, match=rf"{name}: \[rsa\] public_key is empty.*does not switch a check off"):
        jno.load("x.jno")


@pytest.mark.parametrize("name", ["JNO_RSA_PUBLIC_KEY", "JNO_RSA_PATH"])
def test_an_empty_variable_is_an_error(settings_files, pairs, monkeypatch, name):
    jno.save(Exploding(), "x.jno")
    settings_files(rsa_table(public_key=pairs[0] / "public.pem"))
    monkeypatch.setenv(name, "")
    with pytest.raises(SignatureError, match=f"{name} is empty.*Unset it or name a file"):
        jno.load("x.jno")


def test_the_merged_configuration_shows_the_key_that_counts(settings_files):
    settings_files(rsa_table(public_key="/mine.pem"), rsa_table(public_key="/theirs.pem") + "[jno]\nseed = 3\n")
    assert load_config() == {"rsa": {"public_key": "/mine.pem"}, "jno": {"seed": 3}}


# --- pickles ----------------------------------------------------------------------------------------------------
def test_pickled_constants_are_refused_where_a_key_is_configured(settings_files, pairs, tmp_path):
    path = tmp_path / "k.pkl"
    path.write_bytes(pickle.dumps({"a": 1.0}))
    assert jno.np.constant("k", path).a.value == 1.0
    path.write_bytes(pickle.dumps({"a": Exploding()}))
    settings_files(project=rsa_table(public_key=pairs[0] / "public.pem"))
    with pytest.raises(SignatureError, match=r"k\.pkl' is a pickle, which cannot be signed.*jno\.save\(constants"):
        jno.np.constant("k", path)
    jno.save({"a": 2.0}, tmp_path / "k.jno", private_key_path=pairs[0] / "private.pem")
    assert jno.np.constant("k", jno.load(tmp_path / "k.jno")).a.value == 2.0


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x80", b"not a pickle", b"\x80\x04]q", b"c__main__\nnothing\n.", b"\x80\x04K\x01" + b"0" * 9 + b"."],
)
def test_a_damaged_but_signed_file_is_the_documented_error(pairs, tmp_path, monkeypatch, payload):
    path = tmp_path / "x.jno"
    monkeypatch.setattr("jno.utils._serialization.dumps", lambda obj: payload)
    jno.save(1, path, private_key_path=pairs[0] / "private.pem")
    with pytest.raises(ValueError, match=r"x\.jno' holds a builtins\.int that cannot be rebuilt here \(.+written with"):
        jno.load(path, pairs[0] / "public.pem")


# --- plain data -------------------------------------------------------------------------------------------------
def test_untrusted_files_are_never_unpickled(tmp_path):
    jno.save(Exploding(), tmp_path / "x.jno")
    with pytest.raises(ValueError, match=r"x\.jno' holds a .*Exploding as a pickle.*trusted=False only files are read"):
        jno.load(tmp_path / "x.jno", trusted=False)


def test_reading_data_never_reaches_pickle(tmp_path, monkeypatch):
    history = statistics([{"total_loss": np.array([1.0, 0.5])}])
    jno.save({"h": history, "w": np.arange(3.0)}, tmp_path / "x.jno", data_only=True)
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    monkeypatch.setattr(pickle, "Unpickler", lambda *_: pytest.fail("unpickled"))
    loaded = jno.load(tmp_path / "x.jno", trusted=False)
    assert loaded["h"].total_loss == 0.5
    np.testing.assert_array_equal(loaded["w"], [0, 1, 2])


def test_data_are_signed_and_verified_too(pairs, tmp_path):
    mine, theirs = pairs
    jno.save({"a": 1}, tmp_path / "x.jno", private_key_path=mine / "private.pem", data_only=True)
    assert jno.load(tmp_path / "x.jno", mine / "public.pem", trusted=False) == {"a": 1}
    with pytest.raises(SignatureError, match="does not fit"):
        jno.load(tmp_path / "x.jno", theirs / "public.pem", trusted=False)


def test_large_signatures(pairs, tmp_path, monkeypatch):
    jno.save(Exploding(), tmp_path / "x.jno", private_key_path=pairs[0] / "private.pem")
    monkeypatch.setenv("JNO_LIMIT_HEADER_BYTES", "100")
    with pytest.raises(SignatureError, match=r"The signature '.*x\.jno\.sig' has 271 bytes; the limit is 100\. If you"):
        jno.load(tmp_path / "x.jno", pairs[0] / "public.pem")


# --- what messages show -----------------------------------------------------------------------------------------
def test_paths_in_messages_hide_the_home_directory_and_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JNO_RSA_PATH", "~/secret-place")
    assert shown_path(tmp_path / "a" / "b") == "~/a/b"
    assert shown_path(str(tmp_path) + "x") == str(tmp_path) + "x"
    assert shown_path(tmp_path / "secret-place" / "public.pem") == "$JNO_RSA_PATH/public.pem"
    with pytest.raises(FileNotFoundError, match=r"^No such file: '~/x\.jno'"):
        jno.load("~/x.jno")
    (tmp_path / "x.jno").write_bytes(b"x")
    with pytest.raises(SignatureError, match=r"public key '\$JNO_RSA_PATH/public\.pem' does not exist") as caught:
        jno.load("~/x.jno")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", ["JNO_RSA_PRIVATE_KEY", "argument"])
def test_a_key_given_as_text_is_not_shown(pairs, tmp_path, monkeypatch, name):
    content = (pairs[0] / "private.pem").read_text()
    argument = content if name == "argument" else None
    if name != "argument":
        monkeypatch.setenv(name, content)
    with pytest.raises(SignatureError, match="given as its content, where the path") as caught:
        jno.save(1, tmp_path / "x.jno", private_key_path=argument)
    assert content.splitlines()[1] not in str(caught.value)


def test_values_of_variables_are_not_shown(monkeypatch):
    for name, get in (("JNO_SEED", jno.get_seed), ("JNO_LIMIT_DEPTH", jno.utils.get_limits)):
        monkeypatch.setenv(name, "my-password")
        with pytest.raises(ValueError, match=f"Invalid {name}") as caught:
            get()
        assert "my-password" not in str(caught.value)
        monkeypatch.delenv(name)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_private_key_that_others_can_use(pairs, tmp_path, mode):
    key = tmp_path / "private.pem"
    key.write_bytes((pairs[0] / "private.pem").read_bytes())
    key.chmod(mode)
    with pytest.warns(UserWarning, match=f"can be used by others.*chmod 600 {re.escape(str(key))}"):
        jno.save(1, tmp_path / "x.jno", private_key_path=key)
    key.chmod(0o600)
    jno.save(1, tmp_path / "x.jno", private_key_path=key)


# --- meshes -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """Return the folder of a binary .msh file and a .med file, both of which gmsh reads."""
    gmsh = pytest.importorskip("gmsh")
    folder = tmp_path_factory.mktemp("meshes")
    gmsh.initialize(readConfigFiles=False, interruptible=False)
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("Mesh.Binary", 1)
    gmsh.model.occ.addRectangle(0, 0, 0, 1, 1)
    gmsh.model.occ.synchronize()
    gmsh.model.mesh.generate(2)
    for name in ("square.msh", "square.med"):
        gmsh.write(str(folder / name))
    gmsh.finalize()
    return folder


@pytest.mark.parametrize("name", ["square.msh", "square.med"])
def test_a_script_beside_a_mesh_does_not_run(meshes, name, tmp_path):
    mark = tmp_path / "ran"
    path = tmp_path / name
    path.write_bytes((meshes / name).read_bytes())
    (tmp_path / f"{name}.opt").write_text(f'SystemCall "touch {mark}";\n')
    assert jno.domain(str(path)).points.shape[1] == 2
    assert not mark.exists()


@pytest.mark.parametrize("name", ["a.MeD", "a.med", "a.MED", "a.msh", "a.MSH"])
@pytest.mark.parametrize("first", ["", "$Comments\n", "$MeshFormaX\n4.0 0 8\n"])
def test_a_script_under_the_name_of_a_mesh_does_not_run(tmp_path, name, first):
    mark = tmp_path / "ran"
    (tmp_path / name).write_text(f'{first}SystemCall "touch {mark}";\n$EndX\n')
    with pytest.raises(ValueError, match=f"{name}' is "):
        jno.domain(str(tmp_path / name))
    assert not mark.exists()


def test_gmsh_is_given_only_files_that_it_takes_for_meshes(tmp_path):
    (tmp_path / "a.msh").write_text("$Comments\n4.0\n$EndComments\n")
    with pytest.raises(ValueError, match=r"a\.msh' is corrupt or not a \.msh file: it begins with b'\$Comments"):
        jno.domain(str(tmp_path / "a.msh"))
