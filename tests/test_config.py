"""Settings, jno.setup and the logger."""

import pickle
import sys
import warnings
from pathlib import Path

import pytest

from jno.loggers import active_loggers, setup
from jno.utils import (
    Logger,
    _config,
    get_config,
    get_config_path,
    get_logger,
    get_precompute_bytes,
    get_rsa_private_key,
    get_rsa_public_key,
    get_runs_base_dir,
    get_seed,
    get_stop_on_nonfinite,
    init_default_logger,
    load_config,
)
from jno.utils._config import _user_file
from jno.utils.ad_mode import configured_ad_mode, get_ad_mode, get_hessian_mode, set_ad_mode


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a writer of ./.jno.toml in an empty working directory."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def write(text):
        (folder / ".jno.toml").write_text(text)
        load_config(force=True)
        return folder / ".jno.toml"

    return write


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Return a writer of the user's configuration file."""
    file = tmp_path / "home" / "config.toml"
    file.parent.mkdir()
    monkeypatch.setattr(_config, "_user_file", lambda: file)

    def write(text):
        file.write_text(text)
        return file

    return write


def test_user_file_is_in_the_home_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _user_file() == tmp_path / ".jno" / "config.toml"


def test_seed_precedence(project, user, monkeypatch):
    assert get_seed() == 42
    user("[jno]\nseed = 1\n")
    load_config(force=True)
    assert get_seed() == 1
    project("[jno]\nseed = 2\n")
    assert get_seed() == 2
    monkeypatch.setenv("JNO_SEED", "3")
    assert get_seed() == 3


def test_files_are_merged_per_key(project, user):
    user('[jno]\nseed = 1\ndiff_type = "forward"\n')
    project("[jno]\nseed = 2\n")
    assert get_config() == {"jno": {"seed": 2, "diff_type": "forward"}}


@pytest.mark.parametrize("text", ["abc", "1.5", ""])
def test_invalid_seed_variable(monkeypatch, text):
    monkeypatch.setenv("JNO_SEED", text)
    with pytest.raises(ValueError, match="Invalid JNO_SEED"):
        get_seed()


def test_configuration_is_cached_until_forced(project):
    file = project("[jno]\nseed = 1\n")
    file.write_text("[jno]\nseed = 2\n")
    assert get_seed() == 1
    assert load_config(force=True) == {"jno": {"seed": 2}}
    assert get_seed() == 2


def test_cache_belongs_to_the_working_directory(project, tmp_path, monkeypatch):
    project("[jno]\nseed = 1\n")
    assert get_seed() == 1
    monkeypatch.chdir(tmp_path)
    assert get_seed() == 42


def test_returned_configuration_is_a_copy(project):
    project("[jno]\nseed = 1\n")
    get_config()["jno"]["seed"] = 5
    assert get_seed() == 1


def test_config_path(project, user):
    assert get_config_path() is None
    home = user("[jno]\nseed = 1\n")
    assert get_config_path() == home
    here = project("[jno]\nseed = 2\n")
    assert get_config_path() == here


def test_unknown_setting_warns_once(project):
    with pytest.warns(UserWarning, match=r"\.jno\.toml: unknown setting \[jno\] sead .*known: seed, diff_type"):
        project("[jno]\nsead = 1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_config(force=True)


def test_unknown_table_warns(project):
    with pytest.warns(UserWarning, match=r"unknown setting \[jnoo\] .*known: \[jno\]"):
        project("[jnoo]\nseed = 1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[jno\nseed = 1", r"Malformed TOML in .*\.jno\.toml: .*line 1, column 5"),
        ("[jno]\nseed = 1.5", r"\[jno\] seed must be of type int, got 1\.5"),
        ("[jno]\nseed = true", r"\[jno\] seed must be of type int, got True"),
        ("[jno]\nstop_on_nonfinite = 1", "must be of type bool"),
        ("jno = 3", r"'jno' must be a table, written \[jno\], got 3"),
    ],
)
def test_wrong_configuration_file(project, text, message):
    with pytest.raises(ValueError, match=message):
        project(text)


def test_stop_on_nonfinite(project, monkeypatch):
    assert get_stop_on_nonfinite() is True
    project("[jno]\nstop_on_nonfinite = false\n")
    assert get_stop_on_nonfinite() is False
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", "1")
    assert get_stop_on_nonfinite() is True
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", "False")
    assert get_stop_on_nonfinite() is False
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", "maybe")
    with pytest.raises(ValueError, match="JNO_STOP_ON_NONFINITE; allowed: 1, true, 0, false"):
        get_stop_on_nonfinite()


def test_memory_for_what_is_computed_once(project, monkeypatch):
    assert get_precompute_bytes() == 512 * 2**20
    project("[jno]\nprecompute_mib = 3\n")
    assert get_precompute_bytes() == 3 * 2**20
    monkeypatch.setenv("JNO_PRECOMPUTE_MIB", "0")
    assert get_precompute_bytes() == 0
    for wrong in ("-1", "1.5", "much"):
        monkeypatch.setenv("JNO_PRECOMPUTE_MIB", wrong)
        with pytest.raises(ValueError, match="JNO_PRECOMPUTE_MIB; set a whole number of MiB, such as 512"):
            get_precompute_bytes()
    monkeypatch.delenv("JNO_PRECOMPUTE_MIB")
    project("[jno]\nprecompute_mib = -1\n")
    with pytest.raises(ValueError, match=r"precompute_mib must be at least 0, got -1"):
        get_precompute_bytes()


def test_runs_base_dir(project, monkeypatch):
    assert get_runs_base_dir() == "./runs"
    project('[runs]\nbase_dir = "results"\n')
    assert get_runs_base_dir() == "results"
    monkeypatch.setenv("JNO_LOG_DIR", "/elsewhere")
    assert get_runs_base_dir() == "/elsewhere"


def test_rsa_keys(project, monkeypatch):
    assert get_rsa_public_key() is None
    assert get_rsa_private_key() is None
    project('[rsa]\npath = "/keys"\nprivate_key = "/own/private.pem"\n')
    assert get_rsa_public_key() == "/keys/public.pem"
    assert get_rsa_private_key() == "/own/private.pem"
    monkeypatch.setenv("JNO_RSA_PATH", "/environment")
    assert get_rsa_private_key() == "/environment/private.pem"
    monkeypatch.setenv("JNO_RSA_PUBLIC_KEY", "/single.pem")
    assert get_rsa_public_key() == "/single.pem"


# --- setup --------------------------------------------------------------------------------


def test_setup_creates_the_run_directory(tmp_path, capsys):
    run = setup(tmp_path / "poisson.py")
    assert run == str(tmp_path.resolve() / "runs" / "poisson")
    assert Path(run).is_dir()
    get_logger().info("hello")
    assert capsys.readouterr().out == "INFO: hello\n"
    assert (Path(run) / "log.log").read_text().endswith("jno INFO: hello\n")


def test_setup_name_and_base_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("JNO_LOG_DIR", str(tmp_path / "logs"))
    assert setup(str(tmp_path / "a.py"), name="first") == str(tmp_path.resolve() / "logs" / "first")


def test_setup_differentiation_modes(tmp_path, project):
    script = tmp_path / "a.py"
    setup(script)
    assert configured_ad_mode() is None
    setup(script, diff_type="forward", hessian_type="rev-over-fwd")
    assert (get_ad_mode(), get_hessian_mode()) == ("forward", "rev-over-fwd")
    setup(script)
    assert get_ad_mode() == "forward"

    project('[jno]\ndiff_type = "forward"\n')
    set_ad_mode("reverse")
    setup(script)
    assert get_ad_mode() == "forward"
    setup(script, diff_type="reverse")
    assert get_ad_mode() == "reverse"


def test_setup_rejects(tmp_path, monkeypatch):
    script = tmp_path / "a.py"
    with pytest.raises(ValueError, match='allowed: "forward", "reverse"'):
        setup(script, diff_type="upward")
    with pytest.raises(ValueError, match='allowed: "forward", "reverse"'):
        setup(script, diff_type="")
    with pytest.raises(ValueError, match="needs a run name"):
        setup(script, name="")
    monkeypatch.setenv("JNO_SEED", "x")
    with pytest.raises(ValueError, match="Invalid JNO_SEED"):
        setup(script)
    assert not (tmp_path / "runs").exists()


def test_setup_without_wandb_goes_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    message = r"setup\(wandb=True\): .*pip install 'jno-jax\[wandb\]'.* Training goes on without"
    with pytest.warns(UserWarning, match=message):
        run = setup(tmp_path / "a.py", wandb=True)
    assert Path(run).is_dir()
    assert active_loggers() == ()


# --- logger --------------------------------------------------------------------------------


def test_logger_levels(tmp_path, capsys):
    logger = Logger(tmp_path / "run")
    emitters = (logger.info, logger.warning, logger.error, logger.critical, logger.debug, logger.quiet)
    for emit in emitters:
        emit(emit.__name__)
    logger("called")
    console = capsys.readouterr().out.splitlines()
    assert console == [
        "INFO: info",
        "WARNING: warning",
        "ERROR: error",
        "CRITICAL: critical",
        "INFO: called",
    ]
    lines = (tmp_path / "run" / "log.log").read_text().splitlines()
    assert [line.split("jno ", 1)[1] for line in lines] == [
        *console[:4],
        "DEBUG: debug",
        "INFO: quiet",
        console[4],
    ]
    assert logger.path == tmp_path / "run"


def test_a_full_disk_does_not_stop_what_logs(tmp_path, capsys):
    file = tmp_path / "log.log"
    file.symlink_to("/dev/full")
    logger = Logger(tmp_path)
    with pytest.warns(UserWarning, match=r"messages cannot be written to '.*log\.log' \(No space left on device\)"):
        logger.info("first")
    logger.info("second")  # said once
    assert capsys.readouterr().out == "INFO: first\nINFO: second\n"
    file.unlink()
    logger.info("third")
    assert file.read_text().endswith("INFO: third\n")


def test_logger_verbose_shows_debug(capsys):
    Logger(verbose=True).debug("detail")
    assert capsys.readouterr().out == "DEBUG: detail\n"


def test_logger_once(tmp_path, capsys):
    logger = Logger(tmp_path)
    for _ in range(2):
        logger.once("slow path")
        logger.once("careful", level="warning")
        logger.once("detail", level="debug")
    assert capsys.readouterr().out == "INFO: slow path\nWARNING: careful\n"
    assert (tmp_path / "log.log").read_text().count("DEBUG: detail\n") == 1
    with pytest.raises(ValueError, match="Invalid level 'loud'; allowed: info, warning, debug"):
        logger.once("x", level="loud")


def test_logger_destinations(tmp_path, capsys):
    Logger(tmp_path / "a", (True, False)).info("file")
    Logger(tmp_path / "b", (False, True)).info("console")
    assert capsys.readouterr().out == "INFO: console\n"
    assert (tmp_path / "a" / "log.log").exists()
    assert not (tmp_path / "b" / "log.log").exists()


def test_logger_file_name_and_close(tmp_path, capsys):
    logger = Logger(tmp_path / "train.log", name="mine")
    logger.info("one")
    logger.close()
    logger.info("two")
    assert (tmp_path / "train.log").read_text().endswith("mine INFO: one\n")
    assert capsys.readouterr().out == "INFO: one\nINFO: two\n"


def test_logger_rejects_a_file_as_directory(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(ValueError, match="is a file; give a directory"):
        Logger(tmp_path / "data")


def test_logger_is_picklable(tmp_path, capsys):
    copy = pickle.loads(pickle.dumps(Logger(tmp_path)))
    copy.info("again")
    assert capsys.readouterr().out == "INFO: again\n"
    assert (tmp_path / "log.log").read_text().endswith("INFO: again\n")


def test_default_logger(tmp_path):
    first = get_logger()
    assert first.file is None
    assert get_logger() is first
    second = init_default_logger(path=tmp_path)
    assert get_logger() is second
    assert init_default_logger(path=tmp_path) is second
    assert init_default_logger(path=tmp_path, force=True) is not second
    assert init_default_logger(path=tmp_path / "other").file == tmp_path / "other" / "log.log"
