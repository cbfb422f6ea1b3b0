"""Residuals with a Laplacian: elliptic, parabolic and wave equations."""

from __future__ import annotations

from typing import Any

from jno.trace import OPERAND, VARIABLE, Placeholder, as_node
from jno.utils import checked
from jno.utils.ad_mode import AUTOMATIC

from ._terms import (
    OPTIONAL_TIME,
    RATE_SCHEME,
    SQUARED,
    documented,
    first_order,
    laplacian,
    minus,
    plus_rate,
    spatial_variables,
)

_documented_rate = documented.extended({"scheme": RATE_SCHEME})
_documented_steady_or_not = _documented_rate.extended({"t": OPTIONAL_TIME})


@documented
@checked(u=OPERAND, forcing=OPERAND, diffusion=OPERAND)
def poisson(
    u: object, forcing: object = 0.0, *variables: object, diffusion: object = 1.0, scheme: str = AUTOMATIC
) -> Placeholder:
    r"""Residual of Poisson's equation: :math:`-D\,\Delta u - f`.

    Args:
        forcing: right-hand side :math:`f`. It stands before the variables.
        diffusion: factor :math:`D` of the Laplacian (not differentiated). Default 1.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.fn.poisson(x**2 + y**2, -4.0, x, y)
        -(negate(…), -4.0)
    """
    spatial = spatial_variables(variables, "poisson")
    return minus(-(diffusion * laplacian(u, spatial, scheme)), forcing)


@documented
@checked(u=OPERAND, f=OPERAND, wave_number=SQUARED)
def helmholtz(u: object, f: object, *variables: object, wave_number: Any = 1.0, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Residual of the Helmholtz equation: :math:`-\Delta u - k^2 u - f`.

    Args:
        f: right-hand side. It stands before the variables.
        wave_number: :math:`k`. Default 1.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x = Variable("interior", [0, 1], None)
        >>> residual = jno.fn.helmholtz(jno.np.sin(3 * x), 0.0, x, wave_number=3.0)
    """
    spatial = spatial_variables(variables, "helmholtz")
    return minus(-laplacian(u, spatial, scheme) - wave_number**2 * as_node(u), f)


@_documented_rate
@checked(u=OPERAND, t=VARIABLE, diffusivity=OPERAND, source=OPERAND)
def heat(
    u: object, t: object, *spatial: object, diffusivity: object = 1.0, source: object = 0.0, scheme: str = AUTOMATIC
) -> Placeholder:
    r"""Residual of the heat equation: :math:`u_t - D\,\Delta u - s`.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> jno.fn.heat(jno.np.exp(-t) * jno.np.sin(x), t, x)
        -(d(…), *(…))
    """
    variables = spatial_variables(spatial, "heat")
    rate = as_node(u).d(t, first_order(scheme))
    return minus(rate - diffusivity * laplacian(u, variables, scheme), source)


@_documented_steady_or_not
@checked(u=OPERAND, t=VARIABLE, diffusivity=OPERAND, source=OPERAND)
def diffusion(
    u: object,
    *spatial: object,
    t: object = None,
    diffusivity: object = 1.0,
    source: object = 0.0,
    scheme: str = AUTOMATIC,
) -> Placeholder:
    r"""Residual of the diffusion equation: :math:`(u_t) - D\,\Delta u - s`, steady without ``t``.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x = Variable("interior", [0, 1], None)
        >>> residual = jno.fn.diffusion(x**2, x, source=-2.0)
    """
    variables = spatial_variables(spatial, "diffusion")
    flux = -(diffusivity * laplacian(u, variables, scheme))
    return minus(plus_rate(flux, u, t, first_order(scheme)), source)


@documented
@checked(u=OPERAND, t=VARIABLE, speed=SQUARED, source=OPERAND)
def wave(
    u: object, t: object, *spatial: object, speed: Any = 1.0, source: object = 0.0, scheme: str = AUTOMATIC
) -> Placeholder:
    r"""Residual of the wave equation: :math:`u_{tt} - c^2 \Delta u - s`.

    Args:
        speed: :math:`c`. Default 1.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> residual = jno.fn.wave(jno.np.sin(x - 2 * t), t, x, speed=2.0)
    """
    variables = spatial_variables(spatial, "wave")
    return minus(as_node(u).d2(t, scheme) - speed**2 * laplacian(u, variables, scheme), source)


@documented
@checked(u=OPERAND, f=OPERAND, stiffness=OPERAND)
def biharmonic(
    u: object, f: object, *variables: object, stiffness: object = 1.0, scheme: str = AUTOMATIC
) -> Placeholder:
    r"""Residual of the biharmonic (Kirchhoff plate) equation: :math:`k\,\Delta^2 u - f`.

    Args:
        u: unknown deflection.
        f: load. It stands before the variables.
        stiffness: :math:`k`, for a plate its flexural rigidity. Default 1.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> residual = jno.fn.biharmonic(x**2 * y**2, 8.0, x, y)
    """
    spatial = spatial_variables(variables, "biharmonic")
    return minus(stiffness * laplacian(laplacian(u, spatial, scheme), spatial, scheme), f)
