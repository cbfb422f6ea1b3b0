"""Methods of a `Model` that write files which run without jNO, and models in files of earlier versions."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from jno.utils import PATH, TEXT, checked

from ._controls import Adapters, Initialization
from ._model_handle import ModelHandle
from ._services import Service

export_network: Service[..., Any] = Service("the file of a network", "jno.export")
compile_network: Service[..., Any] = Service("the compiled network", "jno.export")


@checked(path=PATH, format=TEXT)
def export(
    self: ModelHandle,
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


def to_iree(
    self: ModelHandle, sample_inputs: object, *, target_backend: str = "llvm-cpu", optimization_level: int = 3
) -> Any:
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
    return compile_network(self, sample_inputs, target_backend=target_backend, optimization_level=optimization_level)


def current_attributes(state: dict[str, Any]) -> dict[str, Any]:
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
