"""`ArchSpace`: the space a sweep searches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, final

import jax
import numpy as np

from jno.utils import TEXT, Key, checked, get_seed, is_integral, is_number

from ._arch import Arch
from ._dimensions import ChoiceOfOptions, Dimension, FloatRange, IntRange, nevergrad

ARCHITECTURE, TRAINING = "architecture", "training"
CATEGORIES = (ARCHITECTURE, TRAINING)

SOLVE_OPTIONS = (
    "batchsize",
    "point_batch",
    "min_consecutive",
    "accumulation_steps",
    "inner_steps",
    "checkpoint_gradients",
)
"""Options that a sweep passes on to `core.solve` as they are."""

TRAINING_NAMES = ("epochs", "optimizer", "learning_rate", "constraint_weights", "weight_schedule", *SOLVE_OPTIONS)
"""What a sweep understands of the category ``"training"``."""


@final
class ArchSpace:
    """Names with the values a search may give them: architectures of networks and options of training.

    Every method that adds a dimension returns the space, so calls chain.  An option may be anything: a number, a class,
    an activation, an optax transform, a tuple.

    Names of the category ``"training"`` that `core.sweep` understands are ``epochs``, ``optimizer``, ``learning_rate``,
    ``constraint_weights``, ``weight_schedule``, ``batchsize``, ``point_batch``, ``min_consecutive``,
    ``accumulation_steps``, ``inner_steps`` and ``checkpoint_gradients``.  Those of the category ``"architecture"`` go
    to the classes given to ``jno.nn.wrap(Class, space=...)``.

    Example:
        >>> import jno, optax
        >>> space = jno.np.tune.space()
        >>> space = space.unique("width", [8, 16]).unique("optimizer", [optax.adam, optax.sgd])
        >>> space.float_range("learning_rate", 1e-4, 1e-2, log_scale=True).grid_size
        20
        >>> space.groups
        {'architecture': ['width'], 'training': ['optimizer', 'learning_rate']}
    """

    def __init__(self) -> None:
        self._dimensions: dict[str, Dimension] = {}
        self._drawn = 0

    # --- building ---------------------------------------------------------------------------------------------
    @checked(name=TEXT)
    def unique(self, name: str, options: object, category: str | None = None) -> ArchSpace:
        """One of several options.

        Args:
            name: of the dimension.
            options: list or tuple of anything.
            category: ``"architecture"`` or ``"training"``; default ``"training"`` for the names of training options
                (see the class), else ``"architecture"``.

        Raises:
            ValueError: a name that is empty or taken, no options, an unknown category.
        """
        if not isinstance(options, list | tuple):
            raise ValueError(f"unique({name!r}): the options must be a list, got {type(options).__name__}")
        if not options:
            raise ValueError(f"unique({name!r}, []) has no options")
        default = TRAINING if name in TRAINING_NAMES else ARCHITECTURE
        return self.add(
            ChoiceOfOptions(name, _checked(default if category is None else category, name), tuple(options))
        )

    @checked(name=TEXT)
    def float_range(
        self, name: str, low: object, high: object, log_scale: bool = False, category: str = TRAINING
    ) -> ArchSpace:
        """A number from ``low`` to ``high``.

        Args:
            name: of the dimension.
            low: lower end.
            high: upper end.
            log_scale: search the logarithm.
            category: ``"training"`` or, for the argument of a network, ``"architecture"`` (default: ``"training"``
                for every name, unlike in `unique`).

        Raises:
            ValueError: as of `unique`; ends that are not finite or not in order; a logarithm with ``low <= 0``.
        """
        low_end, high_end = map(float, _checked_ends("float_range", name, low, high, log_scale))
        return self.add(FloatRange(name, _checked(category, name), low_end, high_end, bool(log_scale)))

    @checked(name=TEXT)
    def int_range(
        self, name: str, low: object, high: object, log_scale: bool = False, category: str = TRAINING
    ) -> ArchSpace:
        """An integer from ``low`` to ``high``, both included; arguments as of `float_range`.

        Raises:
            ValueError: as of `float_range`; ends that are not integers.
        """
        if not (is_integral(low) and is_integral(high)):
            raise ValueError(f"int_range({name!r}, {low!r}, {high!r}): the ends must be integers")
        low_end, high_end = map(int, _checked_ends("int_range", name, low, high, log_scale))
        return self.add(IntRange(name, _checked(category, name), low_end, high_end, bool(log_scale)))

    def add(self, dimension: Dimension) -> ArchSpace:
        """A dimension that was made before, as `get` gives it.

        Raises:
            ValueError: a name that is empty or taken.
        """
        name = dimension.name
        if not name:
            raise ValueError("a dimension needs a name that is not empty")
        if name in self._dimensions:
            raise ValueError(f"the space has a dimension {name!r} already")
        self._dimensions[name] = dimension
        return self

    # --- looking ----------------------------------------------------------------------------------------------
    @property
    def names(self) -> list[str]:
        """The names in the order they were added."""
        return list(self._dimensions)

    @property
    def groups(self) -> dict[str, list[str]]:
        """The names by category."""
        names_by_category: dict[str, list[str]] = {}
        for dimension in self:
            names_by_category.setdefault(dimension.category, []).append(dimension.name)
        return names_by_category

    @property
    def is_empty(self) -> bool:
        """Whether there is no dimension."""
        return not self._dimensions

    @property
    def architecture_space(self) -> ArchSpace:
        """The dimensions of the category ``"architecture"`` alone."""
        space = ArchSpace()
        for dimension in self:
            if dimension.category == ARCHITECTURE:
                space.add(dimension)
        return space

    def has(self, name: str) -> bool:
        """Whether there is a dimension of this name."""
        return name in self._dimensions

    def get(self, name: str) -> Dimension:
        """The dimension of this name.

        Raises:
            KeyError: there is none.
        """
        if name not in self._dimensions:
            raise KeyError(f"the space has no dimension {name!r}; it has {', '.join(map(repr, self.names)) or 'none'}")
        return self._dimensions[name]

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self._dimensions.values())

    def __len__(self) -> int:
        return len(self._dimensions)

    def __contains__(self, name: object) -> bool:
        return name in self._dimensions

    def __repr__(self) -> str:
        return f"ArchSpace({', '.join(self.names)})"

    # --- configurations ---------------------------------------------------------------------------------------
    @property
    def default(self) -> dict[str, Any]:
        """The configuration before a search: first options and lower ends."""
        return {dimension.name: dimension.default for dimension in self}

    @property
    def grid_size(self) -> int:
        """Number of configurations of `grid`."""
        return math.prod(len(dimension.grid()) for dimension in self)

    def grid(self) -> list[dict[str, Any]]:
        """All configurations, the last dimension changing fastest.

        A range of floats contributes five evenly spaced values (on its scale), a range of integers all of them, on a
        logarithmic scale five.
        """
        values = [dimension.grid() for dimension in self]
        return [dict(zip(self.names, point, strict=True)) for point in itertools.product(*values)]

    def sample(self, key: Key | None = None, /, **overrides: object) -> dict[str, Any]:
        """A random configuration.

        Args:
            key: JAX random key; by default the n-th call of a space draws the n-th configuration of the seed.
            overrides: values of some dimensions.

        Raises:
            ValueError: an override of an unknown name, or a value that its dimension does not have.
        """
        for name, value in overrides.items():
            if name not in self._dimensions:
                raise ValueError(f"sample({name}=...): the space has {', '.join(map(repr, self.names)) or 'nothing'}")
            if not self._dimensions[name].accepts(value):
                raise ValueError(f"sample({name}={value!r}): allowed is {self._dimensions[name].describe()}")
        if key is None:
            key = jax.random.fold_in(jax.random.PRNGKey(get_seed()), self._drawn)
            self._drawn += 1
        random = np.random.default_rng(np.asarray(jax.random.bits(key, (4,))).tolist())
        return {dimension.name: dimension.draw(random) for dimension in self} | overrides

    @property
    def parametrization(self) -> Any:
        """The space as a ``nevergrad.p.Dict``; `decode` turns its values into configurations.

        Raises:
            ImportError: Nevergrad is not installed (``jno-jax[tune]``).
        """
        return nevergrad().p.Dict(**{dimension.name: dimension.parametrization() for dimension in self})

    def decode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration of values of `parametrization`, in which options are positions."""
        return {dimension.name: dimension.decode(values[dimension.name]) for dimension in self}

    def arch(self, configuration: Mapping[str, Any]) -> Arch:
        """The architecture of a configuration."""
        return Arch({name: configuration[name] for name in self.groups.get(ARCHITECTURE, [])})

    def labels(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration as plain JSON values: numbers, strings and booleans as they are, other options by name."""
        return {dimension.name: dimension.label(configuration[dimension.name]) for dimension in self}

    def describe(self) -> dict[str, Any]:
        """The space as plain JSON values."""
        return {dimension.name: dimension.describe() for dimension in self}


def check_training(space: ArchSpace) -> None:
    """Refuse names of the category ``"training"`` that are not options of training.

    Raises:
        ValueError: there are some; the message says where they belong.
    """
    unknown = [name for name in space.groups.get(TRAINING, []) if name not in TRAINING_NAMES]
    if unknown:
        names, stand = ", ".join(map(repr, unknown)), "it stands" if len(unknown) == 1 else "they stand"
        raise ValueError(
            f"nothing uses {names} of the search space: {stand} in the category 'training', the default of int_range "
            f"and float_range, and training understands {', '.join(TRAINING_NAMES)}; give what is meant for a network "
            "category='architecture'"
        )


def _checked(category: str, name: str) -> str:
    if not isinstance(category, str) or category not in CATEGORIES:
        raise ValueError(f"category={category!r} of {name!r}: allowed are {', '.join(map(repr, CATEGORIES))}")
    return category


def _checked_ends(method: str, name: str, low: object, high: object, log_scale: object) -> tuple[Any, ...]:
    call = f"{method}({name!r}, {low!r}, {high!r})"
    ends = tuple(end for end in (low, high) if isinstance(end, np.number) or is_number(end))
    if len(ends) < 2 or not all(map(math.isfinite, ends)):
        raise ValueError(f"{call}: the ends must be finite numbers")
    if ends[0] >= ends[1]:
        raise ValueError(f"{call}: the lower end must be below the upper one")
    if not isinstance(log_scale, bool):
        raise ValueError(f"{call}: log_scale={log_scale!r} must be True or False")
    if log_scale and ends[0] <= 0:
        raise ValueError(f"{call}: a logarithmic scale needs a lower end above zero")
    return ends
