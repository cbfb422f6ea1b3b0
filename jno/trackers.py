"""The analysis callbacks of `jno.callbacks`, under the name of what they do: they record and train nothing."""

from jno.callbacks import cos_similarity as cos_similarity
from jno.callbacks import gradient_alignment as gradient_alignment
from jno.callbacks import gradient_norms as gradient_norms
from jno.callbacks import hessian_spectrum as hessian_spectrum
from jno.callbacks import input_sensitivity as input_sensitivity
from jno.callbacks import loss_landscape as loss_landscape
from jno.callbacks import ntk_spectrum as ntk_spectrum
from jno.callbacks import residual_stats as residual_stats
