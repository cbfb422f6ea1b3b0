"""Metric loggers: where losses and tracked values go while training runs, `core.solve(callbacks=[...])`.

- ``console()``: lines of the message logger.
- ``csv(path)``: a table, one row per epoch.
- ``tensorboard(directory)``: event files (``pip install 'jno-jax[tensorboard]'``).
- ``wandb(project)``: Weights & Biases (``pip install 'jno-jax[wandb]'``).

A destination of your own is a ``MetricLogger``.
"""

from ._active import active_loggers as active_loggers
from ._active import install_wandb as install_wandb
from ._active import wandb_finish as wandb_finish
from ._console_logger import ConsoleLogger as ConsoleLogger
from ._console_logger import ConsoleLogger as console
from ._csv_logger import CSVLogger as CSVLogger
from ._csv_logger import CSVLogger as csv
from ._metric_logger import MetricLogger as MetricLogger
from ._metric_logger import RunDescription as RunDescription
from ._names import distinct_names as distinct_names
from ._setup import setup as setup
from ._tensorboard_logger import TensorBoardLogger as TensorBoardLogger
from ._tensorboard_logger import TensorBoardLogger as tensorboard
from ._wandb_logger import WandbLogger as WandbLogger
from ._wandb_logger import WandbLogger as wandb

__all__ = [
    "CSVLogger",
    "ConsoleLogger",
    "MetricLogger",
    "RunDescription",
    "TensorBoardLogger",
    "WandbLogger",
    "active_loggers",
    "console",
    "csv",
    "distinct_names",
    "install_wandb",
    "tensorboard",
    "wandb",
    "wandb_finish",
]
