"""Residuals of reaction-diffusion and phase-field equations."""

from __future__ import annotations

from typing import Any

from jno.trace import OPERAND, VARIABLE, Placeholder, as_node
from jno.utils import checked
from jno.utils.ad_mode import AUTOMATIC

from ._terms import RATE_SCHEME, SQUARED, documented, first_order, laplacian, minus, spatial_variables

_documented = documented.extended({"scheme": RATE_SCHEME})
_documented_phase_field = _documented.extended(
    {
        "u": "phase field, with the two phases at -1 and 1.",
        "epsilon": r"width :math:`\epsilon` of the interface. Default 0.01.",
    }
)


@_documented_phase_field
@checked(u=OPERAND, t=VARIABLE, epsilon=SQUARED, source=OPERAND)
def allen_cahn(
    u: object, t: object, *spatial: object, epsilon: Any = 1e-2, source: object = 0.0, scheme: str = AUTOMATIC
) -> Placeholder:
    r"""Residual of the Allen-Cahn equation: :math:`u_t - \epsilon^2 \Delta u + u^3 - u - s`.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> residual = jno.fn.allen_cahn(jno.np.tanh(x - t), t, x, epsilon=0.1)

    Source: S. M. Allen and J. W. Cahn, "A microscopic theory for antiphase boundary motion", Acta Metall. 27
        (1979).
    """
    variables = spatial_variables(spatial, "allen_cahn")
    field = as_node(u)
    rate = field.d(t, first_order(scheme))
    return minus(rate - epsilon**2 * laplacian(field, variables, scheme) + field**3 - field, source)


@_documented
@checked(u=OPERAND, t=VARIABLE, diffusivity=OPERAND, growth_rate=OPERAND, source=OPERAND)
def fisher_kpp(
    u: object,
    t: object,
    *spatial: object,
    diffusivity: object = 1.0,
    growth_rate: object = 1.0,
    source: object = 0.0,
    scheme: str = AUTOMATIC,
) -> Placeholder:
    r"""Residual of the Fisher-KPP equation: :math:`u_t - D\,\Delta u - r u (1 - u) - s`.

    Args:
        u: population density relative to the carrying capacity.
        growth_rate: :math:`r`. Default 1.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> residual = jno.fn.fisher_kpp(jno.np.exp(x - t), t, x, growth_rate=2.0)

    Source: R. A. Fisher, "The wave of advance of advantageous genes", Ann. Eugen. 7 (1937).
    """
    variables = spatial_variables(spatial, "fisher_kpp")
    field = as_node(u)
    rate = field.d(t, first_order(scheme))
    growth = growth_rate * field * (1 - field)
    return minus(rate - diffusivity * laplacian(field, variables, scheme) - growth, source)


@_documented_phase_field
@checked(u=OPERAND, t=VARIABLE, epsilon=SQUARED, mobility=OPERAND, source=OPERAND)
def cahn_hilliard(
    u: object,
    t: object,
    *spatial: object,
    epsilon: Any = 1e-2,
    mobility: object = 1.0,
    source: object = 0.0,
    scheme: str = AUTOMATIC,
) -> Placeholder:
    r"""Residual of the Cahn-Hilliard equation: :math:`u_t - M \Delta(-\epsilon^2 \Delta u + u^3 - u) - s`.

    Args:
        mobility: :math:`M` (not differentiated). Default 1.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x, t = Variable("interior", [0, 1], None), Variable("__time__", [0, 1], None, axis="temporal")
        >>> residual = jno.fn.cahn_hilliard(jno.np.tanh(x - t), t, x, epsilon=0.1)

    Source: J. W. Cahn and J. E. Hilliard, "Free energy of a nonuniform system I", J. Chem. Phys. 28 (1958).
    """
    variables = spatial_variables(spatial, "cahn_hilliard")
    field = as_node(u)
    potential = field**3 - field - epsilon**2 * laplacian(field, variables, scheme)
    rate = field.d(t, first_order(scheme))
    return minus(rate - mobility * laplacian(potential, variables, scheme), source)
