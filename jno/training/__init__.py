"""Training: one loop, small strategies."""

from ._devices import Devices as Devices
from ._groups import OptimizerGroup as OptimizerGroup
from ._groups import as_transform as as_transform
from ._loop import NonFiniteLossWarning as NonFiniteLossWarning
from ._loop import all_finite as all_finite
from ._memory import Memory as Memory
from ._posterior_draws import SamplingWarning as SamplingWarning
from ._scales import as_scale as as_scale
from ._solver import Solver as Solver
from ._state import TrainState as TrainState
from ._step import Step as Step
from ._view import FurtherSteps as FurtherSteps
from ._view import TrainingView as TrainingView
