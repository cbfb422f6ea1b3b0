"""Fields of weak forms: unknowns and test functions, and what is computed from a whole weak problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from jno.utils import NUMBER

from ._bound import Bound, bound, component, freeze_field, with_names
from ._leaves import TensorTag, Variable, as_node
from ._node import Pointwise
from ._placeholder import Placeholder

CELL_SIZE = "__cell_size__"
"""Tag of the variable that stands for the size of the cell a quadrature point lies in."""

Role = Literal["trial", "test", "coefficient"]


@dataclasses.dataclass(frozen=True, eq=False)
class Field:
    """A finite element space with a name: two calls of `domain.fem_symbols` give two fields, even of one name.

    Attributes:
        name: label of blocks and messages.
        domain: the domain whose mesh carries the field.
        shape: ``()`` of a scalar, ``(n,)`` of a vector.
        order: polynomial order of the Lagrange elements.
    """

    name: str
    domain: Any
    shape: tuple[int, ...]
    order: int

    @property
    def components(self) -> int:
        """Number of components."""
        return self.shape[0] if self.shape else 1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FieldValue(Placeholder):
    """The value of a field at points, ``(N, components)``.

    Without variables it is the symbol itself, which lives where the other variables of its term do.  Its derivatives
    are not computed: they are tabulated at the quadrature points.
    """

    child_fields: ClassVar[tuple[str, ...]] = ("variables",)
    field: Field
    role: Role
    variables: tuple[Variable, ...] = ()
    source: Any = None
    """What has the degrees of freedom of a coefficient: a `Model`, or an array."""
    label: str = ""

    def describe(self) -> str:
        return self.label or self.field.name

    def pointwise(self) -> Pointwise:
        return Pointwise.YES

    def __call__(self, *new_variables: object) -> Bound:
        """The field at the coordinates ``new_variables``; those of time are left out.

        Raises:
            TypeError: no coordinates, or something that is not a variable.
        """
        variables = [variable for variable in new_variables if isinstance(variable, Variable)]
        if not variables or len(variables) != len(new_variables):
            raise TypeError(
                f"{self.field.name}(...) takes coordinates, e.g. {self.field.name}(x, y); got {new_variables!r}"
            )
        named = with_names(self._at(variables), variables)
        assert isinstance(named, Bound)
        return named

    def bind(self, **names: object) -> Bound:
        """The field at named coordinates, see `Placeholder.bind`."""
        variables = [variable for variable in names.values() if isinstance(variable, Variable)]
        return bound(self._at(variables), names)

    def _at(self, variables: list[Variable]) -> FieldValue:
        for variable in variables:
            if variable.domain is not self.field.domain:
                raise ValueError(
                    f"the field {self.field.name!r} lives on {self.field.domain!r} and {variable!r} on "
                    f"{variable.domain!r}; make the field with fem_symbols of the variable's domain"
                )
        times = [variable for variable in variables if variable.axis == "temporal"]
        space = [variable for variable in variables if variable.axis == "spatial"]
        return dataclasses.replace(self, variables=(*space, *times))

    def __getitem__(self, index: object) -> Placeholder:
        return component(self, index)

    def component(self, index: int) -> Placeholder:
        """Component ``index`` at every point, a column ``(N, 1)``."""
        return component(self, index)

    def freeze(self, values: object) -> FieldValue:
        """The field with known degrees of freedom, as a coefficient of terms.

        Args:
            values: one number for every degree of freedom of the field, ``(dofs,)``, e.g. ``solution[fem.blocks[0]]``.

        Raises:
            ValueError: an array that is not a vector of finite numbers.
        """
        try:
            array = np.asarray(values)
        except (TypeError, ValueError):
            array = np.asarray("")
        real = array.dtype.kind in "iuf"
        if not real or array.ndim != 1 or not np.all(np.isfinite(array)):
            raise ValueError(
                f"{self.field.name}.freeze(values): a vector of finite numbers is needed, one for every degree "
                f"of freedom; got {f'an array of shape {array.shape}' if real else repr(values)}"
            )
        array = array.astype(np.float64)
        return dataclasses.replace(self, role="coefficient", source=array)

    def pin(self, value: object = 0.0) -> Pin:
        """Fix the constant of a scalar unknown: its value at the vertex nearest to the lower corner is ``value``.

        Raises:
            ValueError: a test function, or a vector.
        """
        if self.role != "trial":
            raise ValueError(f"pin() fixes a trial symbol, and {self.field.name!r} is a {self.role} function")
        if self.field.shape:
            raise ValueError(
                f"pin() fixes a scalar unknown, and {self.field.name!r} has {self.field.components} "
                "components; prescribe them at a domain.point_region(...)"
            )
        NUMBER.require(value, "pin(value)")
        return Pin(self, float(value))  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Lag(Placeholder):
    """A coefficient that Newton's method takes as known in every linearisation."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder

    def describe(self) -> str:
        return "lag"

    def pointwise(self) -> Pointwise:
        return Pointwise.YES


def lag(expression: object) -> Lag:
    """A coefficient that is frozen in each linearisation of a weak form: ``jno.lag(k(u)) * u.x * v.x``.

    The solution and its derivatives by parameters are the same; only the way to it is another, Picard's iteration for
    a coefficient of the solution, which converges from farther away and more slowly.

    Args:
        expression: any expression.

    Returns:
        An expression of the same value.

    Example:
        >>> import jax, jno
        >>> domain = jno.domain.line(mesh_size=0.25)
        >>> x, _ = domain.variable("interior")
        >>> xb, _ = domain.variable("boundary")
        >>> u, v = domain.fem_symbols()
        >>> with jax.enable_x64(True):
        ...     problem = jno.fem([jno.lag(1 + u**2) * u.d(x) * v.d(x) - 2 * v, u(xb) - 0.0])
        ...     middle = problem.solve()[2]
        >>> round(float(middle), 4)
        0.2451
    """
    return Lag(as_node(expression))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pin(Placeholder):
    """The condition that an unknown has a value at one node."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: FieldValue
    value: float

    def describe(self) -> str:
        return f"pin({self.value})"


@runtime_checkable
class WeakProblem(Protocol):
    """What a `WeakValue` is computed by: a weak problem with its options."""

    @property
    def title(self) -> str:
        """What the value is called in trees and messages."""

    @property
    def domain(self) -> Any:
        """The domain of the problem."""

    @property
    def models(self) -> tuple[Any, ...]:
        """The models it reads."""

    def value(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Any:
        """The array, from modules by ``Model.layer_id`` and data by tag; NaN where the problem has no solution."""

    def check(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> None:
        """Raise the error that says why the problem has no solution, if it has none."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class WeakValue(Placeholder):
    """An array that is computed from a whole weak problem: its solution, or its vector of residuals."""

    child_fields: ClassVar[tuple[str, ...]] = ("data",)
    problem: WeakProblem
    data: tuple[TensorTag, ...] = ()

    def describe(self) -> str:
        return self.problem.title

    def models(self) -> tuple[Any, ...]:
        return self.problem.models

    @property
    def domain(self) -> Any:
        """The domain of the problem."""
        return self.problem.domain


@freeze_field.register
def _frozen(target: Placeholder, values: object) -> FieldValue:
    if not isinstance(target, FieldValue):
        raise TypeError(f"freeze(values) gives a symbol of domain.fem_symbols() known values; {target!r} is no symbol")
    return target.freeze(values)
