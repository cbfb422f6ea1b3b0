"""Symbolic math (`jno.np`): a NumPy-like namespace whose functions build expressions instead of computing.

Functions take expressions, numbers and arrays and return nodes of the trace, which get values when a
``jno.core`` is built or ``.eval()`` is called.  Axes refer to the per-sample array: ``(N, D)``, points by
components.

- Constants: ``pi`` (``π``), ``e``, ``inf``, ``nan``; named ones with `constant`.
- Element-wise functions, reductions, shape changes, tensor algebra per point, `linalg`.
- Derivatives and integrals in function form: `grad`, `laplacian`, `divergence`, `symgrad`, `integrate`, ...
- `view_factor` makes an operator of the view factors between radiating surfaces.
- `interp` and `interpn` turn measured tables into expressions that can be differentiated.
- `function` wraps your own JAX function, `parameter` makes a trainable array, `nn` builds networks.
- `choice` leaves a decision between expressions to ``core.sweep``; `tune.space` is the space it searches.
- Creation functions and dtypes (`linspace`, `zeros`, `float32`, ...) are those of ``jax.numpy`` and return
  arrays.

Example:
    >>> import jno
    >>> from jno.trace import Variable
    >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
    >>> jno.np.sin(jno.np.pi * x) * jno.np.exp(-y)
    *(sin(…), exp(…))
"""

from __future__ import annotations

from typing import Any

from jax.numpy import arange as arange
from jax.numpy import array as array
from jax.numpy import asarray as asarray
from jax.numpy import bool_ as bool_
from jax.numpy import complex64 as complex64
from jax.numpy import complex128 as complex128
from jax.numpy import e as e
from jax.numpy import eye as eye
from jax.numpy import float32 as float32
from jax.numpy import float64 as float64
from jax.numpy import full as full
from jax.numpy import inf as inf
from jax.numpy import int32 as int32
from jax.numpy import int64 as int64
from jax.numpy import linspace as linspace
from jax.numpy import meshgrid as meshgrid
from jax.numpy import nan as nan
from jax.numpy import ones as ones
from jax.numpy import pi as pi
from jax.numpy import zeros as zeros

from jno import _tune
from jno._constants import ConstantNamespace as ConstantNamespace
from jno._constants import constant as constant
from jno._symbolic import abs as abs
from jno._symbolic import antisym as antisym
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
from jno._symbolic import curl_2d as curl_2d
from jno._symbolic import curl_3d as curl_3d
from jno._symbolic import div as div
from jno._symbolic import divergence as divergence
from jno._symbolic import dot as dot
from jno._symbolic import double_dot as double_dot
from jno._symbolic import einsum as einsum
from jno._symbolic import exp as exp
from jno._symbolic import exp2 as exp2
from jno._symbolic import expand_dims as expand_dims
from jno._symbolic import expm1 as expm1
from jno._symbolic import floor as floor
from jno._symbolic import function as function
from jno._symbolic import grad as grad
from jno._symbolic import hessian as hessian
from jno._symbolic import identity as identity
from jno._symbolic import inner as inner
from jno._symbolic import integrate as integrate
from jno._symbolic import interp as interp
from jno._symbolic import interpn as interpn
from jno._symbolic import isfinite as isfinite
from jno._symbolic import isnan as isnan
from jno._symbolic import jacobian as jacobian
from jno._symbolic import laplace as laplace
from jno._symbolic import laplacian as laplacian
from jno._symbolic import linalg as linalg
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
from jno._symbolic import parameter as parameter
from jno._symbolic import power as power
from jno._symbolic import prod as prod
from jno._symbolic import reshape as reshape
from jno._symbolic import round as round
from jno._symbolic import sign as sign
from jno._symbolic import sin as sin
from jno._symbolic import sinh as sinh
from jno._symbolic import sqrt as sqrt
from jno._symbolic import square as square
from jno._symbolic import squeeze as squeeze
from jno._symbolic import stack as stack
from jno._symbolic import std as std
from jno._symbolic import sum as sum
from jno._symbolic import sym as sym
from jno._symbolic import symgrad as symgrad
from jno._symbolic import tan as tan
from jno._symbolic import tanh as tanh
from jno._symbolic import trace as trace
from jno._symbolic import tracker as tracker
from jno._symbolic import transpose as transpose
from jno._symbolic import var as var
from jno._symbolic import vector as vector
from jno._symbolic import view_factor as view_factor
from jno._symbolic import where as where
from jno.architectures import Arch as Arch
from jno.architectures import ArchSpace as ArchSpace
from jno.trace import Choice

π = pi
choice = Choice
tune = _tune


def __getattr__(name: str) -> Any:
    """``jno.np.nn``, the network builder, loaded on first use: most expressions need no networks."""
    if name == "nn":
        from jno.architectures.models import nn

        return nn
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
