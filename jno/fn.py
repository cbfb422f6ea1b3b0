"""Function helpers (`jno.fn`): ``jno.fn.sin(u)``, ``jno.fn.mse(pred, target)``, ``jno.fn.heat(u, t, x)``.

The module is callable: ``jno.fn(my_function, [u, v])`` wraps an arbitrary function into the trace.

- Math: ``sin``, ``cos``, ``exp``, ``log``, ``sqrt``, ``abs``, ... as in ``jno.np``.
- Losses: ``mse``, ``mae``, ``rmse``, ``huber``, ``log_cosh``, ``relative_l2``, ... of a prediction and a
  target: scalars.
- Residuals of equations, left side minus right side: ``poisson``, ``heat``, ``wave``, ``burgers_1d``, ...
  Each takes the keyword ``scheme`` for all its derivatives.

Example:
    >>> import jno
    >>> from jno.trace import Variable
    >>> u = Variable("interior", [0, 1], None)
    >>> jno.fn(lambda a, b: a**2 + b, [u, 1.0], name="my_op")
    my_op(Var(interior[[0, 1]]), 1.0)
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from jno import symbolic
from jno.adaptive import losses as adaptive  # noqa: F401  a name of this module
from jno.symbolic import abs as abs
from jno.symbolic import arccos as arccos
from jno.symbolic import arccosh as arccosh
from jno.symbolic import arcsin as arcsin
from jno.symbolic import arcsinh as arcsinh
from jno.symbolic import arctan as arctan
from jno.symbolic import arctan2 as arctan2
from jno.symbolic import arctanh as arctanh
from jno.symbolic import atan2 as atan2
from jno.symbolic import causal as causal
from jno.symbolic import causal_weights as causal_weights
from jno.symbolic import cbrt as cbrt
from jno.symbolic import ceil as ceil
from jno.symbolic import concat as concat
from jno.symbolic import concatenate as concatenate
from jno.symbolic import cos as cos
from jno.symbolic import cosh as cosh
from jno.symbolic import cross as cross
from jno.symbolic import dot as dot
from jno.symbolic import exp as exp
from jno.symbolic import exp2 as exp2
from jno.symbolic import expm1 as expm1
from jno.symbolic import floor as floor
from jno.symbolic import log as log
from jno.symbolic import log1p as log1p
from jno.symbolic import log2 as log2
from jno.symbolic import log10 as log10
from jno.symbolic import matmul as matmul
from jno.symbolic import max as max
from jno.symbolic import maximum as maximum
from jno.symbolic import mean as mean
from jno.symbolic import median as median
from jno.symbolic import min as min
from jno.symbolic import minimum as minimum
from jno.symbolic import norm as norm
from jno.symbolic import power as power
from jno.symbolic import prod as prod
from jno.symbolic import round as round
from jno.symbolic import sign as sign
from jno.symbolic import sin as sin
from jno.symbolic import sinh as sinh
from jno.symbolic import sqrt as sqrt
from jno.symbolic import square as square
from jno.symbolic import stack as stack
from jno.symbolic import std as std
from jno.symbolic import sum as sum
from jno.symbolic import tan as tan
from jno.symbolic import tanh as tanh
from jno.symbolic import var as var
from jno.symbolic import vector as vector
from jno.symbolic import where as where
from jno.symbolic.losses import cauchy as cauchy
from jno.symbolic.losses import cosine_similarity as cosine_similarity
from jno.symbolic.losses import gradient_alignment as gradient_alignment
from jno.symbolic.losses import huber as huber
from jno.symbolic.losses import linf as linf
from jno.symbolic.losses import log_cosh as log_cosh
from jno.symbolic.losses import mae as mae
from jno.symbolic.losses import mape as mape
from jno.symbolic.losses import mse as mse
from jno.symbolic.losses import nmse as nmse
from jno.symbolic.losses import quantile as quantile
from jno.symbolic.losses import relative_l1 as relative_l1
from jno.symbolic.losses import relative_l2 as relative_l2
from jno.symbolic.losses import rmse as rmse
from jno.symbolic.losses import smooth_l1 as smooth_l1
from jno.symbolic.losses import stop_gradient as stop_gradient
from jno.symbolic.pdes import advection as advection
from jno.symbolic.pdes import advection_diffusion_reaction as advection_diffusion_reaction
from jno.symbolic.pdes import allen_cahn as allen_cahn
from jno.symbolic.pdes import biharmonic as biharmonic
from jno.symbolic.pdes import burgers_1d as burgers_1d
from jno.symbolic.pdes import burgers_inviscid_1d as burgers_inviscid_1d
from jno.symbolic.pdes import cahn_hilliard as cahn_hilliard
from jno.symbolic.pdes import continuity as continuity
from jno.symbolic.pdes import diffusion as diffusion
from jno.symbolic.pdes import fisher_kpp as fisher_kpp
from jno.symbolic.pdes import heat as heat
from jno.symbolic.pdes import helmholtz as helmholtz
from jno.symbolic.pdes import maxwell_3d as maxwell_3d
from jno.symbolic.pdes import navier_stokes_incompressible_2d as navier_stokes_incompressible_2d
from jno.symbolic.pdes import poisson as poisson
from jno.symbolic.pdes import wave as wave
from jno.trace import FunctionCall
from jno.utils import FUNCTION, TEXT, checked, integer


def _module_call(
    fn: Callable[..., Any],
    args: Any = [],  # noqa: B006  the documented default; nobody changes it
    name: str = "",
    reduces_axis: int | None = None,
) -> FunctionCall:
    """Wrap an arbitrary function into the trace; what calling the module does.  See ``jno.np.function``.

    Args:
        fn: any callable ``(*arrays) -> array``.
        args: list of argument expressions. Default: none.
        name: display name in the expression tree. Default: the function's own.
        reduces_axis: the axis the function reduces, if any. Default None.

    Returns:
        `FunctionCall` node.

    Raises:
        TypeError: ``fn`` is not callable, or ``args`` is not a list.

    Example:
        >>> import jno
        >>> jno.fn(lambda a, b: a**2 + b, [1.0, 2.0], name="my_op")
        my_op(1.0, 2.0)
    """
    return symbolic.function(fn, args, name, reduces_axis)


class _CallableModule(types.ModuleType):
    """A module that can be called."""

    @checked("jno.fn", fn=FUNCTION, name=TEXT, reduces_axis=integer(-64, 64))
    def __call__(
        self,
        fn: Callable[..., Any],
        args: Any = [],  # noqa: B006  as above
        name: str = "",
        reduces_axis: int | None = None,
    ) -> FunctionCall:
        """See `_module_call`."""
        return _module_call(fn, args, name, reduces_axis)


sys.modules[__name__].__class__ = _CallableModule
