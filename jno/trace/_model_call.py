"""`ModelCall`: a network applied to expressions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Concatenate, ParamSpec

from ._leaves import as_node
from ._model import Model, call_model
from ._node import Pointwise
from ._placeholder import Placeholder
from ._services import Service

P = ParamSpec("P")

build_regularization: Service[..., Placeholder] = Service("regularisation terms", "jno.weak")


def _on_model(method: Callable[Concatenate[Model, P], Model]) -> Callable[Concatenate[ModelCall, P], ModelCall]:
    """The method of a call that configures its model and returns the call, with the model's docstring and signature."""

    @functools.wraps(method)
    def configure(call: ModelCall, *args: P.args, **kwargs: P.kwargs) -> ModelCall:
        method(call.model, *args, **kwargs)
        return call

    return configure


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ModelCall(Placeholder):
    """``model(*args)``.  Configuration methods of the model may be called on it and return the call."""

    child_fields: ClassVar[tuple[str, ...]] = ("args",)
    model: Model
    args: tuple[Placeholder, ...]

    def describe(self) -> str:
        return self.model.model_key

    def pointwise(self) -> Pointwise:
        return Pointwise.BY_MODEL

    def models(self) -> tuple[Model, ...]:
        return (self.model,)

    def __call__(self, *new_variables: object) -> Placeholder:
        if self.args:
            return super().__call__(*new_variables)
        raise TypeError(f"{self.model.model_key} is a parameter and takes no arguments")

    def name(self, label: str) -> ModelCall:
        """Set the label; on a parameter this also renames the model."""
        super().name(label)
        if not self.args:
            self.model.name = label
        return self

    def regularize(self, kind: str, *variables: object, **options: Any) -> Placeholder:
        """A regularisation term of an unknown coefficient, to be added to the constraints.

        Args:
            kind: of a nodal field ``jno.np.parameter(symbol)``: ``"h1seminorm"`` (``"h1"``, ``"smooth"``), ``"l2"``
                (``"tikhonov"``, ``"ridge"``; ``ref=``), ``"tv"`` (``eps=1e-8``), vectors whose **sum** is the integral
                of the squared gradient, of the square of ``k - ref``, of the length of the gradient; ``"nonneg"``
                (``strength=1``) and ``"bounded"`` (``lo=``, ``hi=``), penalties for every entry. Of a network
                ``"smooth"`` and ``"tv"`` at its points, ``"nonneg"`` and ``"bounded"``.
            *variables: coordinates, of a network.
            **options: see above.

        Returns:
            An expression. Take ``.sum`` of a vector of a nodal field: its mean depends on the number of nodes.

        Raises:
            ValueError: an unknown kind or option, or missing variables.
        """
        return build_regularization(self, kind, variables, options)

    @property
    def module(self) -> Any:
        """The model's weights."""
        return self.model.module

    optimizer = _on_model(Model.optimizer)
    freeze = _on_model(Model.freeze)
    unfreeze = _on_model(Model.unfreeze)
    mask = _on_model(Model.mask)
    dtype = _on_model(Model.dtype)  # type: ignore[assignment]  # of an expression: not known
    constrain = _on_model(Model.constrain)
    lora = _on_model(Model.lora)
    bayesian = _on_model(Model.bayesian)
    vi = _on_model(Model.vi)
    initialize = _on_model(Model.initialize)
    tune = _on_model(Model.tune)
    reset = _on_model(Model.reset)
    summary = _on_model(Model.summary)

    @property
    def posterior_samples(self) -> Any:
        """See `Model.posterior_samples`."""
        return self.model.posterior_samples

    @property
    def posterior_diagnostics(self) -> dict[str, Any] | None:
        """See `Model.posterior_diagnostics`."""
        return self.model.posterior_diagnostics


@call_model.register
def _call(model: Model, arguments: tuple[object, ...]) -> ModelCall:
    return ModelCall(model, tuple(as_node(argument) for argument in arguments))
