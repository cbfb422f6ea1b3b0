"""Forward or reverse mode: how jNO's differential operators call JAX.

Two layers, in order of precedence:

1. the `scheme=` of one operator call, e.g. `u.d(x, scheme="automatic_differentiation:forward")` or
   `u.laplacian(x, y, scheme="automatic_differentiation:fwd-over-rev")`;
2. the default of the process: `set_ad_mode` / `set_hessian_mode` (which `jno.setup` calls), else
   `diff_type` / `hessian_type` in the `[jno]` table of `.jno.toml`, else `"reverse"` for first-order and
   `"fwd-over-rev"` for second-order operators.

The plain string `"automatic_differentiation"` means the default of the process. While nobody configured one
(`configured_ad_mode` is `None`) the compiler is free to choose a cheaper evaluation with equal results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jno.utils._config import get_setting

AUTOMATIC = "automatic_differentiation"
FINITE_DIFFERENCE = "finite_difference"

_FIRST_ORDER_MODES = ("forward", "reverse")
_SECOND_ORDER_MODES = {
    "fwd-over-rev": ("forward", "reverse"),
    "fwd-over-fwd": ("forward", "forward"),
    "rev-over-rev": ("reverse", "reverse"),
    "rev-over-fwd": ("reverse", "forward"),
}
_SHORTHAND = {mode: (mode, mode) for mode in _FIRST_ORDER_MODES}
_AUTOMATIC_SUFFIXES: dict[int, tuple[str, ...]] = {
    1: _FIRST_ORDER_MODES,
    2: (*_SECOND_ORDER_MODES, *_FIRST_ORDER_MODES),
}
_FINITE_DIFFERENCE_SUFFIXES = (
    "lsq",
    "least_squares",
    "uniform",
    "inverse_distance",
    "cotangent",
    "area_weighted",
)
_DEFAULT_FIRST_ORDER = "reverse"
_DEFAULT_SECOND_ORDER = "fwd-over-rev"


@dataclass
class _Defaults:
    """What the user set in this process; None means "nothing"."""

    first_order: str | None = None
    second_order: str | None = None


_defaults = _Defaults()


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _check_mode(mode: object, allowed: tuple[str, ...], what: str) -> str:
    if not isinstance(mode, str) or mode not in allowed:
        raise ValueError(f"Invalid {what} {mode!r}; allowed: {_quoted(allowed)}.")
    return mode


def set_ad_mode(mode: str) -> None:
    """Set the process-wide default of first-order automatic differentiation.

    Args:
        mode: `"forward"` (`jax.jacfwd`) or `"reverse"` (`jax.jacrev`).

    Raises:
        ValueError: for any other mode.

    Example:
        >>> from jno.utils import ad_mode
        >>> ad_mode.set_ad_mode("forward")
        >>> ad_mode.get_ad_mode()
        'forward'
        >>> ad_mode.reset_ad_mode()
    """
    _defaults.first_order = _check_mode(mode, _FIRST_ORDER_MODES, "AD mode")


def get_ad_mode() -> str:
    """Return the default of first-order AD (`"reverse"` when nothing is configured).

    Example:
        >>> from jno.utils import ad_mode
        >>> ad_mode.get_ad_mode()
        'reverse'
    """
    return configured_ad_mode() or _DEFAULT_FIRST_ORDER


def set_hessian_mode(mode: str) -> None:
    """Set the process-wide default of second-order automatic differentiation.

    Args:
        mode: `"fwd-over-rev"`, `"fwd-over-fwd"`, `"rev-over-rev"` or `"rev-over-fwd"`, read
            outer-over-inner: `fwd-over-rev` is `jax.jacfwd(jax.jacrev(f))`.

    Raises:
        ValueError: for any other mode.

    Example:
        >>> from jno.utils import ad_mode
        >>> ad_mode.set_hessian_mode("fwd-over-fwd")
        >>> ad_mode.get_hessian_mode()
        'fwd-over-fwd'
        >>> ad_mode.reset_ad_mode()
    """
    _defaults.second_order = _check_mode(mode, tuple(_SECOND_ORDER_MODES), "Hessian mode")


def get_hessian_mode() -> str:
    """Return the default of second-order AD (`"fwd-over-rev"` when nothing is configured).

    Example:
        >>> from jno.utils import ad_mode
        >>> ad_mode.get_hessian_mode()
        'fwd-over-rev'
    """
    return configured_hessian_mode() or _DEFAULT_SECOND_ORDER


def configured_ad_mode() -> str | None:
    """Return the first-order mode the user configured (in code or `.jno.toml`), None when there is none.

    Example:
        >>> from jno.utils import ad_mode
        >>> ad_mode.configured_ad_mode() is None, ad_mode.get_ad_mode()
        (True, 'reverse')
    """
    return _defaults.first_order or _mode_of_the_file("diff_type", _FIRST_ORDER_MODES)


def configured_hessian_mode() -> str | None:
    """Return the second-order mode the user configured (in code or `.jno.toml`), None when there is none.

    Example:
        >>> from jno.utils import ad_mode
        >>> ad_mode.configured_hessian_mode() is None, ad_mode.get_hessian_mode()
        (True, 'fwd-over-rev')
    """
    return _defaults.second_order or _mode_of_the_file("hessian_type", tuple(_SECOND_ORDER_MODES))


def _mode_of_the_file(setting: str, allowed: tuple[str, ...]) -> str | None:
    mode = get_setting("jno", setting)
    return None if mode is None else _check_mode(mode, allowed, f"{setting} in the [jno] configuration table:")


def reset_ad_mode() -> None:
    """Forget what `set_ad_mode` and `set_hessian_mode` set.

    Example:
        >>> from jno.utils import ad_mode
        >>> ad_mode.set_ad_mode("forward")
        >>> ad_mode.reset_ad_mode()
        >>> ad_mode.get_ad_mode()
        'reverse'
    """
    _defaults.first_order = None
    _defaults.second_order = None


def _legal_schemes(order: int) -> list[str]:
    automatic = [AUTOMATIC] + [f"{AUTOMATIC}:{suffix}" for suffix in _AUTOMATIC_SUFFIXES[order]]
    finite = [FINITE_DIFFERENCE] + [f"{FINITE_DIFFERENCE}:{suffix}" for suffix in _FINITE_DIFFERENCE_SUFFIXES]
    return automatic + finite


def validate_scheme(scheme: object, order: int) -> str:
    """Check the `scheme=` argument of a differential operator and return it unchanged.

    Args:
        scheme: what the user passed.
        order: order of the operator: 1 (`.d`, `.diff`) or 2 (`.d2`, `.dd`, `.laplacian`, `.hessian`).

    Returns:
        `scheme`, now known to be one of the legal strings.

    Raises:
        TypeError: `scheme` is not a string; usually a second variable that landed in its place.
        ValueError: unknown scheme or suffix, or `order` is neither 1 nor 2.

    Example:
        >>> from jno.utils.ad_mode import validate_scheme
        >>> validate_scheme("finite_difference:lsq", 2)
        'finite_difference:lsq'
    """
    if order not in _AUTOMATIC_SUFFIXES:
        raise ValueError(f"order must be 1 or 2, got {order!r}.")
    if not isinstance(scheme, str):
        raise TypeError(
            f"scheme must be a string, got {type(scheme).__name__}. One call differentiates with respect to "
            "one variable; for two variables write u.d(x).d(y), or u.grad(x, y) for the gradient."
        )
    legal = _legal_schemes(order)
    if scheme not in legal:
        raise ValueError(f"Unknown scheme {scheme!r} for a derivative of order {order}; allowed: {_quoted(legal)}.")
    return scheme


def _automatic_suffix(scheme: object, order: int) -> str | None:
    """Return what follows the colon of an automatic-differentiation scheme, None without a colon."""
    if not isinstance(scheme, str):
        raise TypeError(f"scheme must be a string, got {type(scheme).__name__}.")
    main, colon, suffix = scheme.partition(":")
    if main != AUTOMATIC or (colon and suffix not in _AUTOMATIC_SUFFIXES[order]):
        legal = [AUTOMATIC] + [f"{AUTOMATIC}:{name}" for name in _AUTOMATIC_SUFFIXES[order]]
        raise ValueError(
            f"Unknown automatic-differentiation scheme {scheme!r} for a derivative of order {order}; "
            f"allowed: {_quoted(legal)}."
        )
    return suffix or None


def parse_ad_scheme(scheme: str) -> str:
    """Resolve a first-order scheme string to `"forward"` or `"reverse"`.

    Args:
        scheme: `"automatic_differentiation"` (the default, `get_ad_mode`) or
            `"automatic_differentiation:forward"` / `":reverse"`.

    Returns:
        `"forward"` or `"reverse"`.

    Raises:
        ValueError: any other string, finite-difference schemes included.

    Example:
        >>> from jno.utils.ad_mode import parse_ad_scheme
        >>> parse_ad_scheme("automatic_differentiation:forward")
        'forward'
    """
    suffix = _automatic_suffix(scheme, 1)
    return get_ad_mode() if suffix is None else suffix


def parse_hessian_scheme(scheme: str) -> tuple[str, str]:
    """Resolve a second-order scheme string to `(outer, inner)` modes, composed as `outer(inner(f))`.

    Args:
        scheme: `"automatic_differentiation"` (the default, `get_hessian_mode`) or that with one of the
            suffixes `:fwd-over-rev`, `:fwd-over-fwd`, `:rev-over-rev`, `:rev-over-fwd`; `:forward` and
            `:reverse` are shorthand for the composition of that mode with itself.

    Returns:
        Two of `"forward"` / `"reverse"`; `("forward", "reverse")` is `jax.jacfwd(jax.jacrev(f))`.

    Raises:
        ValueError: any other string, finite-difference schemes included.

    Example:
        >>> from jno.utils.ad_mode import parse_hessian_scheme
        >>> parse_hessian_scheme("automatic_differentiation:rev-over-fwd")
        ('reverse', 'forward')
    """
    suffix = _automatic_suffix(scheme, 2) or get_hessian_mode()
    return (_SECOND_ORDER_MODES | _SHORTHAND)[suffix]


def ad_fn(mode: str) -> Callable[..., Any]:
    """Return the JAX transformation of a mode: `jax.jacfwd` for `"forward"`, `jax.jacrev` for `"reverse"`.

    Args:
        mode: `"forward"` or `"reverse"`.

    Returns:
        The transformation `f -> (x -> df/dx)`.

    Raises:
        ValueError: for any other mode.

    Example:
        >>> from jno.utils.ad_mode import ad_fn
        >>> float(ad_fn("forward")(lambda x: x**2)(3.0))
        6.0
    """
    import jax  # here, so that the trace, which uses this module for its scheme checks, stays free of JAX

    _check_mode(mode, _FIRST_ORDER_MODES, "AD mode")
    return {"forward": jax.jacfwd, "reverse": jax.jacrev}[mode]
