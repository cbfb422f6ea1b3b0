"""`core`: a problem, from a list of expressions to trained models.  A thin facade over compiler and training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from jno import _evaluation, _reports
from jno._core_state import StoredProblem
from jno._evaluator import as_expression, expression_names
from jno.architectures import ArchSpace
from jno.compiler import check_finite
from jno.domain import domain as Domain
from jno.trace import Node, is_optimizer
from jno.training import Memory
from jno.tuner import Resources, SweepResult
from jno.tuner import sweep as run_sweep
from jno.utils import PATH, checked, get_network_seed, get_seed, instance, integer
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

    # --- expressions: _evaluation -----------------------------------------------------------------------------
    eval = _evaluation.eval
    plot = _evaluation.plot
    expression = _evaluation.expression
    export = _evaluation.export

    # --- itself: _reports -------------------------------------------------------------------------------------
    diagnose = _reports.diagnose
    report_sections = _reports.report_sections
    _repr_html_ = _reports.markup


def build_core(expressions: Sequence[Node], domain: Domain | None, seed: int) -> core:
    """A core with a seed that is not that of the configuration."""
    return core._compiled(list(expressions), domain, seed)
