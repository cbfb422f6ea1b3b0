"""The loggers that every training of this process uses, beside those given to `solve`."""

from __future__ import annotations

from dataclasses import dataclass

from jno.utils import console_is_quiet

from ._metric_logger import MetricLogger
from ._wandb_logger import WandbLogger


@dataclass
class _Active:
    """The W&B run that `jno.setup` opened."""

    wandb: WandbLogger | None = None


_active = _Active()


def active_loggers() -> tuple[MetricLogger, ...]:
    """Return the process-wide metric loggers: that of `jno.setup(wandb=True)`, until `wandb_finish`.

    Trials of a sweep have none.

    Example:
        >>> from jno.loggers import active_loggers
        >>> active_loggers()
        ()
    """
    return () if _active.wandb is None or console_is_quiet() else (_active.wandb,)


def install_wandb(logger: WandbLogger) -> None:
    """Let every training of this process log to this run, as `jno.setup(wandb=True)` does; an earlier one is finished.

    Example:
        >>> import jno
        >>> jno.loggers.install_wandb(jno.loggers.wandb("poisson", entity="group"))  # doctest: +SKIP
    """
    wandb_finish()
    _active.wandb = logger


def wandb_finish() -> None:
    """Finish the Weights & Biases run that `jno.setup(wandb=True)` began; without one, do nothing.

    W&B does so by itself at the end of the process; call it in a notebook, or to go on without logging.

    Example:
        >>> import jno
        >>> jno.wandb_finish()
    """
    logger, _active.wandb = _active.wandb, None
    if logger is not None:
        logger.finish()
