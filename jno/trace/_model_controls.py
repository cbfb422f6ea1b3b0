"""Methods of a `Model` that say how it is trained: optimizers, masks, freezing, transforms, adapters, weights."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from jno.utils import (
    FUNCTION,
    KEY,
    MASK,
    NONNEGATIVE,
    NUMBER,
    NUMBERS,
    PATH,
    TEXT,
    Key,
    checked,
    get_logger,
    instance,
    takes,
)

from ._controls import Adapters, Constraint, Controls, Initialization, Mask, checked_dtype
from ._model_handle import H
from ._optimizer_forms import is_optimizer
from ._posterior import StartsFromLogDensity


def optimizer(self: H, opt_fn: object) -> H:
    """Attach an optimizer: an optax transform, or a factory such as ``optax.adam``.

    After ``mask(M)`` it trains only the selected leaves; a bare call sets the optimizer of all leaves and
    removes parameter groups set before.  A frozen model stays frozen.  A factory without a learning rate trains
    at 1e-3 (the core says so once) or, with `scale`, at the rate the scale gives.

    Without a bare call, the leaves outside of all masks have no optimizer.  They are neither frozen nor trained by
    that of a mask: training refuses to begin until one of both is said.

    Args:
        opt_fn: an optax transform, an object with its methods ``init`` and ``update`` (``optax.MultiSteps``), or a
            callable that returns one of these.

    Raises:
        TypeError: ``opt_fn`` is none of these.
    """
    if not is_optimizer(opt_fn):
        raise TypeError(
            f"optimizer({opt_fn!r}): expected an optax transform such as optax.adam(1e-3) or a factory such as "
            f"optax.adam, got {type(opt_fn).__name__}"
        )
    mask = self.take_mask()
    if mask is None:
        if self.controls.groups:
            get_logger().warning(
                f"{self.model_key}.optimizer() replaces {len(self.controls.groups)} parameter group(s) set before; "
                "to keep groups beside a default, call optimizer() first and mask(...).optimizer() afterwards"
            )
        self._change(groups=())
    return self._set(self.controls.with_group(mask, optimizer=opt_fn, posterior=None))


def scale(self: H, schedule: object) -> H:
    """Multiply the updates of the optimizer by a number or schedule (after ``mask(M)``: of that group).

    A bare call reaches all leaves that are trained by an optimizer, those of masks included, except where a mask
    has a scale, which then counts alone.

    Args:
        schedule: a number, an optax schedule ``count -> value``, or a JAX-traceable callable
            ``(epoch, losses) -> value`` with ``losses`` the vector of constraint losses of the same step.

    Raises:
        TypeError: ``schedule`` is neither.  When training begins, a ``ValueError``: it would reach no leaf.
    """
    if isinstance(schedule, bool) or not (callable(schedule) or isinstance(schedule, int | float)):
        raise TypeError(f"scale({schedule!r}): expected a number or a schedule, got {type(schedule).__name__}")
    if not (takes(schedule, 1) or takes(schedule, 2) if callable(schedule) else NONNEGATIVE.accepts(schedule)):
        raise ValueError(
            f"scale(schedule={schedule!r}): it must be a number of at least 0, or a function of (count) or of "
            "(epoch, losses); a negative factor would raise the loss"
        )
    return self._set(self.controls.with_group(self.take_mask(), scale=schedule))


def freeze(self: H) -> H:
    """Do not train the model; after ``mask(M)``: do not train the selected leaves."""
    mask = self.take_mask()
    if mask is None:
        return self._change(frozen=True)
    return self._change(freeze_masks=(*self.controls.freeze_masks, mask))


def unfreeze(self: H) -> H:
    """Train the model normally again: clears whole-model and masked freezing."""
    self._refuse_mask("unfreeze")
    return self._change(frozen=False, freeze_masks=())


@checked(param_mask=MASK)
def mask(self: H, param_mask: Mask = None) -> H:
    """Select leaves for the next call of a method that takes a mask, or for ``u.grad(net)`` (one shot).

    These are ``optimizer``, ``scale``, ``freeze``, ``lora``, ``constrain``, ``bayesian`` and ``vi``; the other
    methods act on the whole model and refuse a mask.

    Args:
        param_mask: boolean pytree that mirrors the module, ``True`` where a leaf is selected; ``None`` clears
            an open selection.

    Raises:
        ValueError: a mask is open already, which nothing has used.  When training begins: a mask that selects no
            leaf that can be trained, or that nothing has used.
    """
    if param_mask is not None and self.open_mask is not None:
        self._refuse_mask("mask")
    self.open_mask = param_mask
    return self


def constrain(self: H, transform: object) -> H:
    """Transform the parameters before every use, e.g. to keep them positive; after ``mask(M)`` the selected ones.

    Training changes the parameters as they are stored, in `module`: unconstrained.  What the network
    computes with is ``transform(parameter)`` (`constrained`), through ``paramax.Parameterize``.  Several
    calls apply one after the other.

    Args:
        transform: a JAX function of one array that keeps its shape, e.g. ``jax.nn.softplus``.

    Raises:
        TypeError: ``transform`` is not callable.
    """
    if not callable(transform) or not takes(transform, 1):
        raise TypeError(
            f"constrain({transform!r}): expected a function such as jax.nn.softplus, got {type(transform).__name__}"
        )
    added = Constraint(transform, self.take_mask())
    return self._change(constraints=(*self.controls.constraints, added))


@checked(alpha=NUMBER, target=TEXT, specs=instance("a list of dictionaries with target and rank", list, tuple))
def lora(
    self: H,
    rank: int = 4,
    alpha: float | int = 1.0,
    *,
    target: str | None = None,
    wrapper: object = None,
    specs: list[dict[str, Any]] | None = None,
) -> H:
    """Fine-tune with low-rank adapters, which are put in when the next core is built.

    Wrapped layers keep their weights; their adapters are trained, and so are the layers that are not wrapped.
    ``freeze().lora(...)`` trains the adapters only.  ``mask(M).lora(...)`` wraps only layers with a selected leaf.
    `jno.lora.merge_lora(net.module)` gives the plain network again.

    Args:
        rank: rank of the adapters.
        alpha: their scaling factor.
        target: regular expression searched in the path of a layer, e.g. ``"hidden_layers/0"``; default all layers.
        wrapper: adapter class, or classes that are tried in order; default ``(LoRALinear, LoRAConv)``.
        specs: instead of the above, dicts with ``target``, ``rank``, ``alpha`` and optionally ``wrapper``; the
            first one that matches a layer counts.

    Raises:
        ValueError: a rank below one, or ``specs`` beside ``target`` or ``wrapper``.  When the core is built: a
            target that matches nothing, a layer that no adapter handles.
    """
    adapters = Adapters.checked(rank, alpha, target, wrapper, specs, self.open_mask)
    self.take_mask()
    trained: Literal["only", "and rest"] = "only" if self.controls.frozen else "and rest"
    return self._change(frozen=False, freeze_masks=(), adapters=trained, lora=adapters)


def dtype(self: H, dtype: object) -> H:
    """Set the working precision: parameters are cast when a core is built, inputs at every call.

    Args:
        dtype: a floating dtype object such as ``jnp.bfloat16``.

    Raises:
        ValueError: a string (precision of the *data* is JAX's ``jax_enable_x64`` flag), or no floating dtype.
    """
    floating = checked_dtype(dtype)
    self._refuse_mask("dtype")
    return self._change(dtype=floating)


@checked(weights=PATH | FUNCTION | NUMBERS, key=KEY)
def initialize(self: H, weights: object, *, key: Key | None = None) -> H:
    """Load weights when the next core or `jno.fem` is built; the last call wins.

    Args:
        weights: path of an Equinox ``.eqx`` file, or of a file that `jno.save` wrote with ``data_only=True``;
            directory of a checkpoint (of `jno.callbacks.checkpoint`, newest or that of one step, or of any module
            saved by Orbax); with several models ``"path::model"``; a
            pytree like the module; an array or number (for a parameter); or an initializer
            ``(key, shape, dtype) -> array`` applied to every floating leaf.  For a model with `bayesian` also
            `jno.bayesian.pathfinder`, ``laplace`` or ``svgd``, which choose where its chains start, from the
            weights it has by then.
        key: random key for a callable; default: derived from the seed.
    """
    self._refuse_mask("initialize")
    if isinstance(weights, StartsFromLogDensity) and weights.requires_logdensity:
        requests: dict[str, Initialization | None] = {"start": Initialization(weights, key)}
    else:
        requests = {"initialization": Initialization(weights, key), "start": None}
    self.posterior_samples = self.posterior_diagnostics = None
    return self._change(**requests)


def tune(
    self: H,
    *,
    freeze: list[Any] | None = None,
    lora: list[Any] | None = None,
    optimizer: list[Any] | None = None,
    lr: list[Any] | None = None,
    dtype: list[Any] | None = None,
) -> H:
    """Let ``core.sweep`` try several settings of this model; without a sweep it changes nothing.

    Every control with candidates is a dimension of the search, ``<model_key>__freeze`` and so on; controls without
    stay as the model has them.  In a trial, ``freeze`` comes before ``lora``: a frozen model with adapters trains
    the adapters only.  Several calls add up, the last one about a control counts.

    Args:
        freeze: booleans; ``False`` trains the whole model.
        lora: pairs ``(rank, alpha)`` for `lora`, or ``None`` for no adapters.
        optimizer: optax transforms or factories; the chosen one replaces that of the model, not those of masks.
        lr: learning rates: numbers or schedules as for `scale`; the optimizer must then be a factory with a
            parameter ``learning_rate``.
        dtype: floating dtype objects.

    Raises:
        TypeError: an argument that is not a list, or a candidate of the wrong type.
        ValueError: no argument, or an empty list.

    Example:
        >>> import foundax, jax, jno, optax
        >>> net = jno.nn(foundax.mlp(1, hidden_dims=4, key=jax.random.PRNGKey(0)), name="net")
        >>> net = net.tune(freeze=[True, False], lora=[(4, 1.0), None], optimizer=[optax.adam], lr=[1e-3, 1e-4])
    """
    self._refuse_mask("tune")
    tuning = self.controls.tuning.with_candidates(freeze=freeze, lora=lora, optimizer=optimizer, lr=lr, dtype=dtype)
    # training does not change, so what was compiled stays
    self.controls = dataclasses.replace(self.controls, tuning=tuning)
    return self


def reset(self: H) -> H:
    """Forget all controls (optimizers, posteriors, groups, masks, freezing, transforms, dtype), requests and draws;
    weights stay.
    """
    self.posterior_samples = self.posterior_diagnostics = None
    self.open_mask = None
    self.weight_path = None
    return self._set(Controls())
