"""Resampling strategies: they replace the collocation points during training.

Given to `domain.variable(tag, sample, resampling_strategy=...)`; the lower-case names are the classes themselves.
`graded` is not one of them: it says where points are drawn in the first place, `sample=(n, graded(near))`.
"""

from ._cr3 import CausalR3 as CausalR3
from ._cr3 import CausalR3 as cr3
from ._graded import Graded as Graded
from ._graded import Graded as graded
from ._graded import Place as Place
from ._ha import HybridAdaptive as HybridAdaptive
from ._ha import HybridAdaptive as ha
from ._next_points import check_strategy as check_strategy
from ._next_points import next_points as next_points
from ._pinnfluence import PINNfluence as PINNfluence
from ._pinnfluence import PINNfluence as pinnfluence
from ._r3 import R3 as R3
from ._r3 import R3 as r3
from ._rad import RAD as RAD
from ._rad import RAD as rad
from ._random import RandomResampling as RandomResampling
from ._random import RandomResampling as random
from ._rard import RARD as RARD
from ._rard import RARD as rard
from ._situation import Situation as Situation
from ._strategy import ResamplingStrategy as ResamplingStrategy

__all__ = [
    "R3",
    "RAD",
    "RARD",
    "CausalR3",
    "Graded",
    "HybridAdaptive",
    "PINNfluence",
    "RandomResampling",
    "ResamplingStrategy",
    "Situation",
    "cr3",
    "graded",
    "ha",
    "pinnfluence",
    "r3",
    "rad",
    "random",
    "rard",
]
