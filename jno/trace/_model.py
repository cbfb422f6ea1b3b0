"""`Model`: a network's handle.  It records what was asked of the network; the floors above act on the record."""

from __future__ import annotations

import itertools
import re
from typing import Any

from jno.utils import PATH, TEXT, checked

from . import _model_controls, _model_files, _model_posterior
from ._controls import Controls, Initialization, Mask
from ._model_files import current_attributes
from ._model_handle import ModelHandle
from ._placeholder import Placeholder
from ._services import Service
from ._tuning import Tuning

_layer_ids = itertools.count(1)


class Model(ModelHandle):
    """A network (or a trainable parameter) in the trace.

    Calling it with expressions builds a `ModelCall`.  Configuration methods return the model, so they chain:
    ``net = jno.nn(module).optimizer(optax.adam(1e-3))``.  The weights live in `module`; after
    ``core.solve`` they are the trained ones.  A model may be used by several cores.

    Args:
        module: an Equinox module (see ``jno.nn.wrap`` for other kinds).
        name: display name; default ``model_<id>``.
        weight_path: pretrained weights, loaded as by `initialize`.

    Attributes:
        posterior_samples: draws of a model with `bayesian` or `vi` after ``core.solve``, else ``None``:
            NumPy arrays ``(chains, draws, *shape)``, of a parameter one array, of a network its pytree (``None`` where
            a leaf is not sampled).
        posterior_diagnostics: arrays ``(chains, draws)`` by name, as far as the kernel has them: ``is_divergent``,
            ``acceptance_rate``, ``energy``; ``None`` for stochastic gradients and `vi`.

    Example:
        >>> import foundax, jax, jno, optax
        >>> net = jno.nn(foundax.mlp(2, hidden_dims=8, key=jax.random.PRNGKey(0)), name="u")
        >>> net.optimizer(optax.adam(1e-3)) is net
        True
        >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
        >>> jno.core([net(x, y).mse]).eval(net(x, y)).shape
        (1, 9, 1)
    """

    @checked(name=TEXT, weight_path=PATH)
    def __init__(self, module: object, name: str = "", weight_path: str | None = None) -> None:
        self.module: Any = module
        self.name = name
        self.weight_path = weight_path
        self.layer_id = next(_layer_ids)
        self.controls = Controls(initialization=None if weight_path is None else Initialization(weight_path))
        self.posterior_samples: Any = None
        self.posterior_diagnostics: dict[str, Any] | None = None
        self.open_mask: Mask = None
        self.default_key: Any = None
        self.space: Any = None
        self.version = 0

    @property
    def params(self) -> Any:
        """Same as `module`."""
        return self.module

    @property
    def tuning(self) -> Tuning:
        """What `tune` lets a sweep try."""
        return self.controls.tuning

    def __call__(self, *arguments: object) -> Placeholder:
        """Apply the network to expressions; the module receives whole arrays ``(N, D)``, one per argument."""
        return call_model(self, arguments)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Ids are unique within a process: a loaded model must not take that of a model built here.
        self.__dict__.update(current_attributes(state), layer_id=next(_layer_ids))

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} is a network, not a sequence; call it with expressions first")

    def __repr__(self) -> str:
        return f"Model({self.model_key}: {type(self.module).__name__})"

    def _repr_html_(self) -> str:
        """The table of `summary`, for notebooks."""
        return model_markup(self)

    # --- training: _model_controls ----------------------------------------------------------------------------
    optimizer = _model_controls.optimizer
    scale = _model_controls.scale
    freeze = _model_controls.freeze
    unfreeze = _model_controls.unfreeze
    mask = _model_controls.mask
    constrain = _model_controls.constrain
    lora = _model_controls.lora
    dtype = _model_controls.dtype
    initialize = _model_controls.initialize
    tune = _model_controls.tune
    reset = _model_controls.reset

    # --- uncertainty: _model_posterior ------------------------------------------------------------------------
    bayesian = _model_posterior.bayesian
    vi = _model_posterior.vi

    # --- files: _model_files ----------------------------------------------------------------------------------
    export = _model_files.export
    to_iree = _model_files.to_iree

    # --- what it is -------------------------------------------------------------------------------------------
    @property
    def constrained(self) -> Any:
        """The module with the transforms of `constrain` applied: what the network computes with."""
        return constrained_module(self.module, self)

    def summary(self) -> Model:
        """Print a table of the leaves: path, shape, dtype, group, optimizer, trained or frozen; returns the model."""
        print_model(self)
        return self


# A call is an expression that knows its model; the others need JAX's pytrees or the compiler, which the trace does not
# import.
call_model: Service[[Model, tuple[object, ...]], Placeholder] = Service("calls of models", "jno.trace")
constrained_module: Service[[Any, Model], Any] = Service("the transformed parameters of a model", "jno.architectures")
model_markup: Service[[Model], str] = Service("the table of a model", "jno.architectures")
print_model: Service[[Model], None] = Service("the summary of a model", "jno.architectures")


def has_numbered_name(name: str) -> bool:
    """Whether a model's name is one that nobody gave it: its number differs from process to process."""
    return re.fullmatch(r"(model|parameter)_\d+", name) is not None
