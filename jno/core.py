"""`core`: a problem, from a list of expressions to trained models.  A thin facade over compiler and training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from jno._core_state import StoredProblem
from jno._evaluator import as_expression, expression_names
from jno.architectures import ArchSpace
from jno.compiler import check_finite, needs_window
from jno.diagnosis import Diagnosis, diagnosis_of
from jno.domain import domain as Domain
from jno.export import ExportedFile, export_expressions
from jno.plots import PlotOptions, ProblemDescription, network_fields
from jno.trace import Node, is_optimizer
from jno.training import Memory
from jno.tuner import Resources, SweepResult
from jno.tuner import sweep as run_sweep
from jno.utils import (
    KEY,
    NONNEGATIVE,
    PATH,
    TEXT,
    Key,
    Markup,
    checked,
    get_network_seed,
    get_seed,
    html_section,
    instance,
    integer,
    svg_of,
    user_path,
)
from jno.utils.statistics import statistics


class core(StoredProblem):
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

    Example:
        >>> import jno
        >>> dom = jno.domain.line(mesh_size=0.1)
        >>> x, _ = dom.variable("interior")
        >>> crux = jno.core([(x - 0.5).mse])
        >>> crux.eval((x**2).mean).shape
        (1,)
    """

    @checked(resume_from=PATH)
    def __init__(
        self,
        constraints: object,
        mesh: tuple[int, ...] | None = (1, 1),
        resume_from: str | Path | None = None,
        *,
        domain: object = None,
    ) -> None:
        if not isinstance(constraints, list | tuple):
            raise TypeError(
                f"core() takes a list of expressions, got {type(constraints).__name__} for constraints; write "
                "core([loss])"
            )
        if domain is not None and not isinstance(domain, Domain):
            raise TypeError(f"core(domain={type(domain).__name__}): a jno.domain is needed; points are for eval()")
        statements = [as_expression(item, position) for position, item in enumerate(constraints)]
        self._begin(statements, domain, get_seed())
        self._module_seed = get_network_seed()
        if self.all_ops and self.domain is not None:
            check_finite(dict(zip(expression_names(self.all_ops), self.all_ops, strict=True)), self.domain)
        self.compile(mesh)
        self._warn_of_signed_constraints()
        if resume_from is not None:
            self.restore_checkpoint(resume_from)

    # --- training ---------------------------------------------------------------------------------------------
    @checked(directory=PATH, step=integer(0))
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

    def set_optimizer(self, opt_fn: object, *, scale: object = None) -> core:
        """Attach one optimizer (and scale) to every model."""
        if not is_optimizer(opt_fn):
            raise TypeError(
                f"set_optimizer(opt_fn={opt_fn!r}): opt_fn must be an optax transform such as optax.adam(1e-3), or a "
                "factory such as optax.adam"
            )
        for model in self._models:
            model.optimizer(opt_fn)
            if scale is not None:
                model.scale(scale)
        return self

    @checked(min_consecutive=integer(1, 10**9), callbacks=instance("a list of callbacks", list, tuple))
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
        *,
        point_batch: object = None,
        until: object = None,
    ) -> statistics:
        """Train every model with the optimizers attached to it; the page "Training" tells more.

        Losses of all constraints are recorded for every epoch, before the update of that epoch.  Optimizer states,
        random key and epoch continue over repeated calls unless a model was reconfigured.  A loss that is not finite
        stops training with a warning; the models then hold the last weights with a finite loss.

        Args:
            epochs: number of epochs, at least 1.
            batchsize: samples per step, drawn without replacement from the ``B`` samples of the domain (``n * domain``;
                not points); default all.
            point_batch: points per step, drawn without replacement from those of each tag, or a dict from tags to
                numbers; tags that are left out, and those of no more points, keep all (default).  One pass over the
                ``N`` points takes ``N / point_batch`` epochs.  Constraints must be means or sums over the points.
            inner_steps: epochs fused into one outer step, after which callbacks run.  Must divide ``epochs``.
            min_consecutive: length of the time window each step sees (``None``: all levels).  Shorter windows start at
                a random level.
            callbacks: `jno.utils.callbacks.Callback` instances, and metric loggers such as ``jno.loggers.csv(path)``.
            checkpoint_gradients: save memory for time.
            offload_data: keep data with one row per sample on the host and send one mini-batch per epoch to the device,
                the next one being read meanwhile.  Needs ``batchsize``.
            accumulation_steps: mini-batches whose gradients are averaged for one update; needs ``batchsize``.  They
                are disjoint if batchsize × accumulation_steps ≤ number of samples.
            profile: write a profiler trace of at most 50 epochs to ``traces`` in the directory of the logger.
            substeps: alternating optimisation: a list of entries ``[i, j]`` or ``([i, j], n)``, done one after the
                other in every epoch: ``n`` gradient steps (default 1) on the mean of the constraints ``i`` and ``j``.
            until: end before ``epochs``, when the total loss is at most this number; or a dictionary from labels of
                constraints and trackers to such tolerances, all of which must hold at their newest values.

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
            point_batch=point_batch,
            until=until,
        )
        return statistics(self.training_logs).of(self)

    @checked(journal=PATH)
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
        """Search architectures and options of training, and train with the best ones; the page "Search" tells all.

        Searched are the dimensions of ``space``, those of networks wrapped with a space, every `jno.np.choice` of the
        problem (by position), and what `Model.tune` declared.  Trials train copies of the problem, with the weights the
        models have now and the seed of this core: they are independent.  The configuration with the smallest objective
        is then put into this core, which trains once more with it.

        Args:
            space: a `jno.np.tune.space`; it may be empty when the problem itself brings dimensions.
            optimizer: name of an optimizer of Nevergrad, e.g. ``"NGOpt"``, or its class; ``None`` tries the whole grid.
            budget: number of trials; without meaning for a grid.
            devices: where trials run, one on a device at a time: ``None`` for all devices, their number, a platform
                such as ``"gpu"``, a list of their numbers, or a `jno.tuner.DeviceConfig`.
            objective: an expression whose mean is compared, after training and at all time levels; default: the mean
                of the constraints without their weights.
            executor: ``None`` runs trials in threads of this process, one per device; an integer in that many
                processes; or a `concurrent.futures.Executor`, such as that of Dask or Ray.
            workers: number of trials at a time on an ``Executor``.
            journal: file to which every finished trial is appended, and from which an interrupted sweep is resumed.
            prune: give up trials whose loss stays above the median of the others.

        Returns:
            the history of the last training.  `best_config`, `best_arch`, `tuning_history` tell more.

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
        return statistics(self.training_logs[-1:]).of(self)

    # --- evaluation -------------------------------------------------------------------------------------------
    @checked(min_consecutive=integer(1, 10**9), key=KEY, samples=TEXT)
    def eval(
        self,
        operation: object,
        domain: object = None,
        min_consecutive: int | None = 1,
        key: Key | None = None,
        samples: str = "auto",
    ) -> Any:
        """Evaluate one expression, or a list of them, with the current weights; "Training" has a section on it.

        Args:
            operation: expression or list of expressions over models of this core (of one that was loaded: over models
                of this process too, see `expression`).
            domain: another domain to evaluate on, or points in place of those the expressions live on: an array
                ``(n, d)``, or ``(points, times)`` with a time or several ``(T,)`` for expressions that depend on time.
            min_consecutive: length of the time window (from the first level); ``None`` for all levels.
            key: random key; noise is drawn and the window start is random with it, noise is zero without.
            samples: what to do with models that have ``posterior_samples``: ``"auto"`` evaluates expressions that
                depend on one for every draw, ``"chain"`` too and refuses others; ``"point"`` takes the weights in the
                modules.

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

        Example:
            >>> import jno, numpy
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> jno.core([x.mse]).eval(x * y, domain=numpy.array([[0.5, 0.5], [2.0, 3.0]]))[0, :, 0].tolist()
            [0.25, 6.0]
        """
        return self._evaluator.evaluate(operation, domain, min_consecutive, key, samples)

    def plot(
        self,
        operation: object,
        path: object = None,
        *,
        domain: object = None,
        times: object = None,
        sample: object = 0,
        share: object = True,
        losses: object = False,
        cmap: object = None,
        figsize: object = None,
        dpi: object = 150,
    ) -> Any:
        """Draw one expression, or several side by side; the page "Pictures" shows what becomes of which.

        Over a line an expression is a curve, over a line and time a map, in the plane a map (of a vector with two
        components its norm, with arrows), in the plane and time a map for each of some times, in space three sections.
        It is evaluated on a fine grid of the domain, with the current weights; what belongs to the sampled points
        (integrals, finite differences, normals, data at points) is drawn at these.  Models with ``posterior_samples``
        give a mean and a band that holds 95 % of the draws.

        Args:
            operation: expression or list of expressions.  A name, ``.name("u")``, is the title.  An expression that
                subtracts another one of the list has a colour scale that is symmetric about zero; ``abs`` of that one
                that begins at zero.
            path: file to write, in a format that matplotlib knows by its suffix; ``.gif`` and ``.mp4`` are animations,
                ``.html`` is a scene in space to turn and zoom (needs ``jno-jax[viz]``).
            domain: another domain to draw on; an array ``(n, d)`` of points, or ``(points, times)``.
            times: time or times to draw.  Default: in the plane four from the first to the last, over a line all as a
                map (with ``times`` curves), in animations 41.
            sample: row of the batch that is drawn (0).
            share: whether all fields of the list have one colour scale (True); differences have their own.
            losses: whether the loss history is the last panel (False).
            cmap: name of a colour map of matplotlib (``viridis``, for differences ``RdBu_r``).
            figsize: width and height in inches; default: by the shape of the domain.
            dpi: dots per inch of the file (150).

        Returns:
            the figure of matplotlib.

        Raises:
            ValueError: an expression without points (a number, a loss) or over several tags, one with more than two
                axes at a point, variables of another domain, a sample or times that there are not.
            TypeError: an entry that is not an expression, or an option of a wrong type.

        Example:
            >>> import jno, tempfile, os
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> u = (jno.np.sin(jno.np.pi * x) * y).name("u")
            >>> file = os.path.join(tempfile.mkdtemp(), "u.png")
            >>> figure = jno.core([u.mse]).plot([u, (2 * u).name("twice")], file)
            >>> [axes.get_title() for axes in figure.axes[:2]], os.path.exists(file)
            (['u', 'twice'], True)
        """
        options = PlotOptions.checked(
            path=path,
            times=times,
            sample=sample,
            share=share,
            losses=losses,
            cmap=cmap,
            figsize=figsize,
            dpi=dpi,
        )
        history = statistics(self.training_logs).total_loss_history
        return self._evaluator.plotted(operation, domain, options, history)

    @checked(path=PATH, solved=NONNEGATIVE)
    def diagnose(self, path: str | Path | None = None, *, solved: float = 1e-3) -> Diagnosis:
        """Say why the loss does not go down: print what was measured, each line with its number and a remedy.

        Looked at are rounding, the scale of inputs and outputs, saturated and dead layers, parts of the boundary
        without a condition, gradients of terms that oppose each other or differ by orders, the learning rate, residuals
        that few points hold, and the spectrum of their Jacobian; the page "When training fails" explains each.  What
        stands first is to be mended first: a check whose result would follow from an earlier one is not made.  It costs
        a few compilations and about a hundred epochs, on a copy of the state: nothing of the training is changed.  In
        a callback it looks at the weights of that epoch.

        Args:
            path: file for a picture of the residuals, in a format that matplotlib knows by its suffix (None: none).
            solved: part of its largest recorded loss below which a term counts as solved (1e-3): nothing is said then
                about its gradient, residual and learning rate. ``0.0`` looks at everything.

        Returns:
            the record, with `findings`; none when nothing was found.

        Raises:
            ValueError: a core without constraints or with nothing to train, or one that waits for a checkpoint.

        Example:
            >>> import jno, optax
            >>> p = jno.np.parameter(()).initialize(0.5).optimizer(optax.sgd(0.1))
            >>> crux = jno.core([(p - 1.0).mse, p.mse], domain=jno.domain.line())
            >>> _ = crux.solve(50)  # doctest: +ELLIPSIS
            INFO: ...
            >>> crux.diagnose().kinds  # doctest: +ELLIPSIS
            after 50 epochs: ...
            ('conflict',)
        """
        picture = None if path is None else user_path(path)
        self._diagnosis = diagnosis_of(self._solver.view(self.training_logs), solved, picture)
        print(self._diagnosis)
        return self._diagnosis

    def _repr_html_(self) -> str | None:
        """Equations, models, points and derivative passes, for notebooks; nothing of a core without expressions."""
        return "".join(self._description().sections()) or None

    def report_sections(self) -> list[Markup]:
        """The same and the fields of the networks: the parts of `statistics.report` that tell of the problem."""
        sections = self._description().sections()
        fields = network_fields(self.all_ops)
        if fields:
            figure = self.plot(fields, share=False)
            sections.insert(1, html_section("Fields", svg_of(figure)))
        if self._diagnosis is not None:
            sections.append(html_section("Diagnosis", self._diagnosis.markup()))
        return sections

    def _description(self) -> ProblemDescription:
        expressions = dict(zip(expression_names(self.all_ops), self.all_ops, strict=True))
        plan = self._evaluator.plan(None if needs_window(self.all_ops) else 1) if self.all_ops else ""
        return ProblemDescription(expressions, self._models, self.domain, plan)

    @checked(name=TEXT)
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

    @checked(path=PATH, format=TEXT)
    def export(
        self,
        operation: object,
        path: str | Path,
        *,
        format: str | None = None,
        platforms: Sequence[str] | None = None,
    ) -> ExportedFile:
        """Write one expression, or a list of them, as a function of the coordinates to a file that runs without jNO.

        Weights are constants of the file, derivatives part of the function.  Its arguments are the coordinates, the
        time and the data of every point, of free number; see the page "Deployment".

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


def build_core(expressions: Sequence[Node], domain: Domain | None, seed: int) -> core:
    """A core with a seed that is not that of the configuration."""
    return core._compiled(list(expressions), domain, seed)
