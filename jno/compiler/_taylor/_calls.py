"""Rules of equations that hold other jaxprs, and the fall-back for primitives without a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex

from jno.utils import bind_equation, equations_within, scan_counts, shape_of

from ._elementwise import acts_elementwise, elementwise_call
from ._interpreter import Pass, is_differentiable, rule
from ._jets import Jet, Parts, add, block_axis, scaled, spread
from ._streams import BLOCK

_Pair = tuple[Any, Parts]


@rule("jit", "pjit", "closed_call", "core_call")
def _inline(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    inner: jex.ClosedJaxpr = eqn.params["jaxpr" if "jaxpr" in eqn.params else "call_jaxpr"]
    return taylor.evaluate(inner.jaxpr, inner.consts, jets, _output_keys(eqn, keys))


def _output_keys(eqn: jex.JaxprEqn, keys: frozenset[int]) -> list[frozenset[int]]:
    return [keys if is_differentiable(var) else frozenset() for var in eqn.outvars]


@rule("remat2", "remat", "checkpoint")
def _checkpoint(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """The parts are recomputed in the backward pass together with the values."""
    inner, output_keys = eqn.params["jaxpr"], _output_keys(eqn, keys)

    def call(arguments: list[tuple[Any, Parts]]) -> list[tuple[Any, Parts]]:
        outputs = taylor.evaluate(inner, (), [Jet(value, dict(parts)) for value, parts in arguments], output_keys)
        return [(jet.value, jet.parts) for jet in outputs]

    saved = jax.checkpoint(call, prevent_cse=eqn.params["prevent_cse"], policy=eqn.params["policy"])
    return [Jet(value, parts) for value, parts in saved([(jet.value, jet.parts) for jet in jets])]


@rule("custom_jvp_call")
def _custom_jvp(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """Differentiated by its own rule, never by its body: softplus at 0 has no second derivative otherwise."""
    active = [jet for jet in jets if jet.parts]
    same = len(active) == 1 and jnp.shape(active[0].value) == shape_of(eqn.outvars[0])
    if same and len(eqn.outvars) == 1 and acts_elementwise(eqn.params["call_jaxpr"].jaxpr):
        return [elementwise_call(taylor, eqn, jets, keys)]
    return nested_jvp(taylor, eqn, jets, keys)


_CUSTOM_VJP = ("custom_vjp_call", "custom_vjp_call_jaxpr")


@rule(*_CUSTOM_VJP)
def _custom_vjp(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    raise TypeError(
        "a function with a custom reverse-mode rule (jax.custom_vjp) has no forward-mode derivative; differentiate it "
        "with scheme='automatic_differentiation:reverse' (second order: ':rev-over-rev'), or give it a jax.custom_jvp"
    )


@rule("scan")
def _scan(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    """A scan whose carry holds values and parts; a part that any step makes is carried from the start."""
    num_consts, num_carry = scan_counts(eqn)
    inner, consts = eqn.params["jaxpr"], jets[:num_consts]
    output_keys = [keys if is_differentiable(var) else frozenset[int]() for var in inner.jaxpr.outvars]
    block = len(taylor.streams.block)

    def step(carry: list[_Pair], row: list[_Pair]) -> tuple[list[_Pair], list[_Pair]]:
        arguments = [*consts, *(Jet(value, dict(parts)) for value, parts in [*carry, *row])]
        results = [_dense(jet) for jet in taylor.evaluate(inner.jaxpr, inner.consts, arguments, output_keys)]
        return results[:num_carry], results[num_carry:]

    def body(carry: list[_Pair], row: list[_Pair]) -> tuple[list[_Pair], list[_Pair]]:
        results, ys = step(carry, row)
        return [_filled(pair, like[1], block) for pair, like in zip(results, carry, strict=True)], ys

    carry = [_dense(jet) for jet in jets[num_consts : num_consts + num_carry]]
    rows = [_rows_first(jet) for jet in jets[num_consts + num_carry :]]
    row = jax.tree_util.tree_map(lambda array: jax.ShapeDtypeStruct(array.shape[1:], array.dtype), rows)
    carried = -1
    while carried < sum(len(parts) for _, parts in carry):
        carried = sum(len(parts) for _, parts in carry)
        results, _ = jax.eval_shape(step, carry, row)
        carry = [_filled(pair, like[1], block) for pair, like in zip(carry, results, strict=True)]
    options = {name: eqn.params[name] for name in ("length", "reverse", "unroll")}
    final, stacked = jax.lax.scan(body, carry, rows, **options)
    return [*(Jet(v, dict(p)) for v, p in final), *(_rows_back(v, dict(p)) for v, p in stacked)]


def _dense(jet: Jet) -> _Pair:
    """Value and parts of full shape."""
    value = jnp.asarray(jet.value)
    return value, {key: spread(key, jnp.asarray(part), value.shape) for key, part in jet.parts.items()}


def _filled(pair: _Pair, like: Iterable[int], block: int) -> _Pair:
    """The parts of ``pair``, and zeros for those that only ``like`` has."""
    value, parts = pair
    return value, {**{key: _zeros(value, key, block) for key in like}, **parts}


def _zeros(value: Any, key: int, block: int) -> Any:
    shape = list(jnp.shape(value))
    if key == BLOCK:
        shape.insert(block_axis(len(shape)), block)
    return jnp.zeros(shape, dtype=jnp.result_type(value))


def _rows_first(jet: Jet) -> tuple[Any, Parts]:
    """A scanned-over operand; the block axis moves to where it belongs in a row."""
    rank = jet.value.ndim
    parts = {key: spread(key, jnp.asarray(part), jet.value.shape) for key, part in jet.parts.items()}
    if BLOCK in parts:
        parts[BLOCK] = jnp.moveaxis(parts[BLOCK], block_axis(rank), 1 + block_axis(rank - 1))
    return jet.value, parts


def _rows_back(value: Any, parts: Parts) -> Jet:
    if BLOCK in parts:
        parts[BLOCK] = jnp.moveaxis(parts[BLOCK], 1 + block_axis(value.ndim - 1), block_axis(value.ndim))
    return Jet(value, parts)


# --- everything else -------------------------------------------------------------------------------------------------
def nested_jvp(taylor: Pass, eqn: jex.JaxprEqn, jets: list[Jet], keys: frozenset[int]) -> list[Jet]:
    r"""Parts of f(z), :math:`\sum_k D^k f(z)[\delta z, …, \delta z]/k!`, by nested `jax.jvp`."""
    for inner in equations_within(eqn):
        if inner.primitive.name in _CUSTOM_VJP:
            _custom_vjp(taylor, inner, jets, keys)
    taylor.fallen_back.add(eqn.primitive.name)
    active = [place for place, jet in enumerate(jets) if jet.parts]
    values = [jet.value for jet in jets]

    def function(*replaced: Any) -> list[Any]:
        operands = list(values)
        for place, value in zip(active, replaced, strict=True):
            operands[place] = value
        outputs = bind_equation(eqn, operands)
        return [out for out, var in zip(outputs, eqn.outvars, strict=True) if is_differentiable(var)]

    forms = _Forms(taylor, function, [jets[place] for place in active])
    parts_of: list[Parts] = [{} for _ in eqn.outvars]
    smooth = [number for number, var in enumerate(eqn.outvars) if is_differentiable(var)]
    for key in keys:
        for number, part in zip(smooth, forms.part(key), strict=True):
            if part is not None:
                parts_of[number][key] = part
    return [Jet(value, parts) for value, parts in zip(bind_equation(eqn, values), parts_of, strict=True)]


class _Forms:
    """Derivatives of a function along products of parts, each computed once."""

    def __init__(self, taylor: Pass, function: Callable[..., list[Any]], jets: Sequence[Jet]) -> None:
        self._streams = taylor.streams
        self._function = function
        self._jets = jets
        self._values = tuple(jnp.asarray(jet.value) for jet in jets)
        self._outputs = jax.eval_shape(function, *self._values)
        self._forms: dict[tuple[int, ...], list[Any]] = {}

    def part(self, key: int) -> list[Any]:
        """Part ``key`` of every output; ``None`` where it is zero."""
        total: list[Any] = [None] * len(self._outputs)
        for count in range(1, self._streams.order(key) + 1):
            for factors, weight in self._streams.powers(key, count).items():
                if all(any(factor in jet.parts for jet in self._jets) for factor in factors):
                    total = [add(t, scaled(weight, form)) for t, form in zip(total, self._form(factors), strict=True)]
        if key in self._streams.block_products and any(BLOCK in jet.parts for jet in self._jets):
            total = [add(t, form) for t, form in zip(total, self._block_form(key), strict=True)]
        return total

    def _tangents(self, key: int) -> tuple[Any, ...]:
        size = len(self._streams.block)
        return tuple(
            spread(key, jnp.asarray(jet.parts[key]), jet.value.shape)
            if key in jet.parts
            else _zeros(jet.value, key, size)
            for jet in self._jets
        )

    def _form(self, factors: tuple[int, ...]) -> list[Any]:
        if factors not in self._forms:
            if factors == (BLOCK,):
                axes = (tuple(block_axis(value.ndim) for value in self._values),)
                outs = [block_axis(len(out.shape)) for out in self._outputs]
                mapped = jax.vmap(lambda tangents: self._derivative((tangents,)), in_axes=axes, out_axes=outs)
                self._forms[factors] = mapped(self._tangents(BLOCK))
            else:
                self._forms[factors] = self._derivative(tuple(self._tangents(factor) for factor in factors))
        return self._forms[factors]

    def _block_form(self, key: int) -> list[Any]:
        """Half the sum over pairs of the block of weight times second derivative."""
        weights = jnp.asarray(self._streams.block_products[key]) / 2
        tangents = self._tangents(BLOCK)
        axes = tuple(block_axis(value.ndim) for value in self._values)
        pushed = tangents
        if weights.ndim == 2:
            pushed = tuple(
                jnp.moveaxis(jnp.moveaxis(t, a, -1) @ weights.T.astype(t.dtype), -1, a)
                for t, a in zip(tangents, axes, strict=True)
            )
        forms = jax.vmap(lambda a, b: self._derivative((a, b)), in_axes=(axes, axes))(tangents, pushed)
        if weights.ndim == 2:
            return [form.sum(axis=0) for form in forms]
        return [jnp.tensordot(weights.astype(form.dtype), form, axes=1) for form in forms]

    def _derivative(self, tangents: tuple[tuple[Any, ...], ...]) -> list[Any]:
        function = self._function
        for tangent in tangents:

            def function(*point: Any, inner: Any = function, along: Any = tangent) -> list[Any]:
                return jax.jvp(inner, point, along)[1]

        return function(*self._values)
