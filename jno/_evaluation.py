"""What a problem answers about expressions: values, pictures, files. `core` lists these as its methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jno._compiled_problem import CompiledProblem
from jno.export import ExportedFile, export_expressions
from jno.plots import PlotOptions
from jno.utils import KEY, PATH, TEXT, Key, checked, integer
from jno.utils.statistics import statistics


@checked(min_consecutive=integer(1, 10**9), key=KEY, samples=TEXT)
def eval(
    self: CompiledProblem,
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
    self: CompiledProblem,
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
    vectors: object = "arrows",
) -> Any:
    """Draw one expression, or several side by side; the page "Pictures" shows what becomes of which.

    Over a line an expression is a curve, over a line and time a map, in the plane a map (of a vector with two
    components its norm, with arrows or streamlines), in the plane and time a map for each of some times, in space
    three sections.  It is evaluated on a fine grid of the domain, with the current weights; what belongs to the
    sampled points (integrals, finite differences, normals, data at points) is drawn at these.  Models with
    ``posterior_samples`` give a mean and a band that holds 95 % of the draws.

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
        vectors: how a vector field in the plane is drawn: ``"arrows"`` (default) or ``"streamlines"``.

    Returns:
        the figure of matplotlib.

    Raises:
        ValueError: an expression without points (a number, a loss) or over several tags, one with more than two
            axes at a point, variables of another domain, a sample or times that there are not, streamlines where no
            expression is a vector field in the plane.
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
        vectors=vectors,
    )
    history = statistics(self.training_logs).total_loss_history
    return self._evaluator.plotted(operation, domain, options, history)


@checked(name=TEXT)
def expression(self: CompiledProblem, name: str) -> Any:
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
    self: CompiledProblem,
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
