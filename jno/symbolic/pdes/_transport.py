"""Residuals with a transport term: advection, Burgers, continuity."""

from __future__ import annotations

import math

from jno.symbolic import VECTOR, divergence
from jno.trace import OPERAND, VARIABLE, Placeholder, as_node
from jno.utils import checked
from jno.utils.ad_mode import AUTOMATIC

from ._terms import (
    FIRST_ORDER_SCHEME,
    OPTIONAL_TIME,
    convection,
    documented,
    first_order,
    laplacian,
    minus,
    plus_rate,
    spatial_variables,
)

_documented = documented.extended(
    {
        "velocity": "list of one component for each spatial variable, a vector expression ``(N, k)``, or a number for "
        "one variable.",
        "t": OPTIONAL_TIME,
        "scheme": FIRST_ORDER_SCHEME,
    },
    raises={
        "ValueError": "no spatial variable, time among them, another number of components, or unknown scheme.",
        "TypeError": "not a `Variable`, or ``velocity`` is not a vector.",
    },
)
_documented_continuity = _documented.extended({}, returns="Node ``(N, 1)``.")
_documented_burgers = documented.extended(
    {"x": "spatial variable.", "forcing": ":math:`f`. Default 0.", "scheme": FIRST_ORDER_SCHEME},
    raises={"ValueError": "``x`` is time, or unknown scheme.", "TypeError": "not a `Variable`."},
)


@_documented
@checked(u=OPERAND, velocity=VECTOR, t=VARIABLE, source=OPERAND)
def advection(
    u: object, velocity: object, *spatial: object, t: object = None, source: object = 0.0, scheme: str = AUTOMATIC
) -> Placeholder:
    r"""Residual of the advection equation: :math:`(u_t) + v\cdot\nabla u - s`, steady without ``t``.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> residual = jno.fn.advection(jno.np.sin(x - 2 * t), 2.0, x, t=t)
    """
    variables = spatial_variables(spatial, "advection")
    return minus(plus_rate(convection(u, velocity, variables, scheme), u, t, scheme), source)


@_documented
@checked(u=OPERAND, velocity=VECTOR, t=VARIABLE, diffusivity=OPERAND, reaction_coeff=OPERAND, source=OPERAND)
def advection_diffusion_reaction(
    u: object,
    velocity: object,
    *spatial: object,
    t: object = None,
    diffusivity: object = 1.0,
    reaction_coeff: object = 0.0,
    source: object = 0.0,
    scheme: str = AUTOMATIC,
) -> Placeholder:
    r"""Residual of :math:`(u_t) + v\cdot\nabla u - D\,\Delta u + r u - s`, steady without ``t``.

    Args:
        reaction_coeff: decay rate :math:`r`. Default 0.
        scheme: scheme of the derivatives; of a second-order AD suffix first derivatives use plain AD. Default
            automatic differentiation.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> residual = jno.fn.advection_diffusion_reaction(x * y, [1.0, 0.5], x, y, reaction_coeff=2.0)
    """
    variables = spatial_variables(spatial, "advection_diffusion_reaction")
    steady = convection(u, velocity, variables, first_order(scheme))
    steady = steady - diffusivity * laplacian(u, variables, scheme) + reaction_coeff * as_node(u)
    return minus(plus_rate(steady, u, t, first_order(scheme)), source)


@_documented_burgers
@checked(u=OPERAND, x=VARIABLE, t=VARIABLE, viscosity=OPERAND, forcing=OPERAND)
def burgers_1d(
    u: object, x: object, t: object, viscosity: object = 0.01 / math.pi, forcing: object = 0.0, scheme: str = AUTOMATIC
) -> Placeholder:
    r"""Residual of the viscous Burgers equation: :math:`u_t + u u_x - \nu u_{xx} - f`.

    Args:
        viscosity: :math:`\nu`. Default :math:`0.01/\pi`.
        scheme: scheme of the derivatives; of a second-order AD suffix first derivatives use plain AD. Default
            automatic differentiation.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> residual = jno.fn.burgers_1d(x / (1 + t), x, t)

    Source: J. M. Burgers, "A mathematical model illustrating the theory of turbulence", Adv. Appl. Mech. 1
        (1948).
    """
    spatial_variables((x,), "burgers_1d")
    field, scheme_1 = as_node(u), first_order(scheme)
    transport = field.d(t, scheme_1) + field * field.d(x, scheme_1)
    return minus(transport - viscosity * field.d2(x, scheme), forcing)


@_documented_burgers
@checked(u=OPERAND, x=VARIABLE, t=VARIABLE, forcing=OPERAND)
def burgers_inviscid_1d(u: object, x: object, t: object, forcing: object = 0.0, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Residual of the inviscid Burgers equation in conservative form: :math:`u_t + (u^2/2)_x - f`.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> residual = jno.fn.burgers_inviscid_1d(x / (1 + t), x, t)
    """
    spatial_variables((x,), "burgers_inviscid_1d")
    field = as_node(u)
    return minus(field.d(t, scheme) + (0.5 * field**2).d(x, scheme), forcing)


@_documented_continuity
@checked(velocity=VECTOR, source=OPERAND)
def continuity(velocity: object, *variables: object, source: object = 0.0, scheme: str = AUTOMATIC) -> Placeholder:
    r"""Residual of incompressible mass conservation: :math:`\nabla\cdot v - s`.

    Args:
        velocity: list of one component for each variable, or a vector expression ``(N, k)``.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> jno.fn.continuity([x, -y], x, y, source=1.0)
        -(+(…), 1.0)
    """
    spatial = spatial_variables(variables, "continuity")
    return minus(divergence(velocity, list(spatial), scheme), source)
