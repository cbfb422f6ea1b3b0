"""Which layer gets which adapter."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
import paramax
from jaxtyping import PyTree

from jno.utils import KEY, MASK, POSITIVE, TEXT, Key, checked, instance, integer, is_integer

from ._filters import is_wrapped
from ._lora import LoRAConv, LoRALinear
from ._wrapper import PIECES, Layer, LoRAWrapper

# these read the weight of the layer inside and need the plain layer
_OPAQUE = (LoRAWrapper, eqx.nn.WeightNorm, eqx.nn.SpectralNorm)
_LONGEST_LIST = 8
_ENTRIES = ("target", "rank", "alpha", "wrapper")
"""What a specification may have."""

Path = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Rule:
    """Layers with ``pattern`` in their path get the first wrapper that applies, none if the rank is not positive."""

    name: str
    pattern: re.Pattern[str] | None
    rank: int
    alpha: float | int
    wrappers: tuple[type[LoRAWrapper], ...]

    def selects(self, path: str) -> bool:
        """Whether the rule is about what lies at ``path``."""
        return self.pattern is None or self.pattern.search(path) is not None

    def wrapper_of(self, layer: Layer) -> type[LoRAWrapper] | None:
        """The class that wraps ``layer``."""
        return next((wrapper for wrapper in self.wrappers if wrapper.applies_to(layer)), None)


_SPECS = instance("a list of dictionaries with target and rank", list, tuple)


@checked(rank=integer(), alpha=POSITIVE, key=KEY, target=TEXT, specs=_SPECS, param_mask=MASK)
def apply_lora(
    model: PyTree,
    rank: int = 0,
    alpha: float | int = 1.0,
    *,
    key: Key,
    target: str | None = None,
    specs: Sequence[Any] | None = None,
    wrappers: object = None,
    param_mask: PyTree = None,
) -> PyTree:
    """The model with adapters around its layers; it computes the same until they are trained.

    Args:
        model: a module, e.g. any of ``foundax``.  Layers that are adapted already are left as they are.
        rank: size of each adapter, at most the smaller dimension of the kernel; without ``specs``, a rank of 0 or less
            returns the model unchanged.
        alpha: scaling of the update, which is divided by the rank.
        key: random key; the draws of a layer do not depend on which other layers are adapted.
        target: regular expression searched in the slash-separated path of a layer, e.g. ``hidden_layers/0``; default
            all layers.
        specs: instead of ``target``, one dictionary per group of layers: ``target``, ``rank``, optionally ``alpha``
            and ``wrapper`` (default: the arguments of the call).  The first whose target is found and whose wrapper
            applies wins; a rank of 0 or less leaves the layers plain.
        wrappers: an adapter class or several, tried in order; default ``(LoRALinear, LoRAConv)``.
        param_mask: tree of booleans that mirrors the model; only layers with a true leaf are adapted.

    Returns:
        the model with `LoRAWrapper` modules in place of the layers.

    Raises:
        ValueError: a target, specification, mask or model without a layer to adapt; an unknown, missing or invalid
            entry of a specification; both ``target`` and ``specs``.
        TypeError: a wrapper that is not a complete `LoRAWrapper`.

    Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models, 2021.

    Example:
        >>> import foundax, jax
        >>> from jno.lora import DoRALinear, adapter_count, apply_lora
        >>> net = foundax.mlp(2, hidden_dims=16, num_layers=3, key=jax.random.PRNGKey(0))
        >>> adapter_count(apply_lora(net, rank=4, alpha=8, key=jax.random.PRNGKey(1)))
        4
        >>> specs = [{"target": "hidden_layers/0", "rank": 2}, {"target": "hidden", "rank": 4, "wrapper": DoRALinear}]
        >>> tuned = apply_lora(net, key=jax.random.PRNGKey(1), specs=specs)
        >>> [type(layer).__name__ for layer in (*tuned.hidden_layers, tuned.output_layer)]
        ['LoRALinear', 'DoRALinear', 'DoRALinear', 'Linear']
    """
    if specs is None and rank <= 0:
        return model
    rules = _rules(rank, alpha, target, specs, wrappers)
    choice = _choose(model, rules, _selected(model, param_mask))
    for rule in rules:
        if rule.name not in choice.matched:
            raise ValueError(_nothing(rule, choice.modules, rules, param_mask is not None))
    adapted = {}
    for path, site in choice.sites.items():
        site_key = key if site.wrapper.shares_key else jax.random.fold_in(key, site.number)
        layer = paramax.unwrap(site.layer)  # the weights of an adapted layer are fixed, so their factors may be one
        adapted[path] = site.wrapper(layer, site.rule.rank, site.rule.alpha, key=site_key)
    return _replace(model, {id(site.layer) for site in choice.sites.values()}, adapted)


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """A layer to adapt: its number among all modules, the rule that selected it, and the class that wraps it."""

    number: int
    layer: Layer
    rule: Rule
    wrapper: type[LoRAWrapper]


@dataclasses.dataclass(frozen=True, eq=False)
class Sites:
    """The layers to adapt by path, the names of the rules that found a layer, and all modules with their paths."""

    sites: dict[Path, Site]
    matched: set[str]
    modules: list[tuple[Path, eqx.Module]]


def _choose(model: PyTree, rules: Sequence[Rule], selected: set[Path] | None) -> Sites:
    choice = Sites({}, set(), list(_modules(model)))
    inside: Path | None = None
    for number, (path, module) in enumerate(choice.modules):
        if (inside is not None and path[: len(inside)] == inside) or (selected is not None and path not in selected):
            continue
        for rule in rules:
            if not rule.selects(_text(path)):
                continue
            wrapper = None if isinstance(module, _OPAQUE) else rule.wrapper_of(module)
            if wrapper is None and not is_wrapped(module):
                continue
            choice.matched.add(rule.name)
            if inside != path and wrapper is not None:
                inside = path
                if rule.rank > 0:
                    choice.sites[path] = Site(number, module, rule, wrapper)
    return choice


def _modules(node: object, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every Equinox module with its path, an outer one before those inside it."""
    if isinstance(node, eqx.Module):
        yield path, node
        if isinstance(node, _OPAQUE):
            return
    children, _ = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda below: below is not node)
    for step, child in children:
        if child is not node:  # a leaf flattens to itself
            yield from _modules(child, (*path, *step))


def _replace(model: PyTree, layers: set[int], adapted: Mapping[Path, Any]) -> PyTree:
    # a module that sits in two places is two layers: the path decides
    flat, structure = jax.tree_util.tree_flatten_with_path(model, is_leaf=lambda node: id(node) in layers)
    return jax.tree_util.tree_unflatten(structure, [adapted.get(path, node) for path, node in flat])


def _text(path: Path) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _rules(rank: int, alpha: float | int, target: object, specs: Sequence[Any] | None, wrappers: object) -> list[Rule]:
    tried = _checked_wrappers((LoRALinear, LoRAConv) if wrappers is None else wrappers)
    if specs is None:
        name = "apply_lora" if target is None else f"target {target!r}"
        return [Rule(name, None if target is None else _pattern(target, name), rank, alpha, tried)]
    if target is not None:
        raise ValueError("give target or specs, not both: each entry of specs has its own target")
    if not specs:
        raise ValueError("specs is empty: give at least one dictionary with target and rank")
    return [_rule(number, spec, rank, alpha, tried) for number, spec in enumerate(specs)]


def _rule(number: int, spec: object, rank: int, alpha: float | int, tried: tuple[type[LoRAWrapper], ...]) -> Rule:
    name = f"specs[{number}]"
    if not isinstance(spec, Mapping):
        raise ValueError(f"{name} must be a dictionary with {', '.join(_ENTRIES)}, got {spec!r}")
    unknown = [str(entry) for entry in spec if entry not in _ENTRIES]
    if unknown:
        raise ValueError(f"{name}: unknown {', '.join(unknown)}; allowed are {', '.join(_ENTRIES)}")
    if "target" not in spec:
        raise ValueError(f"{name}: target is missing, the regular expression searched in the paths of the layers")
    if "rank" not in spec and rank <= 0:
        raise ValueError(f"{name}: rank is missing, there or as an argument of apply_lora")
    rule_rank = spec.get("rank", rank)
    if not is_integer(rule_rank):
        raise ValueError(f"{name}: rank must be an integer, got {rule_rank!r}")
    wrapper = spec.get("wrapper")
    name = f"{name}, target {spec['target']!r}"
    return Rule(
        name,
        _pattern(spec["target"], name),
        rule_rank,
        spec.get("alpha", alpha),
        tried if wrapper is None else _checked_wrappers(wrapper),
    )


def _pattern(target: object, name: str) -> re.Pattern[str]:
    if not isinstance(target, str):
        raise ValueError(f"{name}: it must be a string, a regular expression searched in the paths of the layers")
    try:
        return re.compile(target)
    except re.error as error:
        raise ValueError(f"{name} is no regular expression: {error}") from error


def _checked_wrappers(wrappers: object) -> tuple[type[LoRAWrapper], ...]:
    several = (wrappers,) if isinstance(wrappers, type) or not isinstance(wrappers, Sequence) else tuple(wrappers)
    if not several:
        raise TypeError("wrappers is empty: give an adapter class, e.g. jno.lora.LoRALinear, or several")
    for wrapper in several:
        if not (isinstance(wrapper, type) and issubclass(wrapper, LoRAWrapper)):
            text = wrapper.__name__ if isinstance(wrapper, type) else repr(wrapper)
            raise TypeError(f"wrappers: {text} is no adapter class: subclass jno.lora.LoRAWrapper and define {PIECES}")
        missing = sorted(wrapper.__abstractmethods__)
        if missing:
            raise TypeError(f"{wrapper.__name__} lacks {', '.join(missing)}; a LoRAWrapper defines {PIECES}")
    return several


def _selected(model: PyTree, mask: PyTree) -> set[Path] | None:
    """The paths of all nodes with a true leaf, ``None`` without a mask."""
    if mask is None:
        return None
    expected: Any = jax.tree_util.tree_structure(model)
    structure: Any = jax.tree_util.tree_structure(mask)
    if structure != expected:
        raise ValueError(
            "param_mask must mirror the model's tree; build it from jax.tree_util.tree_map(lambda _: False, model) "
            f"with equinox.tree_at. Expected {expected}, got {structure}"
        )
    paths: set[Path] = set()
    for path, leaf in jax.tree_util.tree_flatten_with_path(mask)[0]:
        if not isinstance(leaf, bool | np.bool_):
            raise ValueError(f"param_mask: leaf {_text(path)} must be True or False, got {leaf!r}")
        if leaf:
            paths.update(path[:length] for length in range(len(path) + 1))
    return paths


def _nothing(rule: Rule, seen: Sequence[tuple[Path, Any]], rules: Sequence[Rule], masked: bool) -> str:
    """Why a rule found no layer, and what there is."""
    names = ", ".join(wrapper.__name__ for wrapper in rule.wrappers)
    layers = [
        _text(path)
        for path, module in seen
        if not isinstance(module, _OPAQUE) and any(any_rule.wrapper_of(module) for any_rule in rules)
    ]
    there = f"layers are {_listed(layers)}" if layers else "the model has no such layer"
    if masked and any(rule.selects(path) for path in layers):
        return f"{rule.name}: param_mask selects no leaf of a layer that {names} wrap; {there}"
    if rule.pattern is None:
        kinds = sorted({type(module).__name__ for _, module in seen})
        return f"no layer to adapt: none of {_listed(kinds)} is wrapped by {names}"
    unsuitable = [f"{_text(path)} ({type(module).__name__})" for path, module in seen if rule.selects(_text(path))]
    if unsuitable:
        return f"{rule.name} matches {_listed(unsuitable)}, which {names} cannot wrap; {there}"
    return f"{rule.name} matches no layer; {there}"


def _listed(entries: Sequence[str]) -> str:
    more = len(entries) - _LONGEST_LIST
    return ", ".join(entries[:_LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
