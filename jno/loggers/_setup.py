"""jno.setup: the first line of a script."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from jno.utils import (
    FLAG,
    PATH,
    TEXT,
    checked,
    get_runs_base_dir,
    get_seed,
    get_setting,
    init_default_logger,
    set_network_seed,
    start_cache,
    start_configured_cache,
    stop_cache,
    user_path,
)
from jno.utils.ad_mode import set_ad_mode, set_hessian_mode

from ._active import install_wandb, wandb_finish
from ._wandb_logger import WandbLogger


@checked(script_file=PATH, name=TEXT, wandb=FLAG, diff_type=TEXT, hessian_type=TEXT, compilation_cache=FLAG)
def setup(
    script_file: str | os.PathLike[str],
    name: str | None = None,
    wandb: bool = False,
    diff_type: str | None = None,
    hessian_type: str | None = None,
    *,
    compilation_cache: bool | None = None,
) -> str:
    """Prepare a script's run: its directory, its log file and its differentiation defaults.

    The run directory is `<base>/<name>` with `base` from `jno.get_runs_base_dir` (relative ones are
    relative to the script's folder). It is created, and the process-wide logger writes to `log.log` in it.
    A Weights & Biases run that an earlier call began is finished, and the seed of networks is that of the configuration
    again (see `jno.architectures.models.set_default_rng_seed`).

    Args:
        script_file: the script, usually `__file__`.
        name: name of the run; default: the script's file name without its extension.
        wandb: let every training of this process log to one Weights & Biases run (see `jno.loggers.wandb`), with
            the script's file name without its extension as project and the name of the run as its name. Needs
            `pip install 'jno-jax[wandb]'`. `jno.wandb_finish` ends it. Default False.
        diff_type: default of first-order AD, `"forward"` or `"reverse"`; default: `[jno] diff_type` of the
            configuration files, else the current value stays.
        hessian_type: default of second-order AD, e.g. `"fwd-over-rev"`; default likewise.
        compilation_cache: keep compiled programs on disk, so that the next start of the script compiles nothing (at
            most 1 GiB in the user's cache folder, which nobody else can write; see the page "Training"). Default:
            `JNO_COMPILATION_CACHE`, else `[jno] compilation_cache` of the configuration files, else False.

    Returns:
        The run directory, an absolute path.

    Raises:
        ValueError: empty `name`, unknown `diff_type` / `hessian_type`, or an invalid `JNO_SEED`;
            `compilation_cache=True`, and others can write the folder.
        OSError: `compilation_cache=True`, and the folder cannot be made.

    Warns:
        UserWarning: `wandb=True`, but wandb is not installed; training then goes on without it. Likewise where the
            configuration asks for the compilation cache, and its folder cannot be used.

    Example:
        >>> import jno, tempfile, os
        >>> folder = tempfile.mkdtemp()
        >>> run = jno.setup(os.path.join(folder, "poisson.py"))
        >>> os.path.relpath(run, folder)
        'runs/poisson'
    """
    script = user_path(script_file)
    run_name = script.stem if name is None else name
    if not run_name:
        raise ValueError(f"jno.setup needs a run name: script_file={script_file!r}, name={name!r}.")
    get_seed()  # an invalid JNO_SEED shall be found now, not at the first random number
    set_network_seed(None)
    if compilation_cache is None:
        start_configured_cache()
    elif compilation_cache:
        start_cache()
    else:
        stop_cache()

    first_order = get_setting("jno", "diff_type") if diff_type is None else diff_type
    second_order = get_setting("jno", "hessian_type") if hessian_type is None else hessian_type
    for option, mode, set_mode in (
        ("diff_type", first_order, set_ad_mode),
        ("hessian_type", second_order, set_hessian_mode),
    ):
        if mode is not None:
            _set(option, mode, set_mode)

    base = script.absolute().parent / get_runs_base_dir()
    run_directory = (base / run_name).resolve()
    run_directory.mkdir(parents=True, exist_ok=True)
    init_default_logger(path=run_directory, force=True)
    wandb_finish()
    if wandb:
        try:
            install_wandb(WandbLogger(script.stem, name=run_name, dir=str(run_directory)))
        except ImportError as error:
            warnings.warn(f"jno.setup(wandb=True): {error} Training goes on without it.", stacklevel=2)
    return str(run_directory)


def _set(option: str, mode: str, set_mode: Callable[[str], None]) -> None:
    try:
        set_mode(mode)
    except ValueError as error:
        raise ValueError(f"{error} (jno.setup({option}=...), or {option} in .jno.toml)") from error
