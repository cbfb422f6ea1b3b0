"""`Bound`: an expression whose coordinates have names, so that its derivatives are read as attributes: ``u.xy``."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ._leaves import Variable
from ._node import Pointwise
from ._operations import GetItem
from ._placeholder import Placeholder
from ._services import Service

_LONGEST = 4
"""Letters of the longest named derivative."""

build_divergence: Service[[Placeholder, tuple[object, ...]], Placeholder] = Service("divergences", "jno.jnp_ops")
build_curl: Service[[Placeholder, tuple[object, ...]], Placeholder] = Service("curls", "jno.jnp_ops")
build_norm: Service[[Placeholder], Placeholder] = Service("norms of vectors", "jno.jnp_ops")
freeze_field: Service[[Placeholder, object], Placeholder] = Service("known fields", "jno.trace")
build_dot: Service[[Placeholder, object], Placeholder] = Service("products of vectors", "jno.jnp_ops")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Bound(Placeholder):
    """The same expression with named coordinates; see `Placeholder.bind`.

    ``u.x`` is the derivative by the coordinate named x, ``u.xx`` and ``u.xy`` second ones, up to four letters;
    ``u[i]`` is component ``i`` (not the value at point ``i``), a column ``(N, 1)``.
    """

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    names: tuple[tuple[str, Variable], ...]

    def describe(self) -> str:
        return f"bind({', '.join(name for name, _ in self.names)})"

    def pointwise(self) -> Pointwise:
        return Pointwise.YES

    def follows_from_data(self) -> bool:
        return True

    def __getitem__(self, index: object) -> Placeholder:
        if isinstance(index, int) and not isinstance(index, bool):
            return self.component(index)
        return super().__getitem__(index)

    def component(self, index: int) -> Bound:
        """Component ``index`` at every point, a column ``(N, 1)``."""
        return self._like(component(self.target, index))

    def __getattr__(self, name: str) -> Any:
        bound = dict(self.__dict__.get("names", ()))
        letters = [name] if name in bound else name.split("_") if "_" in name else list(name)
        if not bound or name.startswith("__") or not 0 < len(letters) <= _LONGEST or not bound.keys() >= set(letters):
            described = f"; the bound coordinates are {', '.join(bound)}" if bound else ""
            raise AttributeError(f"an expression has no attribute {name!r}{described}")
        derivative = self.target
        for letter in letters:
            derivative = derivative.d(bound[letter])
        return self._like(derivative)

    def __call__(self, *new_variables: object) -> Placeholder:
        target = self.target(*new_variables)
        variables = [variable for variable in new_variables if isinstance(variable, Variable)]
        return with_names(target, variables) if len(variables) == len(new_variables) else target

    # --- differential operators in the bound coordinates ----------------------------------------------------------
    def grad(self, *arguments: object, **options: Any) -> Placeholder:
        """As `Placeholder.grad`; by default with respect to the bound coordinates."""
        return self._like(self.target.grad(*(arguments or self._space("grad")), **options))

    def laplacian(self, *variables: object, **options: Any) -> Placeholder:
        """As `Placeholder.laplacian`; by default with respect to the bound coordinates."""
        return self._like(self.target.laplacian(*(variables or self._space("laplacian")), **options))

    def hessian(self, *variables: object, **options: Any) -> Placeholder:
        """As `Placeholder.hessian`; by default with respect to the bound coordinates."""
        return self._like(self.target.hessian(*(variables or self._space("hessian")), **options))

    def div(self, *variables: object) -> Placeholder:
        """Divergence of a vector, a column ``(N, 1)``; by default with respect to the bound coordinates."""
        return self._like(build_divergence(self.target, variables or self._space("div")))

    def curl(self, *variables: object) -> Placeholder:
        """Curl of a vector: in the plane the scalar ``d(v_y)/dx - d(v_x)/dy``, in space a vector."""
        return self._like(build_curl(self.target, variables or self._space("curl")))

    def freeze(self, values: object) -> Bound:
        """A field of a weak form with known degrees of freedom ``(dofs,)``, see `jno.fem`; of a bound symbol only."""
        return self._like(freeze_field(self.target, values))

    def dot(self, right: object) -> Placeholder:
        """Scalar product at every point, ``(N,)``."""
        return build_dot(self.target, right)

    def norm(self) -> Placeholder:
        """Euclidean length of the vector at every point, ``(N,)``."""
        return build_norm(self.target)

    def _space(self, operator: str) -> tuple[Variable, ...]:
        variables = tuple(variable for _, variable in self.names if variable.axis == "spatial")
        if not variables:
            raise TypeError(f".{operator}() needs variables: no coordinates of space are bound, bind(x=x, y=y)")
        return variables

    def _like(self, target: Placeholder) -> Bound:
        return Bound(target, self.names)


def bound(target: Placeholder, names: dict[str, object]) -> Bound:
    """``target`` with named coordinates.

    Raises:
        TypeError: no names, or something that is not a variable of one coordinate.
        ValueError: a name that a method of expressions has, or one variable under two names.
    """
    if not names:
        raise TypeError("bind() needs names of coordinates, e.g. u.bind(x=x, y=y)")
    plain = target.target if isinstance(target, Bound) else target
    earlier = dict(target.names) if isinstance(target, Bound) else {}
    for name, variable in names.items():
        if not isinstance(variable, Variable):
            raise TypeError(f"bind({name}={variable!r}): bind variables of domain.variable(...)")
        if hasattr(Bound, name) or not name.isidentifier():
            raise ValueError(f"bind({name}=...): every expression has {name!r} already; use another name")
        if name in earlier and earlier[name] is not variable:
            raise ValueError(f"coord binding conflict for {name!r}: it is bound to {earlier[name]!r} already")
        earlier[name] = variable
    return Bound(plain, tuple(earlier.items()))


def with_names(target: Placeholder, variables: list[Variable]) -> Placeholder:
    """``target`` with the variables under the names x, y, z and t; unchanged where they have other meanings."""
    names = {}
    for variable in variables:
        if variable.axis == "temporal":
            names["t"] = variable
        elif variable.dim[1] == variable.dim[0] + 1 and variable.dim[0] < 3:
            names["xyz"[variable.dim[0]]] = variable
    return Bound(target.target if isinstance(target, Bound) else target, tuple(names.items())) if names else target


def component(target: Placeholder, index: object) -> GetItem:
    """One component at every point, a column; `Ellipsis` keeps the points.

    Raises:
        TypeError: ``index`` is not an integer.
        IndexError: it is negative.
    """
    if not isinstance(index, int) or isinstance(index, bool):
        raise TypeError(f"a component is chosen by an integer, got {index!r}")
    if index < 0:
        raise IndexError(f"component {index}: components are counted from 0")
    return GetItem(target, (Ellipsis, slice(index, index + 1)))
