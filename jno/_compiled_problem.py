"""`CompiledProblem`: the expressions of a problem with what is compiled of them, and how they are shown."""

from __future__ import annotations

from typing import Any, TypeVar

import jax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import PyTree

from jno._evaluator import Evaluator, expression_names, modules_of
from jno.compiler import (
    Counterparts,
    DomainData,
    Graph,
    discover_domain,
    domain_data,
    models_of,
    needs_window,
)
from jno.diagnosis import Diagnosis
from jno.domain import domain as Domain
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
from jno.tuner import Arch, TuningHistory
from jno.utils import Key, checked, get_logger, get_seed, integer, start_configured_cache, text_output

P = TypeVar("P", bound="CompiledProblem")


class CompiledProblem:
    """Constraints and trackers, compiled for a domain and the devices; `core` trains, searches and evaluates them."""

    @classmethod
    def _compiled(cls: type[P], statements: list[Node], domain: Domain | None, seed: int) -> P:
        """A problem with a seed that is not that of the configuration."""
        problem = object.__new__(cls)
        problem._begin(statements, domain, seed)
        return problem.compile()

    def _begin(self, statements: list[Node], domain: Domain | None, seed: int) -> None:
        start_configured_cache()
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

    def compile(self: P, mesh: tuple[int, ...] | None = (1, 1)) -> P:
        """Rebuild what the constructor built: graph, data, models (pending weights, dtype), shape checks."""
        self._diagnosis: Diagnosis | None = None
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

    def _warn_of_signed_constraints(self) -> None:
        """Say where a reduction was forgotten."""
        for name, shape in self._signed:  # a reduction was forgotten
            self.log.once(
                f"constraint {name} is no loss but an array of shape {shape} that can be negative: what is minimised "
                "is its mean, which need not have a lower bound. Write .mse (or .mae) for a residual, or .mean if the "
                "mean itself is meant",
                level="warning",
            )

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
        """The devices of `mesh`."""
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

    # --- looking at it ----------------------------------------------------------------------------------------
    @checked(min_consecutive=integer(1, 10**9))
    def print_shapes(self: P, min_consecutive: int | None = 1) -> P:
        """Print every constraint and tracker as a tree with per-sample shapes ``(N, D)``; returns ``self``."""
        if self.all_ops:
            print("\n".join(self._evaluator.shape_trees(min_consecutive)))
        return self

    @checked(min_consecutive=integer(1, 10**9))
    def print_plan(self: P, file: object = None, min_consecutive: int | None = 1) -> P:
        """Print what is computed once, which derivatives together, and where new points come from; returns ``self``.

        Every pass carries the value of a network and the listed operators through it once; sums of derivatives that
        occur only as a sum (a Laplacian) are carried as one.  Derivatives whose computation a scheme forces, and
        primitives that had no Taylor rule, are listed apart.  What follows from points and data alone, and is worth
        it, `solve` computes before the steps, with the derivatives that are listed.  Of every tag with a resampling
        strategy a line says whether the compiled step draws its points or the host replaces them.

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

    def print_tree(self: P, file: object = None) -> P:
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
    probe = CompiledProblem._compiled([expression], None if placed else domain, get_seed())
    window = None if needs_window([expression]) else 1
    return probe._evaluator.evaluate(expression, domain, window, key=None, samples="auto")
