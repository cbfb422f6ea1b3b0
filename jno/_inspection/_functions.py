"""Exported functions: their signature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jno.utils import from_extra, shown_path

from ._description import Description, byte_count, limited


def stablehlo_function(path: Path) -> Description:
    """Name, arguments, results and platforms of what `jax.export` serialised; its program is not parsed."""
    with from_extra("export", "StableHLO files need flatbuffers"):
        import flatbuffers  # noqa: F401
    from jax import export

    content = path.read_bytes()
    try:
        function = export.deserialize(bytearray(content))
        inputs, outputs = [_types(function.in_avals), _types(function.out_avals)]
        platforms = ", ".join(function.platforms)
    except Exception as error:  # JAX documents no errors for bytes that are not what it wrote
        raise ValueError(
            f"{shown_path(path)!r} is damaged, truncated, of another version of JAX, or no StableHLO file "
            f"({type(error).__name__}: {error})"
        ) from error
    rows = {
        "size": byte_count(len(content)),
        "function": function.fun_name,
        "inputs": inputs,
        "outputs": outputs,
        "platforms": platforms,
        "calling convention": f"version {function.calling_convention_version}",
        "program": byte_count(len(function.mlir_module_serialized)),
        "calling it": "runs the program of its writer: only if you trust them",
    }
    return Description("an exported function, StableHLO", rows)


def onnx_function(path: Path) -> Description:
    """Inputs, outputs and versions of an ONNX model; files that it names are not opened."""
    with from_extra("export", "ONNX files need the package onnx"):
        import onnx
    content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf has several classes of errors, by its implementation
        raise ValueError(f"{shown_path(path)!r} is damaged, truncated or no ONNX file ({error})") from error
    if not model.ir_version or not model.graph.output:
        raise ValueError(f"{shown_path(path)!r} is damaged, truncated or no ONNX file (it has no graph)")
    rows = {
        "size": byte_count(len(content)),
        "function": model.graph.name,
        "inputs": ", ".join(_value_type(value) for value in model.graph.input),
        "outputs": ", ".join(_value_type(value) for value in model.graph.output),
        "versions": ", ".join(
            [f"IR {model.ir_version}", *(f"{o.domain or 'opset'} {o.version}" for o in model.opset_import)]
        ),
        "written with": f"{model.producer_name} {model.producer_version}".strip() or "unknown",
        "nodes": f"{len(model.graph.node):,}",
    }
    outside = {i.name for i in model.graph.initializer if i.data_location == onnx.TensorProto.EXTERNAL}
    fault = f"{shown_path(path)!r} keeps weights in other files, which jNO does not write" if outside else None
    return Description("an exported function, ONNX", limited(rows, "rows"), fault)


def _types(avals: Any) -> str:
    return ", ".join(f"{aval.dtype.name}[{','.join(map(str, aval.shape))}]" for aval in avals) or "none"


def _value_type(value: Any) -> str:
    import onnx

    tensor = value.type.tensor_type
    lengths = [dimension.dim_param or str(dimension.dim_value) for dimension in tensor.shape.dim]
    return f"{value.name} {onnx.TensorProto.DataType.Name(tensor.elem_type).lower()}[{','.join(lengths)}]"
