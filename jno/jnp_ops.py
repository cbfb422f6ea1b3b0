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

from jno.architectures import Arch as Arch
from jno.architectures import ArchSpace as ArchSpace
from jno.architectures import tune as tune
from jno.symbolic import abs as abs
from jno.symbolic import antisym as antisym
from jno.symbolic import arccos as arccos
from jno.symbolic import arccosh as arccosh
from jno.symbolic import arcsin as arcsin
from jno.symbolic import arcsinh as arcsinh
from jno.symbolic import arctan as arctan
from jno.symbolic import arctan2 as arctan2
from jno.symbolic import arctanh as arctanh
from jno.symbolic import atan2 as atan2
from jno.symbolic import cbrt as cbrt
from jno.symbolic import ceil as ceil
from jno.symbolic import concat as concat
from jno.symbolic import concatenate as concatenate
from jno.symbolic import cos as cos
from jno.symbolic import cosh as cosh
from jno.symbolic import cross as cross
from jno.symbolic import curl_2d as curl_2d
from jno.symbolic import curl_3d as curl_3d
from jno.symbolic import div as div
from jno.symbolic import divergence as divergence
from jno.symbolic import dot as dot
from jno.symbolic import double_dot as double_dot
from jno.symbolic import einsum as einsum
from jno.symbolic import exp as exp
from jno.symbolic import exp2 as exp2
from jno.symbolic import expand_dims as expand_dims
from jno.symbolic import expm1 as expm1
from jno.symbolic import floor as floor
from jno.symbolic import function as function
from jno.symbolic import grad as grad
from jno.symbolic import hessian as hessian
from jno.symbolic import identity as identity
from jno.symbolic import inner as inner
from jno.symbolic import integrate as integrate
from jno.symbolic import interp as interp
from jno.symbolic import interpn as interpn
from jno.symbolic import isfinite as isfinite
from jno.symbolic import isnan as isnan
from jno.symbolic import jacobian as jacobian
from jno.symbolic import laplace as laplace
from jno.symbolic import laplacian as laplacian
from jno.symbolic import linalg as linalg
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
from jno.symbolic import parameter as parameter
from jno.symbolic import power as power
from jno.symbolic import prod as prod
from jno.symbolic import reshape as reshape
from jno.symbolic import round as round
from jno.symbolic import sign as sign
from jno.symbolic import sin as sin
from jno.symbolic import sinh as sinh
from jno.symbolic import sqrt as sqrt
from jno.symbolic import square as square
from jno.symbolic import squeeze as squeeze
from jno.symbolic import stack as stack
from jno.symbolic import std as std
from jno.symbolic import sum as sum
from jno.symbolic import sym as sym
from jno.symbolic import symgrad as symgrad
from jno.symbolic import tan as tan
from jno.symbolic import tanh as tanh
from jno.symbolic import trace as trace
from jno.symbolic import tracker as tracker
from jno.symbolic import transpose as transpose
from jno.symbolic import var as var
from jno.symbolic import vector as vector
from jno.symbolic import view_factor as view_factor
from jno.symbolic import where as where
from jno.symbolic.constants import ConstantNamespace as ConstantNamespace
from jno.symbolic.constants import constant as constant
from jno.trace import Choice

π = pi
choice = Choice


def __getattr__(name: str) -> Any:
    """``jno.np.nn``, the network builder, loaded on first use: most expressions need no networks."""
    if name == "nn":
        from jno.architectures.models import nn

        return nn
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
