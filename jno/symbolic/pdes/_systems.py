"""Residuals of systems: one expression for each equation."""

from __future__ import annotations

from typing import Any

from jno.symbolic import curl_components, divergence
from jno.trace import OPERAND, VARIABLE, Placeholder, as_node
from jno.utils import checked
from jno.utils.ad_mode import AUTOMATIC

from ._terms import convection, first_order, laplacian, minus, plus_rate, spatial_variables


@checked(
    u=OPERAND,
    v=OPERAND,
    p=OPERAND,
    x=VARIABLE,
    y=VARIABLE,
    t=VARIABLE,
    density=OPERAND,
    viscosity=OPERAND,
    forcing_x=OPERAND,
    forcing_y=OPERAND,
    continuity_source=OPERAND,
)
def navier_stokes_incompressible_2d(
    u: object,
    v: object,
    p: object,
    x: object,
    y: object,
    t: object = None,
    density: object = 1.0,
    viscosity: object = 1e-2,
    forcing_x: object = 0.0,
    forcing_y: object = 0.0,
    continuity_source: object = 0.0,
    scheme: str = AUTOMATIC,
) -> tuple[Placeholder, Placeholder, Placeholder]:
    r"""Residuals of the incompressible Navier-Stokes equations in the plane, steady without ``t``.

    .. math::
        \rho\,(u_t + u u_x + v u_y) + p_x - \mu\,\Delta u - f_x, \qquad
        \rho\,(v_t + u v_x + v v_y) + p_y - \mu\,\Delta v - f_y, \qquad
        u_x + v_y - s

    Args:
        u: velocity along ``x``.
        v: velocity along ``y``.
        p: pressure.
        x: first spatial variable.
        y: second spatial variable.
        t: time variable; default None omits the rates.
        density: :math:`\rho`. Default 1.
        viscosity: dynamic viscosity :math:`\mu`. Default 0.01.
        forcing_x: force per volume along ``x``. Default 0.
        forcing_y: force per volume along ``y``. Default 0.
        continuity_source: :math:`s`. Default 0.
        scheme: scheme of the derivatives; of a second-order AD suffix first derivatives use plain AD. Default
            automatic differentiation.

    Returns:
        ``(momentum_x, momentum_y, mass)``.

    Raises:
        ValueError: ``x`` or ``y`` is time, or unknown scheme.
        TypeError: not a `Variable`.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y = Variable("interior", [0, 1], None), Variable("interior", [1, 2], None)
        >>> u, v, p = y * (1 - y), 0.0, -2e-2 * x
        >>> momentum_x, momentum_y, mass = jno.fn.navier_stokes_incompressible_2d(u, v, p, x, y)

    Source: G. K. Batchelor, "An Introduction to Fluid Dynamics", Cambridge University Press (1967), section
        3.3.
    """
    variables = spatial_variables((x, y), "navier_stokes_incompressible_2d")
    scheme_1 = first_order(scheme)
    momentum = []
    for component, along, force in ((u, x, forcing_x), (v, y, forcing_y)):
        inertia = plus_rate(convection(component, [u, v], variables, scheme_1), component, t, scheme_1)
        friction = viscosity * laplacian(component, variables, scheme)
        momentum.append(minus(density * inertia + as_node(p).d(along, scheme_1) - friction, force))
    mass = minus(divergence([u, v], [x, y], scheme_1), continuity_source)
    return momentum[0], momentum[1], mass


@checked(
    ex=OPERAND,
    ey=OPERAND,
    ez=OPERAND,
    bx=OPERAND,
    by=OPERAND,
    bz=OPERAND,
    x=VARIABLE,
    y=VARIABLE,
    z=VARIABLE,
    t=VARIABLE,
    current_x=OPERAND,
    current_y=OPERAND,
    current_z=OPERAND,
    charge_density=OPERAND,
    permittivity=OPERAND,
    permeability=OPERAND,
)
def maxwell_3d(
    ex: object,
    ey: object,
    ez: object,
    bx: object,
    by: object,
    bz: object,
    x: object,
    y: object,
    z: object,
    t: object,
    current_x: Any = 0.0,
    current_y: Any = 0.0,
    current_z: Any = 0.0,
    charge_density: Any = 0.0,
    permittivity: Any = 1.0,
    permeability: Any = 1.0,
    scheme: str = AUTOMATIC,
) -> tuple[Placeholder, ...]:
    r"""Residuals of Maxwell's equations in a homogeneous medium.

    .. math::
        B_t + \nabla\times E, \qquad E_t - c^2\,\nabla\times B + J/\varepsilon, \qquad
        \nabla\cdot E - \rho/\varepsilon, \qquad \nabla\cdot B, \qquad c^2 = 1/(\varepsilon\mu)

    Args:
        ex: electric field along ``x``.
        ey: electric field along ``y``.
        ez: electric field along ``z``.
        bx: magnetic flux density along ``x``.
        by: magnetic flux density along ``y``.
        bz: magnetic flux density along ``z``.
        x: first spatial variable.
        y: second spatial variable.
        z: third spatial variable.
        t: time variable.
        current_x: current density :math:`J` along ``x``. Default 0.
        current_y: current density along ``y``. Default 0.
        current_z: current density along ``z``. Default 0.
        charge_density: :math:`\rho`. Default 0.
        permittivity: :math:`\varepsilon`. Default 1.
        permeability: :math:`\mu`. Default 1.
        scheme: first-order scheme of the derivatives. Default automatic differentiation.

    Returns:
        Eight expressions: Faraday's law (x, y, z), Ampere's law (x, y, z), Gauss's law for ``E``, and for
        ``B``.

    Raises:
        ValueError: a spatial variable is time, or unknown scheme.
        TypeError: not a `Variable`.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, y, z = (Variable("interior", [i, i + 1], None) for i in range(3))
        >>> t = Variable("__time__", [0, 1], None, axis="temporal")
        >>> plane_wave = jno.np.sin(x - t)
        >>> residuals = jno.fn.maxwell_3d(0.0, plane_wave, 0.0, 0.0, 0.0, plane_wave, x, y, z, t)
        >>> len(residuals)
        8

    Source: J. D. Jackson, "Classical Electrodynamics", 3rd ed., Wiley (1998), chapter 6.
    """
    spatial_variables((x, y, z), "maxwell_3d")
    electric, magnetic, axes = (ex, ey, ez), (bx, by, bz), (x, y, z)
    speed_squared = 1 / (permittivity * permeability)
    curl_e = curl_components(electric, axes, scheme)
    curl_b = curl_components(magnetic, axes, scheme)
    faraday = [as_node(b).d(t, scheme) + curl for b, curl in zip(magnetic, curl_e, strict=True)]
    ampere = [
        minus(as_node(e).d(t, scheme) - speed_squared * curl, _negated_ratio(current, permittivity))
        for e, curl, current in zip(electric, curl_b, (current_x, current_y, current_z), strict=True)
    ]
    gauss_e = minus(divergence(list(electric), list(axes), scheme), charge_density / permittivity)
    gauss_b = divergence(list(magnetic), list(axes), scheme)
    return (*faraday, *ampere, gauss_e, gauss_b)


def _negated_ratio(numerator: Any, denominator: Any) -> Any:
    return -(numerator / denominator)
