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

from jno import _adaptive_losses as adaptive  # noqa: F401  a name of this module
from jno import _symbolic
from jno._losses import cauchy as cauchy
from jno._losses import cosine_similarity as cosine_similarity
from jno._losses import gradient_alignment as gradient_alignment
from jno._losses import huber as huber
from jno._losses import linf as linf
from jno._losses import log_cosh as log_cosh
from jno._losses import mae as mae
from jno._losses import mape as mape
from jno._losses import mse as mse
from jno._losses import nmse as nmse
from jno._losses import quantile as quantile
from jno._losses import relative_l1 as relative_l1
from jno._losses import relative_l2 as relative_l2
from jno._losses import rmse as rmse
from jno._losses import smooth_l1 as smooth_l1
from jno._losses import stop_gradient as stop_gradient
from jno._pdes import advection as advection
from jno._pdes import advection_diffusion_reaction as advection_diffusion_reaction
from jno._pdes import allen_cahn as allen_cahn
from jno._pdes import biharmonic as biharmonic
from jno._pdes import burgers_1d as burgers_1d
from jno._pdes import burgers_inviscid_1d as burgers_inviscid_1d
from jno._pdes import cahn_hilliard as cahn_hilliard
from jno._pdes import continuity as continuity
from jno._pdes import diffusion as diffusion
from jno._pdes import fisher_kpp as fisher_kpp
from jno._pdes import heat as heat
from jno._pdes import helmholtz as helmholtz
from jno._pdes import maxwell_3d as maxwell_3d
from jno._pdes import navier_stokes_incompressible_2d as navier_stokes_incompressible_2d
from jno._pdes import poisson as poisson
from jno._pdes import wave as wave
from jno._symbolic import abs as abs
from jno._symbolic import arccos as arccos
from jno._symbolic import arccosh as arccosh
from jno._symbolic import arcsin as arcsin
from jno._symbolic import arcsinh as arcsinh
from jno._symbolic import arctan as arctan
from jno._symbolic import arctan2 as arctan2
from jno._symbolic import arctanh as arctanh
from jno._symbolic import atan2 as atan2
from jno._symbolic import cbrt as cbrt
from jno._symbolic import ceil as ceil
from jno._symbolic import concat as concat
from jno._symbolic import concatenate as concatenate
from jno._symbolic import cos as cos
from jno._symbolic import cosh as cosh
from jno._symbolic import cross as cross
from jno._symbolic import dot as dot
from jno._symbolic import exp as exp
from jno._symbolic import exp2 as exp2
from jno._symbolic import expm1 as expm1
from jno._symbolic import floor as floor
from jno._symbolic import log as log
from jno._symbolic import log1p as log1p
from jno._symbolic import log2 as log2
from jno._symbolic import log10 as log10
from jno._symbolic import matmul as matmul
from jno._symbolic import max as max
from jno._symbolic import maximum as maximum
from jno._symbolic import mean as mean
from jno._symbolic import median as median
from jno._symbolic import min as min
from jno._symbolic import minimum as minimum
from jno._symbolic import norm as norm
from jno._symbolic import power as power
from jno._symbolic import prod as prod
from jno._symbolic import round as round
from jno._symbolic import sign as sign
from jno._symbolic import sin as sin
from jno._symbolic import sinh as sinh
from jno._symbolic import sqrt as sqrt
from jno._symbolic import square as square
from jno._symbolic import stack as stack
from jno._symbolic import std as std
from jno._symbolic import sum as sum
from jno._symbolic import tan as tan
from jno._symbolic import tanh as tanh
from jno._symbolic import var as var
from jno._symbolic import vector as vector
from jno._symbolic import where as where
from jno.trace import FunctionCall


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
    return _symbolic.function(fn, args, name, reduces_axis)


class _CallableModule(types.ModuleType):
    """A module that can be called."""

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
