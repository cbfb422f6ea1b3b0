"""Names of the differentiation schemes that pick a mesh operator."""

from __future__ import annotations

from ._types import check_choice

_AD = ("automatic_differentiation", None, None)
_AD_SUFFIXES = ("forward", "reverse", "fwd-over-rev", "fwd-over-fwd", "rev-over-rev", "rev-over-fwd")
_FD_METHODS = {
    "finite_difference": ("area_weighted", "gradient_of_gradient"),
    "finite_difference:area_weighted": ("area_weighted", "gradient_of_gradient"),
    "finite_difference:lsq": ("least_squares", "lsq_of_gradient"),
    "finite_difference:least_squares": ("least_squares", "lsq_of_gradient"),
    "finite_difference:cotangent": ("area_weighted", "cotangent"),
    "finite_difference:uniform": ("uniform", "gradient_of_gradient"),
    "finite_difference:inverse_distance": ("inverse_distance", "gradient_of_gradient"),
}
_SCHEMES: dict[str, tuple[str, str | None, str | None]] = {
    **{name: ("finite_difference", *methods) for name, methods in _FD_METHODS.items()},
    "automatic_differentiation": _AD,
    **{f"automatic_differentiation:{suffix}": _AD for suffix in _AD_SUFFIXES},
}


def parse_fd_scheme(scheme: str) -> tuple[str, str | None, str | None]:
    """Split a scheme into (main scheme, gradient method, Laplacian method).

    ======================================== ================== ======================
    scheme                                   gradient method    Laplacian method
    ======================================== ================== ======================
    "finite_difference"                      "area_weighted"    "gradient_of_gradient"
    "finite_difference:area_weighted"        "area_weighted"    "gradient_of_gradient"
    "finite_difference:lsq"                  "least_squares"    "lsq_of_gradient"
    "finite_difference:least_squares"        "least_squares"    "lsq_of_gradient"
    "finite_difference:cotangent"            "area_weighted"    "cotangent"
    "finite_difference:uniform"              "uniform"          "gradient_of_gradient"
    "finite_difference:inverse_distance"     "inverse_distance" "gradient_of_gradient"
    "automatic_differentiation[:mode]"       None               None
    ======================================== ================== ======================

    Args:
        scheme: One of the above; the modes are those of `jno.utils.ad_mode`.

    Raises:
        ValueError: Any other string; the message lists the allowed ones.

    Example:
        >>> from jno.differential_operators import DifferentialOperators
        >>> DifferentialOperators.parse_fd_scheme("finite_difference:lsq")
        ('finite_difference', 'least_squares', 'lsq_of_gradient')
    """
    check_choice("scheme", scheme, _SCHEMES)
    return _SCHEMES[scheme]
