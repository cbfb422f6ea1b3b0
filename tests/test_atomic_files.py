"""Files are written completely or not at all: killed processes, threads, full disks, links, permissions."""

import os
import resource
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import processes
import pytest
from cryptography.hazmat.primitives import serialization as pem_format
from cryptography.hazmat.primitives.asymmetric import rsa

import jno
from jno.utils import replaced_file, text_output, write_atomically
from jno.utils.statistics import statistics


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The private and the public key of a pair."""
    folder = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = pem_format.Encoding.PEM
    secret = key.private_bytes(pem, pem_format.PrivateFormat.PKCS8, pem_format.NoEncryption())
    (folder / "private.pem").touch(mode=0o600)
    (folder / "private.pem").write_bytes(secret)
    public = key.public_key().public_bytes(pem, pem_format.PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(public)
    return folder / "private.pem", folder / "public.pem"


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


# --- killed processes ---------------------------------------------------------------------------------------------
KILLED = """
import json, os, pathlib, random, signal, sys, time
import jno
from jno.utils._signatures import write_signed

folder, private, public, kills = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
path = folder / "x.jno"
draw = random.Random(0)

# signed beforehand: that takes longer than writing
signed = []
for number in range(8):
    jno.save(bytes(draw.randrange(2000)) + bytes([number]), path, private_key_path=private)
    signed.append((path.read_bytes(), path.with_name("x.jno.sig").read_bytes()))

def saving(start):
    for number in range(1000):
        write_signed(path, *signed[(start + number) % len(signed)])

left, contents = 0, set()
for number in range(kills):
    child = os.fork()
    if not child:
        saving(7 * number)
    time.sleep(draw.uniform(0.005, 0.08))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    contents.add(jno.load(path, public))
    left += any(name.endswith((".tmp.jno", ".tmp.sig")) for name in os.listdir(folder))
jno.save(b"end", path, private_key_path=private)
print("RESULT", json.dumps([len(contents), left, sorted(os.listdir(folder))]))
"""


@pytest.mark.parametrize("kills", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_a_killed_save_leaves_a_file_that_can_be_verified(tmp_path, keys, kills):
    program = processes.start(KILLED, str(tmp_path), *map(str, keys), str(kills))
    contents, left, files = processes.result_of(program)
    assert contents >= 4  # it was killed while it saved, with one of eight contents each time
    assert left > 0  # in the middle of it, too
    assert files == [".x.jno.lock", "x.jno", "x.jno.sig"]  # the next save has cleaned up
    assert jno.load(tmp_path / "x.jno", keys[1]) == b"end"
    assert (tmp_path / "x.jno.sig").stat().st_size == 15 + 256  # one signature


def test_what_another_save_is_writing_is_no_leftover(tmp_path):
    path = tmp_path / "x"
    with replaced_file(path) as temporary:
        temporary.write_bytes(b"late")
        write_atomically(path, b"early")
        assert path.read_bytes() == b"early"
        assert temporary.read_bytes() == b"late"
    assert path.read_bytes() == b"late"
    assert names(tmp_path) == ["x"]


def test_leftovers_of_this_file_only_are_removed(tmp_path):
    token = "0123456789abcdef"
    for name in (f".x.jno.{token}.tmp.jno", f".y.jno.{token}.tmp.jno", ".x.jno.mine.tmp", f".x.jno.{token}"):
        (tmp_path / name).write_bytes(b"")
    jno.save(1, tmp_path / "x.jno")
    assert names(tmp_path) == [f".x.jno.{token}", ".x.jno.mine.tmp", f".y.jno.{token}.tmp.jno", "x.jno"]


# --- several writers ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("signed", [False, True])
def test_threads_save_to_one_file(tmp_path, keys, signed):
    path, private, public = tmp_path / "x", *keys
    options = {"private_key_path": private} if signed else {}
    jno.save([0] * 100, path, **options)

    def save(number):
        jno.save([number] * 100, path, **options)

    def load(_):
        return len(set(jno.load(path, public if signed else None)))

    with ThreadPoolExecutor(8) as pool:
        saves = [pool.submit(save, number) for number in range(15)]
        loads = [pool.submit(load, number) for number in range(15)]
    assert [future.result() for future in saves] == [None] * 15
    assert [future.result() for future in loads] == [1] * 15
    assert names(tmp_path) == (["x", "x.sig"] if signed else ["x"])


def test_a_signed_save_waits_for_its_turn(tmp_path, keys):
    """Else the signature of one is put beside the file of another."""
    from jno.utils._locks import exclusive

    path, private, public = tmp_path / "x", *keys
    thread = threading.Thread(target=jno.save, args=(1, path), kwargs={"private_key_path": private})
    with exclusive(path):
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        assert not path.exists()
    thread.join()
    assert jno.load(path, public) == 1


# --- links, devices, permissions ----------------------------------------------------------------------------------
def test_a_planted_link_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f".x.{os.getpid()}.tmp").symlink_to(victim)
    jno.save(1, tmp_path / "x")
    assert victim.read_text() == "mine"


def test_a_link_at_the_file_itself_is_followed(tmp_path):
    target, link = tmp_path / "large-disk" / "x", tmp_path / "x"
    link.symlink_to(target)
    for number in range(2):
        jno.save(number, link)
        assert link.is_symlink()
        assert jno.load(target) == number


def test_permissions_stay(tmp_path):
    fresh, secret = tmp_path / "fresh", tmp_path / "secret"
    secret.write_bytes(b"")
    secret.chmod(0o640)
    umask = os.umask(0o027)
    try:
        for path in (fresh, secret):
            jno.save(1, path)
    finally:
        os.umask(umask)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (fresh, secret)] == [0o640, 0o640]
    secret.chmod(0o666)
    umask = os.umask(0o077)
    try:
        jno.save(2, secret)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o666


def test_devices_stay_devices():
    with text_output("/dev/null") as stream:
        stream.write("nothing")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_long_names(tmp_path):
    path = tmp_path / ("ü" * 125 + ".jno")  # 254 bytes
    jno.save(1, path)
    assert jno.load(path) == 1
    assert names(tmp_path) == [path.name]


def test_errors_name_the_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match=r"Is a directory: '.*/folder'$"):
        jno.save(1, tmp_path / "folder")
    assert names(tmp_path) == ["folder"]


# --- full disks ---------------------------------------------------------------------------------------------------
FULL = """
import json, os, pathlib, resource, signal, sys
import numpy as np
import jno
from jno.utils.statistics import statistics

folder = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
history = statistics([{"total_loss": np.linspace(1.0, 2.0, 1000)}])
domain = jno.domain.rect(mesh_size=0.25)
values = np.zeros((3, len(domain.points)))
writers = {
    "history.jno": history.save,
    "history.png": history.plot,
    "mesh.msh": domain.export,
    "mesh.vtu": domain.export,
    "mesh.vtk": domain.export,
    "mesh.png": domain.export,
    "series.pvd": lambda path: domain.export(path, fields={"u": values}),
    "tree.txt": lambda path: jno.core([(domain.variable("interior")[0]).mse]).print_tree(path),
}
for name, write in writers.items():
    write(folder / name)
before = {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}
messages = {}
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
for name, write in writers.items():
    try:
        write(folder / name)
    except OSError as error:
        messages[name] = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
after = {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}
print("RESULT", json.dumps([messages, before == after, sorted(after)]))
"""


def test_a_full_disk_leaves_what_was_there(tmp_path):
    messages, untouched, files = processes.result_of(processes.start(FULL, str(tmp_path)))
    pieces = [f"series_{number:04d}.vtu" for number in range(3)]
    written = ["history.jno", "history.png", "mesh.msh", "mesh.png", "mesh.vtk", "mesh.vtu", "series.pvd", "tree.txt"]
    assert files == sorted([*written, *pieces])
    assert untouched
    for name, message in messages.items():
        named = "series_0000.vtu" if name == "series.pvd" else name
        assert message == f"[Errno 27] File too large: '{tmp_path / named}'"
    assert sorted(messages) == written


def test_a_full_disk_leaves_a_signed_file_that_can_be_verified(tmp_path, keys):
    """There is space for the signature, not for the file."""
    path, private, public = tmp_path / "x", *keys
    jno.save(1, path, private_key_path=private)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with pytest.raises(OSError, match=f"File too large: '{path}'"):
            jno.save(bytes(10_000), path, private_key_path=private)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert jno.load(path, public) == 1
    assert (tmp_path / "x.sig").stat().st_size == 2 * (15 + 256)
    jno.save(2, path, private_key_path=private)
    assert jno.load(path, public) == 2
    assert (tmp_path / "x.sig").stat().st_size == 15 + 256


def test_pictures_without_a_suffix_are_png(tmp_path):
    statistics([{"total_loss": np.array([1.0, 0.1])}]).plot(tmp_path / "loss")
    assert names(tmp_path) == ["loss.png"]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


# --- nobody writes past it ----------------------------------------------------------------------------------------
def test_every_file_is_written_through_one_function():
    """What opens a file for writing by itself: what only ever grows, and the writer."""
    writing = r"savefig\(|write_text\(|write_bytes\(|open\([^)]*\"[wxa]b?\"|\.write_html\("
    search = ["grep", "-rnE", "--include=*.py", writing, "jno"]
    lines = subprocess.run(search, capture_output=True, text=True, cwd=processes.ROOT, check=True).stdout.splitlines()
    allowed = ("jno/utils/_atomic_files.py", "jno/utils/_locks.py", "jno/utils/_logger.py", "jno/tuner/_journal.py")
    # pictures in memory; a script that must not be there before
    others = ("temporary", "savefig(stream, ", 'path.open("x", encoding="utf-8") as script')
    elsewhere = [line for line in lines if not line.startswith(allowed) and not any(text in line for text in others)]
    assert elsewhere == []
