"""Signatures and defaults that the API reference documents; keyword-only parameters after them are our own."""

import functools
import inspect

import pytest

import jno
import jno.utils.ad_mode
import jno.utils.statistics

_CSG = "time=None, compute_mesh_connectivity=False, mesh_size=None, sampler=None, samplers=None, "
_CSG += "resampling_strategy=None, resampling_strategies=None"
_1D, _2D, _3D = "u_values, points, lines", "u_values, points, triangles", "u_values, points, tetrahedra"
_WEIGHTS, _TWICE = "method='area_weighted'", "method='gradient_of_gradient'"

SIGNATURES = {
    "core": "constraints, mesh=(1, 1), resume_from=None, *, domain=None",
    "core.compile": "mesh=(1, 1)",
    "core.solve": (
        "epochs=1000, batchsize=None, checkpoint_gradients=False, offload_data=False, inner_steps=1, "
        "accumulation_steps=1, min_consecutive=1, profile=False, callbacks=None, substeps=None"
    ),
    "core.eval": "operation, domain=None, min_consecutive=1, key=None, samples='auto'",
    "core.sweep": "space, optimizer, budget, devices=None",
    "core.print_shapes": "min_consecutive=1",
    "domain.csg.from_polygons": f"polygons, *, {_CSG}",
    "domain.csg.from_regions": f"regions, *, {_CSG}",
    "domain.csg.region": "name, where, *, kind=None",
    "domain.csg.add_boundary_segments": "tag, segments, *, normal_geometry=None",
    "domain.csg.compute_enclosure_view_factor": "tags, opaque_tags=None, medium_tags=None",
    "domain.csg.draw_candidates": "tag",
    "domain.csg.stack": "*batched_domains, n_interior=256, n_boundary=64",
    "domain.csg.build_mesh": ("mesh_size=0.1, *, algorithm=6, region_mesh_sizes=None, sizes=None, interpolate=True"),
    "nn.wrap": "module, space=None, name='', weight_path=None",
    "Model": "module, name='', weight_path=None",
    "Model.optimizer": "opt_fn",
    "Model.freeze": "",
    "Model.unfreeze": "",
    "Model.mask": "param_mask=None",
    "Model.lora": "rank=4, alpha=1.0, *, target=None, wrapper=None, specs=None",
    "Model.dtype": "dtype",
    "Model.constrain": "transform",
    "Model.initialize": "weights, *, key=None",
    "Model.tune": "*, freeze=None, lora=None, optimizer=None, lr=None, dtype=None",
    "np.concat": "items, axis=-1",
    "np.grad": "target, variable, scheme='automatic_differentiation'",
    "fn.__call__": "fn, args=[], name='', reduces_axis=None",
    "fn._module_call": "fn, args=[], name='', reduces_axis=None",
    "utils.statistics.statistics": "logs",
    "utils.statistics.statistics.plot": "path=None",
    "utils.statistics.statistics.save": "path",
    "utils.statistics.statistics.load": "filepath",
    "DifferentialOperators.compute_fd_gradient_1d_simple": f"{_1D}, {_WEIGHTS}",
    "DifferentialOperators.compute_fd_laplacian_1d_simple": f"{_1D}, {_TWICE}",
    "DifferentialOperators.compute_fd_hessian_1d_simple": f"{_1D}, var_dims=None",
    "DifferentialOperators.compute_fd_gradient_2d_simple": f"{_2D}, dim, {_WEIGHTS}",
    "DifferentialOperators.compute_gradient_2d_lsq": f"{_2D}, dim",
    "DifferentialOperators.compute_fd_laplacian_2d_simple": f"{_2D}, dims, {_TWICE}",
    "DifferentialOperators.compute_laplacian_2d_cotangent": _2D,
    "DifferentialOperators.compute_fd_hessian_2d_simple": f"{_2D}, var_dims",
    "DifferentialOperators.compute_fd_gradient_3d_simple": f"{_3D}, dim, {_WEIGHTS}",
    "DifferentialOperators.compute_gradient_3d_lsq": f"{_3D}, dim",
    "DifferentialOperators.compute_fd_laplacian_3d_simple": f"{_3D}, dims, {_TWICE}",
    "DifferentialOperators.compute_fd_hessian_3d_simple": f"{_3D}, var_dims",
    "DifferentialOperators.parse_fd_scheme": "scheme",
    "IntegrationOperators.nodal_volumes": "mesh_connectivity",
    "utils.ad_mode.set_ad_mode": "mode",
    "utils.ad_mode.get_ad_mode": "",
    "utils.ad_mode.set_hessian_mode": "mode",
    "utils.ad_mode.get_hessian_mode": "",
    "utils.ad_mode.parse_ad_scheme": "scheme",
    "utils.ad_mode.parse_hessian_scheme": "scheme",
    "utils.ad_mode.ad_fn": "mode",
    "Variable": "tag, dim, domain, axis='spatial', fem_meta=None",
    "Integral": "target, integration_var=None",
    "noise.Noise": "distribution, **params",
}


def described(function, documented):
    """The parameters as text, without annotations and without our own keyword-only ones."""
    kept = []
    for parameter in inspect.signature(function).parameters.values():
        own = parameter.kind is parameter.KEYWORD_ONLY and f"{parameter.name}=" not in documented
        if parameter.name not in ("self", "cls") and not own:
            kept.append(parameter.replace(annotation=parameter.empty))
    return str(inspect.Signature(kept)).removeprefix("(").removesuffix(")")


@pytest.mark.parametrize("name", SIGNATURES)
def test_documented_signatures(name):
    function = functools.reduce(getattr, name.split("."), jno)
    assert described(function, SIGNATURES[name]) == SIGNATURES[name]
