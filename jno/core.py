"""`core`: a problem, from a list of expressions to trained models.  A thin facade over compiler and training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import PyTree

from jno._core_state import packed, restored
from jno._evaluator import Evaluator, as_expression, expression_names, modules_of
from jno.architectures import ArchSpace
from jno.compiler import (
    Counterparts,
    DomainData,
    Graph,
    check_finite,
    discover_domain,
    domain_data,
    models_of,
    needs_window,
)
from jno.domain import domain as Domain
from jno.export import ExportedFile, export_expressions
from jno.trace import (
    Node,
    Placeholder,
    TensorTag,
    Tracker,
    Variable,
    choices_of,
    decided,
    dump_tree,
    value_of,
    walk,
)
from jno.training import Devices, Memory, Solver
from jno.tuner import Arch, Resources, SweepResult, TuningHistory
from jno.tuner import sweep as run_sweep
from jno.utils import Key, get_logger, get_network_seed, get_seed, text_output
from jno.utils import load as load_object
from jno.utils import save as save_object
from jno.utils.statistics import statistics

_SAVED = ("domain", "seed", "training_logs", "log", "best_config", "best_arch", "tuning_history")
"""Attributes that files hold as they are."""


class core:
    """A problem: expressions to minimise on one domain, compiled once.

    The total loss is the **mean over constraints** of the mean of each constraint's value.  The seed comes from the
    configuration (``JNO_SEED``, ``.jno.toml``, else 42).

    Args:
        constraints: expressions (losses, or arrays whose plain mean is taken, with a warning where that can be
            negative) and trackers (``expr.tracker()``), in any order.  An empty list makes an object that only
            evaluates expressions without models.
        mesh: device mesh ``(batch, model)``, whose product must be the number of devices.  Over ``batch`` the samples
            of a step are shared out (the points where there is one sample), over ``model`` the parameters with two
            axes or more, along their last.  Default: all devices share the data.
        resume_from: directory that ``jno.callbacks.checkpoint`` wrote to; the next ``solve`` resumes from its newest
            checkpoint, see `restore_checkpoint`.
        domain: domain of the problem; default: the one domain of the variables in ``constraints``.

    Raises:
        ValueError: no or several domains, a temporal variable on a steady domain, unknown tags, expressions whose
            shapes cannot be aligned, data with NaN or infinite values that no mask keeps out.
        TypeError: a constraint that is not an expression, or a ``domain`` that is not a domain.

    >>> import jno
    >>> dom = jno.domain.line(mesh_size=0.1)
    >>> x, _ = dom.variable("interior")
    >>> crux = jno.core([(x - 0.5).mse])
    >>> crux.eval((x**2).mean).shape
    (1,)
    """

    def __init__(
        self,
        constraints: list[Any] | tuple[Any, ...],
        mesh: tuple[int, ...] | None = (1, 1),
        resume_from: str | None = None,
        *,
        domain: object = None,
    ) -> None:
        if not isinstance(constraints, list | tuple):
            raise TypeError(f"core() takes a list of expressions, got {type(constraints).__name__}; write core([loss])")
        if domain is not None and not isinstance(domain, Domain):
            raise TypeError(f"core(domain={type(domain).__name__}): a jno.domain is needed; points are for eval()")
        statements = [as_expression(item, position) for position, item in enumerate(constraints)]
        self._begin(statements, domain, get_seed())
        self._module_seed = get_network_seed()
        if self.all_ops and self.domain is not None:
            check_finite(dict(zip(expression_names(self.all_ops), self.all_ops, strict=True)), self.domain)
        self.compile(mesh)
        for name, shape in self._signed:  # a reduction was forgotten
            self.log.once(
                f"constraint {name} is no loss but an array of shape {shape} that can be negative: what is minimised "
                "is its mean, which need not have a lower bound. Write .mse (or .mae) for a residual, or .mean if the "
                "mean itself is meant",
                level="warning",
            )
        if resume_from is not None:
            self.restore_checkpoint(resume_from)

    def _begin(self, statements: list[Node], domain: Domain | None, seed: int) -> None:
        choices_of(statements)  # refuses two of one name
        self._counterparts: Counterparts | None = None
        self._statements, self._choices = statements, dict[str, int]()
        self._take_expressions([decided(statement, {}) for statement in statements])
        self.domain = domain if domain is not None or not self.all_ops else discover_domain(self.all_ops)
        self.seed = self._module_seed = seed
        self._memory = Memory(key=jax.random.PRNGKey(seed))
        self.training_logs: list[dict[str, Any]] = []
        self.log = get_logger()
        self.best_config: dict[str, Any] | None = None
        self.best_arch: Arch | None = None
        self.tuning_history: TuningHistory | None = None

    def _take_expressions(self, expressions: list[Any]) -> None:
        self.all_ops = expressions
        self.constraints = [expression for expression in expressions if not isinstance(expression, Tracker)]
        self.trackers = [expression for expression in expressions if isinstance(expression, Tracker)]

    # --- building ---------------------------------------------------------------------------------------------
    def compile(self, mesh: tuple[int, ...] | None = (1, 1)) -> core:
        """Rebuild what the constructor built: graph, data, models (pending weights, dtype), shape checks."""
        graph, self._mesh_shape, self._devices = Graph(), mesh, Devices.of_shape(mesh)
        self._solver = Solver(
            graph, self.domain, self.constraints, self.trackers, self._memory, self._devices, self.seed
        )
        self._evaluator = Evaluator(
            self.all_ops,
            self.domain,
            graph=graph,
            devices=self._devices,
            solver=self._solver,
            choices=self._choices,
            counterparts=self._counterparts,
        )
        self._models = self._evaluator.models
        self._signed = self._evaluator.build(self._module_seed)
        return self

    def restore_checkpoint(self, directory: str | Path, step: int | None = None) -> core:
        """Let the next `solve` go on from a checkpoint: weights, optimizer states, random key and epoch.

        Args:
            directory: where ``jno.callbacks.checkpoint`` wrote.
            step: number of epochs after which it was written; default: the newest one that can be read.

        Raises:
            FileNotFoundError: there is no such checkpoint.
            ImportError: ``orbax-checkpoint`` is not installed.
        """
        self._solver.resume(directory, step)
        return self

    @property
    def domain_data(self) -> DomainData:
        """The arrays of the domain on the device: ``context`` by tag, and ``dimension``.

        Raises:
            ValueError: a core without constraints has no domain.
        """
        if self.domain is None:
            raise ValueError("this core has no constraints, so no domain and no domain_data")
        return domain_data(self.domain)

    @property
    def models(self) -> dict[int, PyTree]:
        """Module with the current weights, by ``Model.layer_id``."""
        return modules_of(self._models)

    @property
    def rng(self) -> Key:
        """Random key of the next training step."""
        return self._memory.key

    @property
    def mesh(self) -> Mesh:
        """The device mesh, a ``jax.sharding.Mesh`` with the axes ``batch`` and ``model``."""
        return self._devices.mesh

    @property
    def devices(self) -> list[jax.Device]:
        """The devices of :attr:`mesh`."""
        return list(self.mesh.devices.flat)

    @property
    def param_sharding(self) -> PartitionSpec:
        """How parameters with two axes are cut, a ``PartitionSpec``."""
        return self._devices.parameter_sharding

    @property
    def data_sharding(self) -> PartitionSpec:
        """How data with one row per sample is cut, a ``PartitionSpec``."""
        return self._devices.data_sharding

    def __repr__(self) -> str:
        names = [c.metadata.label or f"C{number}" for number, c in enumerate(self.constraints)]
        return f"core(constraints={names}, models={self._models}, domain={self.domain!r})"

    @property
    def n_constraints(self) -> int:
        """Number of constraints (trackers not counted)."""
        return len(self.constraints)

    def set_optimizer(self, opt_fn: object, *, scale: object = None) -> core:
        """Attach one optimizer (and scale) to every model."""
        for model in self._models:
            model.optimizer(opt_fn)
            if scale is not None:
                model.scale(scale)
        return self

    # --- training ---------------------------------------------------------------------------------------------
    def solve(
        self,
        epochs: int = 1000,
        batchsize: int | None = None,
        checkpoint_gradients: bool = False,
        offload_data: bool = False,
        inner_steps: int = 1,
        accumulation_steps: int = 1,
        min_consecutive: int | None = 1,
        profile: bool = False,
        callbacks: list[Any] | None = None,
        substeps: list[Any] | None = None,
    ) -> statistics:
        """Train every model with the optimizers attached to it.

        Losses of all constraints are recorded for every epoch, before the update of that epoch.  Optimizer states,
        random key and epoch continue over repeated calls unless a model was reconfigured.  A loss that is not finite
        stops training with a warning; the models then hold the last weights with a finite loss.

        Args:
            epochs: number of epochs, at least 1.
            batchsize: samples per step, drawn without replacement from the ``B`` samples of the domain (``n * domain``;
                not points); default all.
            inner_steps: epochs fused into one outer step; callbacks run once per outer step.  Must divide ``epochs``.
            min_consecutive: length of the time window each step sees (``None``: all levels).  Shorter windows start at
                a random level.
            callbacks: `jno.utils.callbacks.Callback` instances, and metric loggers such as
                ``jno.loggers.csv("losses.csv")``.
            checkpoint_gradients: save memory for time: constraints are differentiated one after the other, and
                activations other than matrix products are computed again for the backward pass.
            offload_data: keep data with one row per sample on the host (arrays, memory-mapped arrays, data sets of
                files) and send one mini-batch per epoch to the device, the next one being read meanwhile.  Needs
                ``batchsize``.
            accumulation_steps: mini-batches whose gradients are averaged for one update; needs ``batchsize``.  They
                are disjoint if batchsize × accumulation_steps ≤ number of samples.
            profile: write a profiler trace of at most 50 epochs after the first call to ``traces`` below the
                directory of the process-wide logger.
            substeps: alternating optimisation: a list of entries ``[i, j]`` or ``([i, j], n)``, done one after the
                other in every epoch: ``n`` gradient steps (default 1) on the mean of the constraints ``i`` and ``j``.
                An entry trains the models its constraints depend on (not through ``.stop_gradient``), with separate
                optimizer states; schedules of ``Model.scale`` count these steps.

        Returns:
            the training history of this core.

        Raises:
            ValueError: no constraint, a model without optimizer, options out of range or that do not go together.
            TypeError: options or callbacks of a wrong type.
        """
        self._solver.solve(
            self.training_logs,
            epochs=epochs,
            batchsize=batchsize,
            checkpoint_gradients=checkpoint_gradients,
            offload_data=offload_data,
            inner_steps=inner_steps,
            accumulation_steps=accumulation_steps,
            window=min_consecutive,
            profile=profile,
            callbacks=callbacks,
            substeps=substeps,
        )
        return statistics(self.training_logs)

    def sweep(
        self,
        space: ArchSpace,
        optimizer: object,
        budget: int | None,
        devices: object = None,
        *,
        objective: object = None,
        executor: object = None,
        workers: int | None = None,
        journal: str | Path | None = None,
        prune: bool = False,
    ) -> statistics:
        """Search architectures and options of training, and train with the best ones.

        Searched are the dimensions of ``space``, those of networks wrapped with a space, every `jno.np.choice` of the
        problem (by position), and what `Model.tune` declared (``<model_key>__freeze`` and so on).  A trial trains a
        copy of the problem, with the weights the models have now and the seed of this core; networks wrapped with a
        space are built anew from the seed.  Trials are therefore independent, and the same sweep gives the same trials.

        Training options a configuration may set (default in parentheses): ``epochs`` (2000); ``optimizer``, which
        replaces that of every trained model (models that have none: ``optax.adam``), but not those of masks and
        posteriors; ``learning_rate``, a number or schedule, for the same models, whose optimizers must be factories
        such as ``optax.adam`` (1e-3 where a factory has none); ``constraint_weights`` or ``weight_schedule``, numbers
        or a schedule for the constraints (none); ``batchsize``, ``min_consecutive``, ``accumulation_steps``,
        ``inner_steps``, ``checkpoint_gradients``, as `solve` takes them.  `Model.tune` of a model counts before them.

        The best trial is that of the smallest objective; a pruned one is never the best.  Its configuration is then
        put into the models and expressions of this core, which trains once more, in the same way: on the same single
        device it gives the same numbers.  From then on `solve` and `eval` (of expressions with choices too) use it.

        Args:
            space: a `jno.np.tune.space`; it may be empty when the problem itself brings dimensions.
            optimizer: name of an optimizer of Nevergrad, e.g. ``"NGOpt"``, ``"OnePlusOne"``, ``"CMA"``; its class; or
                ``None``, which tries the whole grid.
            budget: number of trials; without meaning for a grid.
            devices: where trials run, one on a device at a time: ``None`` for all devices, their number, a platform
                such as ``"gpu"``, a list of their numbers, or a `jno.tuner.DeviceConfig`.
            objective: an expression whose mean is compared, e.g. a validation error; default: the mean of the
                constraints without their weights.  It is evaluated after training, at all time levels.
            executor: ``None`` runs trials in threads of this process, one per device; an integer in that many
                processes; or a `concurrent.futures.Executor`, such as that of Dask or Ray.
            workers: number of trials at a time on an ``Executor``.
            journal: file to which every finished trial is appended, and from which an interrupted sweep is resumed.
            prune: give up trials whose loss stays above the median of the others.

        Returns:
            the history of the last training, that with the best configuration.  :attr:`best_config` (options by name),
            :attr:`best_arch` and :attr:`tuning_history` (all trials, with their failures) tell the rest.

        Raises:
            ValueError: nothing to search; dimensions that nothing uses or that contradict each other; an unknown
                optimizer of Nevergrad; a budget, devices or a journal that do not fit.
            TypeError: an argument of a wrong type.
            RuntimeError: every trial failed; the message names the first error.
            ImportError: ``optimizer`` needs Nevergrad (``jno-jax[tune]``).

        Example:
            >>> import jno, optax
            >>> domain = jno.domain.line(mesh_size=0.5)
            >>> k = jno.np.parameter((), name="k").optimizer(optax.sgd)
            >>> crux = jno.core([(k - 1.0).mse], domain=domain)
            >>> space = jno.np.tune.space().unique("epochs", [5]).unique("learning_rate", [0.01, 0.5])
            >>> history = crux.sweep(space, None, None)  # doctest: +ELLIPSIS
            INFO: ...
            >>> crux.best_config
            {'epochs': 5, 'learning_rate': 0.5}

        Source: Nevergrad, https://facebookresearch.github.io/nevergrad
        """
        result = run_sweep(
            build_core,
            self._statements,
            self.domain,
            self.seed,
            space,
            optimizer,
            budget,
            objective=objective,
            resources=Resources(devices, executor, workers, journal, prune),
        )
        return self._adopt(result)

    def _adopt(self, result: SweepResult) -> statistics:
        """Train with the best configuration."""
        self.tuning_history = result.history
        self.best_config = result.configuration
        self.best_arch = result.space.arch(result.configuration)
        configured = result.apply(self._statements, self.seed)
        self._choices = configured.choices
        self._take_expressions(configured.operations)
        self._memory = Memory(key=jax.random.PRNGKey(self.seed))
        self.compile(self._mesh_shape)
        self.solve(**configured.options)
        return statistics(self.training_logs[-1:])

    # --- evaluation -------------------------------------------------------------------------------------------
    def eval(
        self,
        operation: object,
        domain: object = None,
        min_consecutive: int | None = 1,
        key: Key | None = None,
        samples: str = "auto",
    ) -> Any:
        """Evaluate one expression, or a list of them, with the current weights.

        Args:
            operation: expression or list of expressions over models of this core.
            domain: another domain to evaluate on.  Tags it has samples of are used as they are; the others are
                sampled there as on the training domain (whole point sets, or the same count).  Or points in place of
                those the expressions live on: an array ``(n, d)``, or ``(points, times)`` with a time or several
                ``(T,)`` for expressions that depend on time.  Data with a row per sample stays that of the domain.
            min_consecutive: length of the time window (from the first level); ``None`` for all levels.
            key: random key; noise is drawn and the window start is random with it, noise is zero without.
            samples: what to do with models that have ``posterior_samples``.  ``"auto"``: an expression that depends
                on one, be it below derivatives, integrals or function calls, is evaluated for every draw; ``"chain"``:
                the same, and an error if none does; ``"point"``: with the weights in the modules (the last position of
                the first chain, the mean of an approximation).  Draws of several models belong together: the same
                number of each is taken at a time.

        Returns:
            array ``(B, N, D)`` for point expressions, ``(B,)`` for reduced ones (``(B, W, ...)`` for a window of
            several levels), unbatched for expressions of parameters only; a list for two or more expressions.  For
            every draw there is a leading axis of draws, and with several chains one of chains before it.

        Raises:
            ValueError: an expression uses a model that no constraint of this core contains; ``samples="chain"``
                without draws; models with different numbers of draws in one expression; variables of another domain and
                no ``domain``; points of another width, or for expressions that need the mesh, live on several tags, or
                have data for each point.
            TypeError: ``domain`` is neither a domain nor points.

        A core that was loaded takes expressions of this process too: each of their networks stands for the loaded one
        of its name and structure, with the loaded weights.  `expression` gives what the file itself holds.

        Example:
            >>> import jno, numpy
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> jno.core([x.mse]).eval(x * y, domain=numpy.array([[0.5, 0.5], [2.0, 3.0]]))[0, :, 0].tolist()
            [0.25, 6.0]
        """
        return self._evaluator.evaluate(operation, domain, min_consecutive, key, samples)

    def expression(self, name: str) -> Any:
        """The expression that was given a name with ``.name(name)``, for `eval` after loading.

        It is one of the constraints and trackers or a part of them, or a parameter of this name.

        Raises:
            ValueError: there is none, or several different ones have the name.

        Example:
            >>> import jno, os, tempfile
            >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
            >>> u = (2.0 * x).name("u")
            >>> path = os.path.join(tempfile.mkdtemp(), "u.jno")
            >>> loaded = jno.core.load(jno.core([u.mse]).save(path) and path)
            >>> loaded.eval(loaded.expression("u"))[0, :, 0].tolist()
            [0.0, 1.0, 2.0]
        """
        return self._evaluator.named(name)

    def export(
        self,
        operation: object,
        path: str | Path,
        *,
        format: str | None = None,
        platforms: Sequence[str] | None = None,
    ) -> ExportedFile:
        """Write one expression, or a list of them, as a function of the coordinates to a file that runs without jNO.

        The current weights are stored as constants.  The arguments are one array ``(n, 1)`` for every coordinate of the
        points the expressions live on, all of them and in their order; then, if the expressions depend on time, the
        time of every point ``(n, 1)``; then one row for every data tag that has a row per sample (other data are
        constants).  The number ``n`` of points is free.  Derivatives are part of the function.

        Args:
            operation: expression or list of expressions over models of this core, on the points of one tag.
            path: the file; its suffix, ``.stablehlo`` or ``.onnx``, names the format.
            format: ``"stablehlo"`` (read with ``jax.export.deserialize``) or ``"onnx"`` (needs ``jno-jax[export]``).
            platforms: of a StableHLO file, some of ``"cpu"``, ``"cuda"``, ``"rocm"``, ``"tpu"`` (default: CPU, CUDA
                and TPU); none of them needs to be present.

        Returns:
            the file with the names and types of its arguments.  The function returns an array for one expression,
            a tuple for several, per point what `eval` gives: ``(n, D)``.

        Raises:
            ValueError: an expression needs the mesh (integrals, finite differences, normals), random numbers, all
                points (reductions) or the points of several tags; unknown format or platform.
            ImportError: the extra of the format is not installed.

        Example:
            >>> import jno, tempfile, os
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> u = jno.np.sin(x) * y
            >>> file = jno.core([u.mse]).export([u, u.d(x)], os.path.join(tempfile.mkdtemp(), "u.stablehlo"))
            >>> file.inputs
            ('x float32[n,1]', 'y float32[n,1]')

        Source: StableHLO through `jax.export`, https://docs.jax.dev/en/latest/export/
        """
        program = self._evaluator.program(operation, "export()")
        return export_expressions(program, path, format=format, platforms=platforms)

    # --- looking at it ----------------------------------------------------------------------------------------
    def print_shapes(self, min_consecutive: int | None = 1) -> core:
        """Print every constraint and tracker as a tree with per-sample shapes ``(N, D)``; returns ``self``."""
        if self.all_ops:
            print("\n".join(self._evaluator.shape_trees(min_consecutive)))
        return self

    def print_plan(self, file: object = None, min_consecutive: int | None = 1) -> core:
        """Print which derivatives are computed together; returns ``self``.

        Every pass carries the value of a network and the listed operators through it once; sums of derivatives that
        occur only as a sum (a Laplacian) are carried as one.  Derivatives whose computation a scheme forces, and
        primitives that had no Taylor rule, are listed apart.

        Args:
            file: where to print, a stream or the path of a file, which is replaced; default: standard output.
            min_consecutive: number of time levels in one evaluation, as in `solve`.

        Example:
            >>> import jno
            >>> domain = jno.domain.rect(mesh_size=0.5)
            >>> x, y, _ = domain.variable("interior")
            >>> u = jno.np.sin(x) * y
            >>> crux = jno.core([(u.d2(x) + u.d2(y) + u.d(x)).mse])
            >>> crux = crux.print_plan()
            pass over the points of interior
              carries: 1, ∂x, ∂y, ∂xx + ∂yy
              *: ∂x + ∂xx + ∂yy
        """
        if self.all_ops:
            with text_output(file) as stream:
                print(self._evaluator.plan(min_consecutive), file=stream)
        return self

    def print_tree(self, file: object = None) -> core:
        """Print every constraint and tracker as a tree; returns ``self``.

        Args:
            file: where to print, a stream or the path of a file, which is replaced; default: standard output.

        Raises:
            TypeError: neither a stream nor a path.
        """
        with text_output(file) as stream:
            for name, expression in zip(expression_names(self.all_ops), self.all_ops, strict=True):
                print(f"{name}:\n{dump_tree(expression)}", file=stream)
        return self

    # --- persistence ------------------------------------------------------------------------------------------
    def save(
        self,
        path: str | Path,
        public_key_path: str | Path | None = None,
        private_key_path: str | Path | None = None,
    ) -> core:
        """Write expressions, domain, weights and history to a file, signed with a private key; see `jno.save`."""
        save_object(self, path, public_key_path, private_key_path)
        return self

    @classmethod
    def load(
        cls,
        path: str | Path,
        public_key_path: str | Path | None = None,
        signature_path: str | Path | None = None,
    ) -> core:
        """Read what :meth:`save` wrote.  Unpickling runs code: load only files you trust; see `jno.load`."""
        return load_object(path, public_key_path, signature_path, expected_type=cls)

    def __getstate__(self) -> dict[str, Any]:
        attributes = {name: self.__dict__[name] for name in _SAVED}
        return packed(self._statements, self.all_ops, self._models, self._memory, self._choices, attributes)

    def __setstate__(self, state: dict[str, Any]) -> None:
        parts = restored(state)
        self.__dict__.update(parts.attributes)
        self._statements, self._choices = parts.statements, parts.choices
        self._memory, self._counterparts = parts.memory, parts.counterparts
        self._take_expressions(parts.expressions)
        self._module_seed = self.seed
        self.compile()


def build_core(expressions: Sequence[Node], domain: Domain | None, seed: int) -> core:
    """A core with a seed that is not that of the configuration."""
    crux = object.__new__(core)
    crux._begin(list(expressions), domain, seed)
    return crux.compile()


@value_of.register
def evaluate_alone(expression: Placeholder, domain: Any) -> Any:
    """Value of an expression outside any problem; its models must be frozen."""
    for model in models_of([expression]):
        if not model.controls.frozen:
            raise ValueError(
                f"{model.model_key} is a trainable parameter: evaluate the expression with the core that trains it, "
                "crux.eval(expression), or freeze() the model"
            )
    placed = any(isinstance(node, Variable | TensorTag) for node in walk([expression]))
    probe = build_core([expression], None if placed else domain, get_seed())
    return probe.eval(expression, domain=domain, min_consecutive=None if needs_window([expression]) else 1)
