"""A gradient with respect to a network, compiled for some of the points."""

from __future__ import annotations

import numpy as np

from jno.compiler import Program, bound_in_context, check_pointwise, is_pointwise, shapes_with_more_points
from jno.trace import NetworkGradient, TensorTag, Variable

from ._training_problem import TrainingProblem


def thinned(problem: TrainingProblem, gradient: NetworkGradient, count: int) -> Program:
    """The gradient's program on about ``count`` points over all samples and time levels, evenly chosen.

    Where points depend on each other, or not all tags of the expression have equally many, it has all of them.

    Raises:
        ValueError: a target with several components or without points, or a model that is not in the core.
    """
    full_program = problem.over([gradient], "NTKSpectrum")
    target = problem.program.over([gradient.target])
    (shape,) = shapes_with_more_points(target, 0)
    outer = 1 + (full_program.window > 1)
    if len(shape) > outer + 1 and int(np.prod(shape[outer + 1 :])) > 1:
        raise ValueError(
            f"NTKSpectrum: the expression is a vector with {shape[outer + 1 :]} components; take one, "
            "u[..., 0].grad(net), and one callback for each"
        )
    if len(shape) <= outer:
        raise ValueError(
            "NTKSpectrum: the expression is reduced to one number; give the gradient of its point-wise part"
        )
    points = _points(full_program, gradient)
    if points is None or not _is_pointwise(full_program, target):
        return full_program
    thinned_count = max(1, count // (full_program.layout.samples * full_program.window))
    if points <= thinned_count:
        return full_program
    rows = np.linspace(0, points - 1, thinned_count).round().astype(int)
    context = dict(full_program.context)
    for tag in _tags(gradient):
        array = np.asarray(context[tag])
        if array.ndim > 2 and array.shape[-2] == points:
            context[tag] = array[..., rows, :]
    return Program(
        [gradient], full_program.domain, window=problem.program.window, context=context, graph=problem.program.graph
    )


def _points(program: Program, gradient: NetworkGradient) -> int | None:
    """The number of points of the expression, when its tags agree on one."""
    leaves = bound_in_context([gradient])
    tags = {leaf.tag for leaf in leaves if isinstance(leaf, Variable) and leaf.at_points}
    counts = {np.shape(program.context[tag])[-2] for tag in tags}
    return counts.pop() if len(counts) == 1 else None


def _tags(gradient: NetworkGradient) -> set[str]:
    return {leaf.tag for leaf in bound_in_context([gradient]) if isinstance(leaf, TensorTag) or leaf.at_points}


def _is_pointwise(full_program: Program, target: Program) -> bool:
    check_pointwise(full_program, {model.layer_id: model.module for model in full_program.models})
    return is_pointwise(target)
