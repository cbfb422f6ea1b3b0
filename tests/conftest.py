"""Every annotation in jno is checked at run time; every test starts from default settings."""

import os
import sys

# Byte code is kept, whatever the machine's default: else every process of these tests compiles the library and its
# tests anew, which takes a second for the library as it is and several with the checks of annotations.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import annotation_checks
import pytest
from hypothesis import settings

# before the first import of jno
annotation_checks.install()

import jno
from jno.utils import _compilation_cache, _config, _logger
from jno.utils.ad_mode import reset_ad_mode

settings.register_profile("jno", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("jno")

_ENVIRONMENT = (
    "JNO_SEED",
    "JNO_LOG_DIR",
    "JNO_STOP_ON_NONFINITE",
    "JNO_COMPILATION_CACHE",
    "JNO_RSA_PUBLIC_KEY",
    "JNO_RSA_PRIVATE_KEY",
    "JNO_RSA_PATH",
)


pytest_plugins = ["compilations"]


@pytest.fixture(autouse=True)
def _default_settings(monkeypatch, tmp_path_factory):
    """No JNO_* variable, no configuration file of the developer, default AD modes, console-only logger."""
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    missing = tmp_path_factory.getbasetemp() / "no-such-config.toml"
    monkeypatch.setattr(_config, "_user_file", lambda: missing)
    _reset()
    yield
    _reset()


@pytest.fixture
def settings_files(tmp_path, monkeypatch):
    """Return a function that writes the user's file and that of the working directory, ``tmp_path / "project"``."""
    home, folder = tmp_path / "home" / ".jno", tmp_path / "project"
    home.mkdir(parents=True)
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(_config, "_user_file", lambda: home / "config.toml")

    def write(user="", project=""):
        (home / "config.toml").write_text(user)
        (folder / ".jno.toml").write_text(project)
        _config.forget_config()

    return write


@pytest.fixture(scope="module")
def square():
    """A square of nine nodes and the variables of its interior."""
    domain = jno.domain.rect(mesh_size=0.5)
    return domain, domain.variable("interior")


@pytest.fixture
def xy(square):
    """The variables of space."""
    return square[1][:2]


def _reset():
    _config.forget_config()
    _compilation_cache.forget_cache()
    reset_ad_mode()
    _logger._default.logger = None
