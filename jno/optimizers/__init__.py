"""Optimizers for networks that solve equations, as plain optax transforms.

- ``ssbfgs``, ``ssbroyden``: self-scaled quasi-Newton methods with a line search, for float64 and small networks.
- ``soap``: Adam in the eigenbasis of Shampoo's preconditioner.
- ``md``: any optimizer on the directions of the weight matrices, beside gains per row and column.
- ``stages``: several optimizers one after the other.
- ``engd``: least-squares steps for constraints that are mean squares.

Example:
    >>> import jax, optax
    >>> from jno.optimizers import ssbroyden
    >>> optimizer = ssbroyden()
    >>> optimizer.init({"w": jax.numpy.zeros(3)})[0].inverse_hessian.shape
    (3, 3)
"""

from ._engd import engd as engd
from ._forms import as_transformation as as_transformation
from ._jacobian import jacobian as jacobian
from ._limited_memory import with_pairs_of_one_loss as with_pairs_of_one_loss
from ._line_search import ssbfgs as ssbfgs
from ._line_search import ssbroyden as ssbroyden
from ._md import MDOptimizer as MDOptimizer
from ._md import md as md
from ._md import md_decouple as md_decouple
from ._quasi_newton import scale_by_ss_quasi_newton as scale_by_ss_quasi_newton
from ._slow_starts import SLOW_STEPS as SLOW_STEPS
from ._slow_starts import slow_start as slow_start
from ._soap import scale_by_soap as scale_by_soap
from ._soap import soap as soap
from ._stages import Stage as Stage
from ._stages import stages as stages
from ._whole_steps import minimises_every_step as minimises_every_step

__all__ = [
    "MDOptimizer",
    "Stage",
    "engd",
    "md",
    "md_decouple",
    "scale_by_soap",
    "scale_by_ss_quasi_newton",
    "soap",
    "ssbfgs",
    "ssbroyden",
    "stages",
]
