"""jNO: partial differential equations with neural networks, written as on paper.

Write domains, networks, derivatives and residuals as expressions; ``jno.core([...])`` compiles them once into one
JAX function that trains (``solve``) and evaluates (``eval``).
"""

import sys
from importlib.metadata import PackageNotFoundError, version

from . import bayesian as bayesian
from . import callbacks as callbacks
from . import fn as fn
from . import jnp_ops as np
from . import loggers as loggers
from . import lora as lora
from . import noise as noise
from . import optimizers as optimizers
from . import sampler as sampler
from . import schedule as schedule
from . import trackers as trackers
from . import tuner as tuner
from .adaptive import LearningRateSchedule as LearningRateSchedule
from .adaptive import WeightSchedule as WeightSchedule
from .architectures import nn as nn
from .architectures import parameter as parameter
from .core import core as core
from .differential_operators import DifferentialOperators as DifferentialOperators
from .domain import domain as domain
from .export import iree as iree
from .integration_operators import IntegrationOperators as IntegrationOperators
from .loggers import setup as setup
from .loggers import wandb_finish as wandb_finish
from .trace import Hessian as Hessian
from .trace import Integral as Integral
from .trace import IntegralTime as IntegralTime
from .trace import Jacobian as Jacobian
from .trace import Model as Model
from .trace import NetworkGradient as NetworkGradient
from .trace import Placeholder as Placeholder
from .trace import Variable as Variable
from .trace import lag as lag
from .training import NonFiniteLossWarning as NonFiniteLossWarning
from .training import SamplingWarning as SamplingWarning
from .utils import Callback as Callback
from .utils import Logger as Logger
from .utils import SignatureError as SignatureError
from .utils import get_config as get_config
from .utils import get_config_path as get_config_path
from .utils import get_rsa_private_key as get_rsa_private_key
from .utils import get_rsa_public_key as get_rsa_public_key
from .utils import get_runs_base_dir as get_runs_base_dir
from .utils import get_seed as get_seed
from .utils import init_default_logger as logger
from .utils import load as load
from .utils import load_config as load_config
from .utils import save as save
from .weak import fem as fem

numpy = np
# `import jno.numpy` finds the same module; a file numpy.py would hide NumPy from scripts run in this folder
sys.modules[f"{__name__}.numpy"] = np
do = domain

try:
    __version__ = version("jno-jax")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "unknown"

__all__ = [
    "Callback",
    "DifferentialOperators",
    "Hessian",
    "Integral",
    "IntegralTime",
    "IntegrationOperators",
    "Jacobian",
    "LearningRateSchedule",
    "Logger",
    "Model",
    "NetworkGradient",
    "NonFiniteLossWarning",
    "Placeholder",
    "SamplingWarning",
    "SignatureError",
    "Variable",
    "WeightSchedule",
    "bayesian",
    "callbacks",
    "core",
    "do",
    "domain",
    "fem",
    "fn",
    "get_config",
    "get_config_path",
    "get_rsa_private_key",
    "get_rsa_public_key",
    "get_runs_base_dir",
    "get_seed",
    "iree",
    "lag",
    "load",
    "load_config",
    "logger",
    "loggers",
    "lora",
    "nn",
    "noise",
    "np",
    "numpy",
    "optimizers",
    "parameter",
    "sampler",
    "save",
    "schedule",
    "setup",
    "trackers",
    "tuner",
    "wandb_finish",
]
