"""`Model`: a network's handle.  It records what was asked of the network; the floors above act on the record."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Sequence
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
from ._optimizer_forms import is_optimizer
from ._placeholder import Placeholder
from ._posterior import Posterior, Sampling, StartsFromLogDensity, Variational
from ._services import Service
from ._tuning import Tuning

_layer_ids = itertools.count(1)

UNUSED_MASK = (
    "A mask selects leaves for the next optimizer(), scale(), freeze(), lora(), constrain(), bayesian(), vi() or "
    "u.grad(net); mask(None) clears it"
)
"""What to do with a mask that nothing uses."""


class Model:
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
    def model_key(self) -> str:
        """Name shown to users: `name`, or ``model_<id>``."""
        return self.name or f"model_{self.layer_id}"

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
        self.__dict__.update(_current(state), layer_id=next(_layer_ids))

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} is a network, not a sequence; call it with expressions first")

    def __repr__(self) -> str:
        return f"Model({self.model_key}: {type(self.module).__name__})"

    def _repr_html_(self) -> str:
        """The table of `summary`, for notebooks."""
        return model_markup(self)

    # --- training controls ------------------------------------------------------------------------------------
    def optimizer(self, opt_fn: object) -> Model:
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

    def scale(self, schedule: object) -> Model:
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

    def freeze(self) -> Model:
        """Do not train the model; after ``mask(M)``: do not train the selected leaves."""
        mask = self.take_mask()
        if mask is None:
            return self._change(frozen=True)
        return self._change(freeze_masks=(*self.controls.freeze_masks, mask))

    def unfreeze(self) -> Model:
        """Train the model normally again: clears whole-model and masked freezing."""
        self._refuse_mask("unfreeze")
        return self._change(frozen=False, freeze_masks=())

    @checked(param_mask=MASK)
    def mask(self, param_mask: Mask = None) -> Model:
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

    def _refuse_mask(self, method: str) -> None:
        if self.open_mask is not None:
            raise ValueError(
                f"{self.model_key}.mask(...).{method}(): the mask acts on nothing, {method}() has no use for it. "
                f"{UNUSED_MASK}"
            )

    # --- uncertainty ------------------------------------------------------------------------------------------
    def bayesian(
        self,
        kernel_factory: object,
        *,
        prior: object = None,
        warmup: int = 500,
        keep: int = 1000,
        thin: int = 1,
        adapt: bool = True,
        num_chains: int = 1,
        init_jitter: float | int = 0.0,
        likelihood_scale: float | int = 1.0,
        **kernel_kwargs: object,
    ) -> Model:
        """Sample the parameters from their posterior instead of optimising them; after ``mask(M)`` the selected ones.

        The log density is ``-likelihood_scale * loss + prior``, with the loss `core.solve` minimises: the mean over
        constraints.  For ``N`` measurements with Gaussian noise of standard deviation σ as the mean square of the
        only constraint, ``likelihood_scale = N / (2 σ²)`` (times the number of constraints, of which the loss is the
        mean).  Every epoch of ``solve`` makes one transition of the kernel; models with optimizers are trained beside
        it, on the mean over chains.  Models with equal settings are sampled together, others in
        turn, each conditional on the current values of the rest (Gibbs).

        Args:
            kernel_factory: a function of Blackjax such as ``blackjax.nuts``, ``hmc``, ``mala``, ``sgld``, ``sghmc``, or
                any that returns ``init`` and ``step`` as these do.  Its first argument is a log density
                (``logdensity_fn``) or a stochastic gradient of it (``grad_estimator``); the name tells which.
            prior: log density of the parameters (see `jno.bayesian.priors`): a function of what
                `posterior_samples` holds of one draw; default ``N(0, 10²)`` for every parameter.
            warmup: transitions before the first draw is kept.  With window adaptation they come before the first
                epoch, otherwise they are the first epochs.
            keep: most draws that are kept: the newest.
            thin: every ``thin``-th draw is kept.
            adapt: let window adaptation (as in Stan) choose ``step_size`` and ``inverse_mass_matrix`` of kernels that
                have both and an acceptance rate (NUTS, HMC).  ``step_size`` is then where it starts;
                ``target_acceptance_rate`` (0.8) and ``is_mass_matrix_diagonal`` (True) are passed on.
            num_chains: independent chains, vectorised.
            init_jitter: standard deviation of the noise added to the start of every chain.
            likelihood_scale: see above.
            kernel_kwargs: passed to the factory; for stochastic gradients ``step_size`` may be a schedule
                ``count -> value``.

        Raises:
            ValueError: numbers out of range; after `vi`; when training begins: a kernel without ``step_size``,
                unknown keywords, a loss that is random for a kernel that needs the log density.
            TypeError: arguments of a wrong type.

        Example:
            >>> import blackjax, jno
            >>> domain = jno.domain.line(mesh_size=0.5)
            >>> k = jno.np.parameter((), name="k")
            >>> k = k.bayesian(blackjax.mala, step_size=0.1, warmup=10, keep=20, num_chains=2)
            >>> history = jno.core([(k - 1.0).mse], domain=domain).solve(30)  # doctest: +ELLIPSIS
            INFO: ...
            >>> k.posterior_samples.shape
            (2, 20)

        Source: BlackJAX (Cabezas et al. 2024, arXiv:2402.10797); B-PINNs (Yang, Meng, Karniadakis 2021).
        """
        record = Sampling(
            kernel_factory, prior, warmup, keep, thin, adapt, num_chains, init_jitter, likelihood_scale, kernel_kwargs
        )
        return self._sample(record)

    def vi(
        self,
        factory: object,
        *,
        optimizer: object,
        num_samples: int = 8,
        posterior_draws: int = 500,
        prior: object = None,
        likelihood_scale: float | int = 1.0,
        init_log_std: float | int = -3.0,
        init_mu_at_position: bool = True,
        **options: object,
    ) -> Model:
        """Approximate the posterior of `bayesian` by a Gaussian instead; after ``mask(M)`` of the selected ones.

        Every epoch of ``solve`` makes one step on the evidence lower bound.  The module then holds the mean.

        Args:
            factory: ``blackjax.meanfield_vi``, ``blackjax.fullrank_vi``, or any that returns ``init``, ``step`` and
                ``sample`` as these do.
            optimizer: optax transform with its learning rate.
            num_samples: draws that estimate the gradient of a step.
            posterior_draws: draws put into `posterior_samples` after ``solve``.
            prior: as in `bayesian`.
            likelihood_scale: as in `bayesian`.
            init_log_std: logarithm of the standard deviations at the start.
            init_mu_at_position: whether the mean starts at the weights the model has, or at zero.
            options: passed to the factory.

        Raises:
            ValueError: numbers out of range; after `bayesian`; when training begins: unknown options, an
                initializer that needs the log density.
            TypeError: arguments of a wrong type.

        Example:
            >>> import blackjax, jno, optax
            >>> domain = jno.domain.line(mesh_size=0.5)
            >>> k = jno.np.parameter((), name="k")
            >>> k = k.vi(blackjax.meanfield_vi, optimizer=optax.adam(0.1), posterior_draws=50)
            >>> history = jno.core([(k - 1.0).mse], domain=domain).solve(30)  # doctest: +ELLIPSIS
            INFO: ...
            >>> k.posterior_samples.shape
            (1, 50)

        Source: Kucukelbir et al. 2017, "Automatic differentiation variational inference", JMLR 18(14).
        """
        record = Variational(
            factory,
            prior,
            optimizer,
            num_samples,
            posterior_draws,
            likelihood_scale,
            init_log_std,
            init_mu_at_position,
            options,
        )
        return self._sample(record)

    def _sample(self, posterior: Posterior) -> Model:
        mask = self.take_mask()
        group = self.controls.group(mask)
        if group.posterior is not None and type(group.posterior) is not type(posterior):
            raise ValueError(
                f"{self.model_key}: bayesian() and vi() are mutually exclusive; call reset() or optimizer(...) before "
                "changing from one to the other"
            )
        # a scale goes with its optimizer; one that never had any is kept, and refused when training begins
        scale = group.scale if group.optimizer is None else None
        self._change(frozen=False, freeze_masks=() if mask is None else self.controls.freeze_masks)
        return self._set(self.controls.with_group(mask, optimizer=None, scale=scale, posterior=posterior))

    def constrain(self, transform: object) -> Model:
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

    @property
    def constrained(self) -> Any:
        """The module with the transforms of `constrain` applied: what the network computes with."""
        return constrained_module(self.module, self)

    @checked(alpha=NUMBER, target=TEXT, specs=instance("a list of dictionaries with target and rank", list, tuple))
    def lora(
        self,
        rank: int = 4,
        alpha: float | int = 1.0,
        *,
        target: str | None = None,
        wrapper: object = None,
        specs: list[dict[str, Any]] | None = None,
    ) -> Model:
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

    def dtype(self, dtype: object) -> Model:
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
    def initialize(self, weights: object, *, key: Key | None = None) -> Model:
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
        self,
        *,
        freeze: list[Any] | None = None,
        lora: list[Any] | None = None,
        optimizer: list[Any] | None = None,
        lr: list[Any] | None = None,
        dtype: list[Any] | None = None,
    ) -> Model:
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
        tuning = self.tuning.with_candidates(freeze=freeze, lora=lora, optimizer=optimizer, lr=lr, dtype=dtype)
        # training does not change, so what was compiled stays
        self.controls = dataclasses.replace(self.controls, tuning=tuning)
        return self

    def reset(self) -> Model:
        """Forget all controls (optimizers, posteriors, groups, masks, freezing, transforms, dtype), requests and draws;
        weights stay.
        """
        self.posterior_samples = self.posterior_diagnostics = None
        self.open_mask = None
        self.weight_path = None
        return self._set(Controls())

    def summary(self) -> Model:
        """Print a table of the leaves: path, shape, dtype, group, optimizer, trained or frozen; returns the model."""
        print_model(self)
        return self

    @checked(path=PATH, format=TEXT)
    def export(
        self,
        path: str | os.PathLike[str],
        sample_inputs: object,
        *,
        format: str | None = None,
        platforms: Sequence[str] | None = None,
        polymorphic: bool | Sequence[bool] = True,
    ) -> Any:
        """Write the network with its current weights to a file that runs without jNO.

        The function in the file takes the arrays of a call and returns what the network gives in a core: with the
        transforms of `constrain`, adapters and `dtype`, dropout off.  Weights and adapters that wait for
        a core are loaded first.

        Args:
            path: the file; its suffix, ``.stablehlo`` or ``.onnx``, names the format.
            sample_inputs: an array, or a list of arrays, one per argument of the network; only shapes and types count.
            format: ``"stablehlo"`` (read with ``jax.export.deserialize``) or ``"onnx"`` (needs ``jno-jax[export]``).
            platforms: of a StableHLO file, some of ``"cpu"``, ``"cuda"``, ``"rocm"``, ``"tpu"``; default CPU, CUDA and
                TPU, none of which needs to be here.
            polymorphic: ``True``: arrays ``(n, ...)`` of two axes or more may have any number ``n`` of rows, the same
                for all of them, others keep their shape; ``False``: all shapes are those of the samples; or one flag
                per array.

        Returns:
            a ``jno.export.ExportedFile``: the path, and names and types of the arguments.

        Raises:
            ValueError: unknown format or platform; a network that has no weights yet, or that mixes the rows of its
                input while their number is free; a primitive that the format does not have.
            ImportError: the extra of the format is not installed.

        Example:
            >>> import foundax, jax, jno, numpy, tempfile, os
            >>> net = jno.nn(foundax.mlp(2, hidden_dims=8, key=jax.random.PRNGKey(0)))
            >>> net.export(os.path.join(tempfile.mkdtemp(), "net.stablehlo"), numpy.zeros((1, 2))).inputs
            ('input float32[n,2]',)

        Source: StableHLO through `jax.export`, https://docs.jax.dev/en/latest/export/
        """
        return export_network(self, path, sample_inputs, format=format, platforms=platforms, polymorphic=polymorphic)

    def to_iree(self, sample_inputs: object, *, target_backend: str = "llvm-cpu", optimization_level: int = 3) -> Any:
        """Compile the network with its current weights by IREE, for arrays of the shapes of ``sample_inputs``.

        Args:
            sample_inputs: as in `export`.
            target_backend: ``"llvm-cpu"``, ``"vmvx"``, ``"cuda"``, ``"rocm"``, ``"vulkan-spirv"`` or ``"metal-spirv"``.
            optimization_level: 0 to 3.

        Returns:
            a ``jno.iree.IREEModel``: called with arrays, kept with `jno.save` and `jno.load`.

        Raises:
            ImportError: IREE is not installed (``jno-jax[iree]``).
            ValueError: unknown backend or level, a network that has no weights yet, or that IREE cannot compile.

        Source: IREE, https://iree.dev
        """
        return compile_network(
            self, sample_inputs, target_backend=target_backend, optimization_level=optimization_level
        )

    # --- record keeping ---------------------------------------------------------------------------------------
    def take_mask(self) -> Any:
        """The open mask scope, which is closed by this."""
        mask, self.open_mask = self.open_mask, None
        return mask

    def _change(self, **changes: Any) -> Model:
        return self._set(dataclasses.replace(self.controls, **changes))

    def _set(self, controls: Controls) -> Model:
        """Take other controls; what was compiled for the old ones is not used again."""
        self.controls = controls
        self.version += 1
        return self


# A call is an expression that knows its model; the others need JAX's pytrees or the compiler, which the trace does not
# import.
call_model: Service[[Model, tuple[object, ...]], Placeholder] = Service("calls of models", "jno.trace")
constrained_module: Service[[Any, Model], Any] = Service("the transformed parameters of a model", "jno.architectures")
model_markup: Service[[Model], str] = Service("the table of a model", "jno.architectures")
print_model: Service[[Model], None] = Service("the summary of a model", "jno.architectures")
export_network: Service[..., Any] = Service("the file of a network", "jno.export")
compile_network: Service[..., Any] = Service("the compiled network", "jno.export")


def has_numbered_name(name: str) -> bool:
    """Whether a model's name is one that nobody gave it: its number differs from process to process."""
    return re.fullmatch(r"(model|parameter)_\d+", name) is not None


def _current(state: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a model in a file of an earlier version, in which requests stood beside the controls."""
    attributes = dict(state)
    requests = {
        "initialization": _earlier(attributes, "initialization"),
        "lora": _earlier(attributes, "adapters"),
        "start": attributes.pop("pending_start", None),
        "tuning": attributes.pop("tuning", None),
    }
    changes = {name: request for name, request in requests.items() if request is not None}
    return {**attributes, "controls": dataclasses.replace(attributes["controls"], **changes)}


def _earlier(attributes: dict[str, Any], name: str) -> Initialization | Adapters | None:
    pending, applied = attributes.pop(f"pending_{name}", None), attributes.pop(f"applied_{name}", None)
    if pending is not None:
        return dataclasses.replace(pending, served=False)
    return None if applied is None else dataclasses.replace(applied, served=True)
