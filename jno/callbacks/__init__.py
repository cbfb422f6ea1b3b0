"""Callbacks of `core.solve`: what the loss and the networks look like while they train, and when to stop.

``jno.core([...]).solve(1000, callbacks=[norms := jno.callbacks.gradient_norms(interval=50)])``, then ``norms.value``,
``norms.result`` and ``norms.plot()``. Those that measure are in `jno.trackers` as well. They look at the problem with
all its samples and points, and change nothing about the training. `engd` alone changes it: it makes gradients natural.
"""

from jno.utils import CheckpointCallback as CheckpointCallback
from jno.utils import CheckpointCallback as checkpoint

from ._analysis import Analysis as Analysis
from ._cos_similarity import CosSimilarity as CosSimilarity
from ._cos_similarity import CosSimilarity as cos_similarity
from ._early_stopping import EarlyStopping as EarlyStopping
from ._early_stopping import EarlyStopping as early_stopping
from ._energy_natural_gradient import EnergyNaturalGradient as EnergyNaturalGradient
from ._energy_natural_gradient import EnergyNaturalGradient as engd
from ._gradient_alignment import GradientAlignment as GradientAlignment
from ._gradient_alignment import GradientAlignment as gradient_alignment
from ._gradient_norms import GradientNorms as GradientNorms
from ._gradient_norms import GradientNorms as gradient_norms
from ._hessian_spectrum import HessianSpectrum as HessianSpectrum
from ._hessian_spectrum import HessianSpectrum as hessian_spectrum
from ._input_sensitivity import InputSensitivity as InputSensitivity
from ._input_sensitivity import InputSensitivity as input_sensitivity
from ._loss_landscape import LossLandscape as LossLandscape
from ._loss_landscape import LossLandscape as loss_landscape
from ._ntk_spectrum import NTKSpectrum as NTKSpectrum
from ._ntk_spectrum import NTKSpectrum as ntk_spectrum
from ._residual_stats import ResidualStats as ResidualStats
from ._residual_stats import ResidualStats as residual_stats

__all__ = [
    "Analysis",
    "CheckpointCallback",
    "CosSimilarity",
    "EarlyStopping",
    "EnergyNaturalGradient",
    "GradientAlignment",
    "GradientNorms",
    "HessianSpectrum",
    "InputSensitivity",
    "LossLandscape",
    "NTKSpectrum",
    "ResidualStats",
    "checkpoint",
    "cos_similarity",
    "early_stopping",
    "engd",
    "gradient_alignment",
    "gradient_norms",
    "hessian_spectrum",
    "input_sensitivity",
    "loss_landscape",
    "ntk_spectrum",
    "residual_stats",
]
