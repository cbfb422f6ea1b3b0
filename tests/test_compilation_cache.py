"""Compiled programs on disk: the second start compiles nothing, damage only warns, and nobody else can write them."""

import json
import os
import stat
import sys
import warnings
from pathlib import Path

import jax
import pytest
from processes import finished, result_of, start

import jno
from jno._cli import main
from jno.utils import _compilation_cache, get_compilation_cache, load_config
from jno.utils._compilation_cache import cache_folder, prune, start_cache, start_configured_cache, stop_cache
from jno.utils._folders import check_private

SCRIPT = """
import json, sys
import jax, jax.monitoring
events = []
jax.monitoring.register_event_duration_secs_listener(lambda event, seconds, **_: events.append(event))
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
import foundax, jno, optax
if sys.argv[1] == "setup":
    jno.setup("script.py", compilation_cache=True)
x, y, _ = jno.domain.rect(mesh_size=0.25).variable("interior")
net = jno.nn(foundax.mlp(2, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))).optimizer(optax.adam(1e-3))
losses = jno.core([(net(x, y).laplacian(x, y) + x).mse]).solve(3).total_loss_history
programs = events.count("/jax/core/compile/backend_compile_duration")
print("RESULT " + json.dumps({
    "compiled": programs - events.count("/jax/compilation_cache/cache_hits"), "programs": programs,
    "losses": [float(loss) for loss in losses], "folder": jax.config.jax_compilation_cache_dir,
}))
"""
WITHOUT = ("JNO_", "JAX_COMPILATION", "JAX_PERSISTENT", "JAX_ENABLE_COMPILATION")


def script(folder, how="setup", **environment):
    return start(SCRIPT, how, cwd=folder, without=WITHOUT, XDG_CACHE_HOME=str(folder / "caches"), **environment)


def entries(folder):
    return sorted(folder.rglob("*-cache"))


# --- real starts ------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_second_start_compiles_nothing_and_damage_only_warns(tmp_path):
    cold, same_time = (result_of(process) for process in [script(tmp_path) for _ in range(2)])
    assert cold["programs"] > 5
    assert cold["losses"] == same_time["losses"]
    folder = Path(cold["folder"])
    assert folder.parent == tmp_path / "caches" / "jno" / "programs"
    warm = result_of(script(tmp_path))
    assert warm == cold | {"compiled": 0}
    # a file of the working directory and a variable do the same, without a line in the script
    (tmp_path / ".jno.toml").write_text("[jno]\ncompilation_cache = true\n")
    assert result_of(script(tmp_path, "nothing"))["compiled"] < cold["programs"] / 2  # networks may come before domains
    # damage
    torn = entries(folder)
    for path in torn:
        path.write_bytes(path.read_bytes()[:50])
    process = script(tmp_path)
    output, _ = finished(process)
    assert process.returncode == 0, output
    assert "Error reading persistent compilation cache entry" in output
    assert json.loads(output.partition("RESULT ")[2].splitlines()[0])["losses"] == cold["losses"]


@pytest.mark.slow
def test_nothing_is_kept_unless_somebody_asks(tmp_path):
    assert result_of(script(tmp_path, "nothing"))["folder"] is None
    assert result_of(script(tmp_path, "nothing", JNO_COMPILATION_CACHE="1"))["folder"] == str(
        entries(tmp_path)[0].parent
    )
    (tmp_path / ".jno.toml").write_text("[jno]\ncompilation_cache = true\n")
    assert result_of(script(tmp_path, "nothing", JNO_COMPILATION_CACHE="0"))["folder"] is None


# --- who decides ------------------------------------------------------------------------------------------------
@pytest.fixture
def unused(monkeypatch, tmp_path):
    """JAX without a cache, and a cache folder for jNO; afterwards JAX's settings are as before."""
    names = (
        *("jax_compilation_cache_dir", "jax_enable_compilation_cache", "jax_persistent_cache_min_compile_time_secs"),
        *("jax_persistent_cache_min_entry_size_bytes", "jax_persistent_cache_enable_xla_caches"),
    )
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_enable_compilation_cache", True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "caches"
    _compilation_cache.forget_cache()
    for name, value in before.items():
        jax.config.update(name, value)
    _compilation_cache.compilation_cache.reset_cache()


def test_the_switch(unused, monkeypatch):
    assert get_compilation_cache() is False
    assert get_compilation_cache(default=True) is True
    Path(".jno.toml").write_text("[jno]\ncompilation_cache = true\n")
    load_config(force=True)
    assert get_compilation_cache() is True
    monkeypatch.setenv("JNO_COMPILATION_CACHE", "0")
    assert get_compilation_cache(default=True) is False
    monkeypatch.setenv("JNO_COMPILATION_CACHE", "perhaps")
    with pytest.raises(ValueError, match="Invalid JNO_COMPILATION_CACHE; allowed: 1, true, 0, false"):
        start_configured_cache()


def test_setup_beats_the_configuration_and_switches_off_again(unused, monkeypatch):
    monkeypatch.setenv("JNO_COMPILATION_CACHE", "1")
    jno.setup("script.py", compilation_cache=False)
    jno.domain.line(mesh_size=0.5)
    assert jax.config.jax_compilation_cache_dir is None
    jno.setup("script.py", compilation_cache=True)
    assert jax.config.jax_compilation_cache_dir == str(cache_folder())
    jno.setup("script.py")  # nothing was asked for: as it is
    assert jax.config.jax_compilation_cache_dir == str(cache_folder())
    stop_cache()
    assert jax.config.jax_compilation_cache_dir is None
    with pytest.raises(TypeError, match="compilation_cache must be True or False, or None"):
        jno.setup("script.py", compilation_cache="yes")


@pytest.mark.parametrize("build", [lambda: jno.domain.line(mesh_size=0.5), lambda: jno.core([])])
def test_the_configuration_counts_from_the_first_domain_or_core_on(unused, monkeypatch, build):
    monkeypatch.setenv("JNO_COMPILATION_CACHE", "1")
    build()
    assert jax.config.jax_compilation_cache_dir == str(cache_folder())


def test_a_folder_that_was_set_in_jax_stays(unused, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    assert start_cache() == tmp_path / "mine"
    stop_cache()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "mine")
    assert not unused.exists()


def test_jax_own_switch(unused):
    jax.config.update("jax_enable_compilation_cache", False)
    with pytest.raises(ValueError, match="JAX_ENABLE_COMPILATION_CACHE switches the cache of JAX off"):
        start_cache()


def test_a_demo_keeps_its_programs(unused, monkeypatch, capsys):
    kept = []
    example = type("Example", (), {"main": staticmethod(lambda out: kept.append(jax.config.jax_compilation_cache_dir))})
    monkeypatch.setattr("jno._cli.load_example", lambda name: example)
    assert main(["demo", "poisson"]) == 0
    _compilation_cache.forget_cache()
    monkeypatch.setenv("JNO_COMPILATION_CACHE", "0")
    assert main(["demo", "poisson"]) == 0
    assert kept == [str(cache_folder()), None]
    capsys.readouterr()
    assert main(["info"]) == 0
    rows = capsys.readouterr().out
    assert "keep compiled programs" in rows
    assert "(0 of 1024 MiB)" in rows


# --- where ------------------------------------------------------------------------------------------------------
def test_a_relative_cache_folder_does_not_count(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    for value in ("caches", "", "./x"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder().parent == tmp_path / ".cache" / "jno" / "programs"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder().parent == tmp_path / "Library" / "Caches" / "jno" / "programs"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder().parent == tmp_path / "local" / "jno" / "programs"


def test_no_file_can_choose_the_folder(unused):
    Path(".jno.toml").write_text('[jno]\ncompilation_cache = "here"\n')
    with pytest.raises(ValueError, match=r"\[jno\] compilation_cache must be of type bool, got 'here'"):
        load_config(force=True)


needs_modes = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows protects folders in another way")


@needs_modes
def test_the_folder_is_for_the_user_alone(unused):
    folder = start_cache()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)} == {0o700}


@needs_modes
@pytest.mark.parametrize(("mode", "who"), [(0o777, "everybody"), (0o1777, "everybody"), (0o702, "everybody")])
def test_a_folder_that_others_can_write_is_refused(unused, mode, who):
    folder = start_cache()
    stop_cache()
    folder.chmod(mode)
    with pytest.raises(ValueError, match=rf"compiled programs are not kept .* can be written by {who}, and a compiled"):
        jno.setup("script.py", compilation_cache=True)
    _compilation_cache.forget_cache()
    with pytest.warns(UserWarning, match="every program is compiled anew: compiled programs are not kept"):
        start_configured_cache(default=True)
    assert jax.config.jax_compilation_cache_dir is None
    with warnings.catch_warnings():  # once
        warnings.simplefilter("error")
        start_configured_cache(default=True)


@needs_modes
def test_so_is_one_below_a_folder_in_which_others_can_replace_it(tmp_path):
    shared, folder = tmp_path / "shared", tmp_path / "shared" / "cache"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    for mode in (0o777, 0o773):
        shared.chmod(mode)
        with pytest.raises(ValueError, match=r"shared can be written by everybody"):
            check_private(folder, "programs", "they are code")
    shared.chmod(0o1777)  # as /tmp
    check_private(folder, "programs", "they are code")
    # a link from such a folder may lead elsewhere tomorrow
    shared.chmod(0o777)
    safe = tmp_path / "safe"
    safe.mkdir(mode=0o700)
    (shared / "link").symlink_to(safe)
    with pytest.raises(ValueError, match=r"shared can be written by everybody"):
        check_private(shared / "link", "programs", "they are code")


@needs_modes
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_somebody_else_or_of_a_group(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    with pytest.raises(ValueError, match="belongs to somebody else"):
        check_private(folder, "programs", "they are code")
    os.chown(folder, 0, 12345)
    folder.chmod(0o770)
    with pytest.raises(ValueError, match="can be written by a group"):
        check_private(folder, "programs", "they are code")
    os.chown(folder, 0, 0)  # the group of the user alone
    check_private(folder, "programs", "they are code")


@needs_modes
def test_a_folder_that_cannot_be_made_is_a_warning_where_nobody_asked(unused):
    unused.write_text("a file")
    with pytest.raises(OSError, match="caches"):
        start_cache()
    _compilation_cache.forget_cache()
    with pytest.warns(UserWarning, match="every program is compiled anew"):
        start_configured_cache(default=True)


# --- how much ---------------------------------------------------------------------------------------------------
def test_the_entries_used_longest_ago_go_first(tmp_path):
    for age, name in enumerate("edcba"):
        path = tmp_path / f"{name}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - 1000))
    (tmp_path / "empty-cache").touch()
    (tmp_path / "other").write_bytes(bytes(1000))
    assert prune(tmp_path, 500) == 1  # what a stopped process left behind
    assert prune(tmp_path, 400) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c-cache", "d-cache", "e-cache", "other"]
    assert prune(tmp_path / "none", 250) == 0


def test_a_long_process_stays_within_the_limit(unused, monkeypatch):
    folder = start_cache()
    monkeypatch.setattr(_compilation_cache, "_WRITES", 3)
    monkeypatch.setattr(_compilation_cache, "LIMIT", 1)
    for power in range(7):
        jax.jit(lambda x, p=power: x**p + 17 * p)(1.0)
    assert len(entries(folder)) < 3
