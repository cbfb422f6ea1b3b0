"""Schedules of learning rates and loss weights, and loss balancers: small strategies that training calls."""

from ._balancer import Balancer as Balancer
from ._dlrs import DLRS as DLRS
from ._dwa import DWA as DWA
from ._first_magnitude import FirstMagnitude as FirstMagnitude
from ._lbpinns import LbPINNsLossBalancing as LbPINNsLossBalancing
from ._norms import GradientNormBalanced as GradientNormBalanced
from ._norms import NTKBalanced as NTKBalanced
from ._relobralo import ReLoBRaLo as ReLoBRaLo
from ._rlw import RLW as RLW
from ._schedules import LearningRateSchedule as LearningRateSchedule
from ._schedules import WeightSchedule as WeightSchedule
from ._softadapt import SoftAdapt as SoftAdapt
