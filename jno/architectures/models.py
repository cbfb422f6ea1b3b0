"""`nn`: lifting modules into the trace."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import equinox as eqx

from jno.trace import Model
from jno.utils import PATH, TEXT, checked, is_integral, set_network_seed

from ._flax import wrap_linen, wrap_nnx
from ._search_space import ArchSpace
from ._tunable import TunableModule


class nn:
    """Wrap neural-network modules so that they take part in expressions.

    ``jno.nn(module)`` is short for ``jno.nn.wrap(module)``.

    >>> import jax, foundax, jno
    >>> net = jno.nn(foundax.mlp(2, hidden_dims=16, key=jax.random.PRNGKey(0)))
    """

    def __new__(cls, module: object, space: object = None, name: str = "", weight_path: str | None = None) -> Any:
        """Same as :meth:`wrap`."""
        return cls.wrap(module, space, name, weight_path)

    @classmethod
    @checked(name=TEXT, weight_path=PATH)
    def wrap(cls, module: object, space: object = None, name: str = "", weight_path: str | None = None) -> Model:
        """A `Model` over ``module``; a `TunableModule` over a class with a search space.

        Args:
            module: an Equinox module (all of ``foundax``), a Flax Linen module (initialised when the first core that
                uses it is built) or a Flax NNX module.  It is called with whole arrays ``(N, D)``; a module written
                for single points is mapped over the points.
            space: a `jno.np.tune.space` whose architectures ``core.sweep`` tries.  ``module`` must then be a class, or
                a function that returns a module, whose parameters are ``arch`` (the whole `jno.np.Arch`) or the names
                in the space, and ``key``.
            name: display name.
            weight_path: pretrained weights, as for ``Model.initialize``.

        Raises:
            TypeError: ``module`` is not a module, ``space`` not a search space, or a constructor that does not take the
                options of the space.
            ValueError: ``space`` together with an instance.

        Example:
            >>> import foundax, jno
            >>> space = jno.np.tune.space().unique("width", [8, 16])
            >>> net = jno.nn.wrap(lambda width, key: foundax.mlp(1, hidden_dims=width, key=key), space)
            >>> net.arch
            Arch({'width': 8})
        """
        if space is not None:
            if not (inspect.isclass(module) or inspect.isfunction(module)):
                raise ValueError(f"wrap(space=...) needs a module class, got an instance of {type(module).__name__}")
            if not isinstance(space, ArchSpace):
                raise TypeError(f"wrap(space=...) takes a jno.np.tune.space(), got {type(space).__name__}")
            return TunableModule(module, space, _as_equinox, name, weight_path)
        return Model(_as_equinox(module), name, weight_path)


def set_default_rng_seed(seed: object) -> None:
    """Choose the weights of networks that are built without a key, without changing any other random number.

    They are the initial weights of Flax Linen modules, of networks over a search space, those that
    ``Model.initialize`` draws and those of new adapters, in cores that are built from now on; a key that is given
    there counts instead.  The trials of ``core.sweep`` build networks from the seed of their core.  `jno.setup` undoes
    the call.

    Args:
        seed: any integer; None: the seed of everything else, `jno.get_seed()`, again.

    Raises:
        TypeError: ``seed`` is not an integer.

    Example:
        >>> import jno
        >>> from jno.architectures.models import set_default_rng_seed
        >>> set_default_rng_seed(7)
        >>> set_default_rng_seed(None)
    """
    if seed is not None and not is_integral(seed):
        raise TypeError(
            f"set_default_rng_seed({seed!r}): the seed must be an integer, or None for that of jno.get_seed()"
        )
    set_network_seed(None if seed is None else int(seed))


_FLAX: dict[str, Callable[[Any], eqx.Module]] = {"flax.linen": wrap_linen, "flax.nnx": wrap_nnx}
"""Libraries of modules that are not Equinox modules, and their adapters."""


def _as_equinox(module: object) -> eqx.Module:
    if isinstance(module, Model):
        raise TypeError("the module is already wrapped: use the Model itself")
    if inspect.isclass(module):
        raise TypeError(f"wrap() takes a module instance, got the class {module.__name__}; construct it first")
    if isinstance(module, eqx.Module):
        if not callable(module):
            raise TypeError(f"{type(module).__name__} has no __call__, so it cannot be used as a network")
        return module
    for library, wrap in _FLAX.items():
        # who holds a Flax module has imported Flax; nobody else pays for it
        if library in sys.modules and isinstance(module, sys.modules[library].Module):
            return wrap(module)
    raise TypeError(
        f"wrap() takes an Equinox, Flax Linen or Flax NNX module, got {type(module).__name__}; wrap a plain function "
        "with jno.fn(function, [arguments]) or put it in an equinox.Module"
    )
