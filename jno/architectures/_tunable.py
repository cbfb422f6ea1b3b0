"""`TunableModule`: a network whose architecture a sweep chooses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jaxtyping import PyTree

from jno.trace import Model
from jno.utils import Key, get_network_seed

from ._arch import Arch
from ._search_space import ArchSpace, check_training


class TunableModule(Model):
    """A network that is built from an architecture: what ``jno.nn.wrap(Class, space=...)`` gives.

    The class gets its architecture in one of two ways.  A constructor with a parameter ``arch`` is called with the
    `Arch`; any other one with the options as keyword arguments, under their names in the space.  A parameter ``key``
    gets a random key.  Until a sweep has chosen, the network is that of the first options and lower ends, so a core
    builds and evaluates.

    Args:
        build: a class of modules, or a function that returns a module.
        space: its dimensions of the category ``"architecture"`` are those of the network.
        as_module: makes an Equinox module of what ``build`` returns.
        name: display name.
        weight_path: pretrained weights, which must fit the architecture.

    Raises:
        TypeError: the constructor does not take an option of the space, or needs more than it is given.
        ValueError: a name of the space stands in the category ``"training"`` and is no option of training.
    """

    def __init__(
        self,
        build: Callable[..., Any],
        space: ArchSpace,
        as_module: Callable[[Any], Any],
        name: str = "",
        weight_path: str | None = None,
    ) -> None:
        super().__init__(None, name, weight_path)
        check_training(space)
        self.build = build
        self.space = space
        self._as_module = as_module
        self.arch = space.arch(space.default)
        self.module = self.instantiate(key=jax.random.fold_in(jax.random.PRNGKey(get_network_seed()), self.layer_id))

    def instantiate(self, arch: Arch | Mapping[str, Any] | None = None, key: Key | None = None) -> PyTree:
        """A new module.

        Args:
            arch: the architecture, an `Arch` or a mapping; default: the one the model has now.
            key: random key of the weights; default: derived from the seed.

        Raises:
            TypeError: the constructor does not take it.
        """
        architecture = self.arch if arch is None else arch if isinstance(arch, Arch) else Arch(arch)
        weights_key = jax.random.PRNGKey(get_network_seed()) if key is None else key
        return self._as_module(self.build(**_arguments(self.build, architecture, weights_key, self.space)))

    def take(self, arch: Arch, key: Key) -> None:
        """Become the network of an architecture, with new weights; requests such as adapters count again."""
        self.arch = arch
        self.module = self.instantiate(arch, key)
        self.controls = self.controls.with_requests(served=False)
        self.version += 1

    def accepts(self, name: str) -> bool:
        """Whether the constructor can be given an option of this name."""
        parameters = inspect.signature(self.build).parameters
        return "arch" in parameters or name in parameters or _takes_any(parameters)


def _takes_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())


def _arguments(build: Callable[..., Any], arch: Arch, key: Key, space: ArchSpace) -> dict[str, Any]:
    parameters = inspect.signature(build).parameters
    name = build.__name__ if inspect.isclass(build) or inspect.isfunction(build) else type(build).__name__
    arguments: dict[str, Any] = {"arch": arch} if "arch" in parameters else dict(arch.choices)
    refused = [option for option in arguments if option not in parameters]
    if refused and not _takes_any(parameters):
        raise TypeError(
            f"{name} takes neither arch nor {', '.join(map(repr, refused))} of the search space: its constructor has "
            f"the parameters ({', '.join(parameters)})"
        )
    if "key" in parameters:
        arguments["key"] = key
    positional = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    missing = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in positional
        and parameter.name not in arguments
    ]
    if missing:
        training = [option for option in missing if space.has(option)]
        why = "which the search space does not name"
        if training:
            why = f"and the search space has {', '.join(map(repr, training))} in the category 'training'"
        raise TypeError(
            f"{name} needs {', '.join(map(repr, missing))}, {why}; add them with category='architecture', give them "
            "defaults, or take arch instead"
        )
    return arguments
