"""What right arguments are made of; what calls change is made anew."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import optax

import jno


class World:
    """Domains, variables, expressions and problems, as small as they can be."""

    def __init__(self) -> None:
        self.interval = jno.domain.line(mesh_size=0.5)
        self.square = jno.domain.rect(mesh_size=0.5)
        self.unsteady = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3))
        self.moving = jno.domain.line(time=(0.0, 1.0))
        self.z, _ = self.interval.variable("interior")
        self.x, self.y, _ = self.square.variable("interior")
        _, self.own_time = self.moving.variable("interior", (40, "sobol"))
        self.xt, self.yt, self.t = self.unsteady.variable("interior")
        self.u = jno.np.sin(self.x) * self.y
        self.v = jno.np.cos(self.y) + self.x
        self.ut = jno.np.sin(self.xt) * self.t
        self.vector = jno.np.vector(self.u, self.v)
        self.key = jax.random.PRNGKey(0)
        self.points = np.asarray(self.square.points)[:, :2]
        self.nodal = self.points[:, 0] ** 2

    @functools.cached_property
    def graded(self) -> Any:
        """A square with points that are denser near a side."""
        domain = jno.domain.rect(mesh_size=0.5)
        domain.variable("interior", (8, jno.sampler.graded("left", finest=0.1)))
        return domain

    def shape(self) -> Any:
        """A polygon domain without a mesh."""
        return jno.domain.csg([(0, 0), (1, 0), (1, 1), (0, 1)])

    def module(self) -> Any:
        """A network of two layers."""
        return eqx.nn.MLP(1, 1, 4, 1, key=self.key)

    def model(self) -> jno.Model:
        """A model that no call has changed."""
        return jno.nn.wrap(self._module)

    @functools.cached_property
    def _module(self) -> Any:
        return self.module()

    def problem(self) -> jno.core:
        """A problem with one trainable number."""
        k = jno.np.parameter((), name="k").optimizer(optax.sgd(0.1))
        return jno.core([((k - 1.0) * self.z).mse.name("loss")])

    @functools.cached_property
    def solved(self) -> jno.core:
        """A problem after one epoch, for calls that do not change it."""
        problem = self.problem()
        problem.solve(1)
        return problem

    @functools.cached_property
    def symbols(self) -> Any:
        """A trial symbol and its test function."""
        return self.square.fem_symbols()

    @functools.cached_property
    def terms(self) -> list[Any]:
        """A weak problem."""
        (u, v), (xb, yb, _) = self.symbols, self.square.variable("boundary")
        return [u.d(self.x) * v.d(self.x) + u.d(self.y) * v.d(self.y) - v, u(xb, yb) - 0.0]

    @functools.cached_property
    def weak(self) -> Any:
        """It, assembled."""
        return jno.fem(self.terms)

    @functools.cached_property
    def nonlinear(self) -> Any:
        """A nonlinear one."""
        u, v = self.symbols
        return jno.fem([*self.terms, u**3 * v])

    @functools.cached_property
    def heat(self) -> Any:
        """One in time."""
        u, v = self.unsteady.fem_symbols()
        x, y, _ = self.unsteady.variable("initial")
        return jno.fem([u(self.xt, self.yt, self.t).t * v + u.d(self.xt) * v.d(self.xt), u(x, y) - 1.0])

    @functools.cached_property
    def nodal_field(self) -> Any:
        """A coefficient with a value at every node."""
        return jno.np.parameter(self.symbols[0], name="nodal")

    @functools.cached_property
    def radiating(self) -> Any:
        """A domain with two boundaries that see each other."""
        domain = jno.domain.rect(mesh_size=0.5)
        for tag in ("left", "right"):
            domain.variable(tag, normals=True)
        return domain

    @functools.cached_property
    def saved(self) -> str:
        """The file of a problem."""
        self.problem().save("problem.pkl")
        return str(Path("problem.pkl").resolve())

    @functools.cached_property
    def checkpoints(self) -> str:
        """The folder of a checkpoint."""
        self.problem().solve(1, callbacks=[jno.callbacks.checkpoint("checkpoints", save_interval_epochs=1)])
        return str(Path("checkpoints").resolve())

    @functools.cached_property
    def saved_history(self) -> str:
        """The file of a history."""
        self.history.save("history.pkl")
        return str(Path("history.pkl").resolve())

    @functools.cached_property
    def history(self) -> Any:
        """The history of a training of one epoch."""
        return self.problem().solve(1)
