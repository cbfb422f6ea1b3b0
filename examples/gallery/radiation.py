"""Radiation between concentric cylinders: view factors, and reflections of grey walls.

    J_i = ε_i σT_i⁴ + (1 - ε_i) Σ_j F_ij J_j          (radiosity: emitted and reflected)

A hot tube of radius 1 in a cold one of radius 2. The walls are cut into pieces; the inner tube stands in between most
of the outer ones. The net heat per area of the inner tube is known (Incropera, table 13.3):

    q = (σT₁⁴ - σT₂⁴) / (1/ε₁ + (1 - ε₂)/ε₂ r₁/r₂)
"""

import numpy as np
from matplotlib import pyplot as plt
from shapely.geometry import Point

import jno

σ = 5.670374e-8
temperatures, emissivities = (800.0, 400.0), (0.6, 0.3)

# %% tags=["parameters"]
pieces, tolerance = 150, 5e-3

# %% the gap between the tubes; radiation leaves along inward normals, into the gap
outer, inner = Point(0, 0).buffer(2.0, quad_segs=64), Point(0, 0).buffer(1.0, quad_segs=64)
domain = jno.domain(outer, name="outer") - jno.domain(inner, name="inner")
x, y, _, nx, ny, factors = domain.variable(
    "boundary", (pieces, "equispaced"), normals=True, reverse_normals=True, view_factor=True, split=True
)
radius = jno.np.sqrt(x**2 + y**2)
hot = radius < 1.5
ε = jno.np.where(hot, *emissivities)
emitted = jno.np.where(hot, *(σ * T**4 for T in temperatures))

# %% the linear system of the radiosities, and what leaves
radiosity = jno.np.view_factor(factors).solve(ε * emitted, 1 - ε)
net = ε / (1 - ε) * (emitted - radiosity)
heat, distance, xs, ys = (np.asarray(v).ravel() for v in jno.core([]).eval([net, radius, x, y]))
computed = heat[distance < 1.5].mean()
difference = σ * temperatures[0] ** 4 - σ * temperatures[1] ** 4
exact = difference / (1 / emissivities[0] + (1 - emissivities[1]) / emissivities[1] / 2)
error = abs(computed / exact - 1)
print(f"net heat of the inner tube {computed / 1000:.3f} kW/m², exact {exact / 1000:.3f}, relative error {error:.1e}")
assert error < tolerance

# %% the picture
figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
image = axes.scatter(xs, ys, c=heat / 1000, s=14, cmap="coolwarm")
figure.colorbar(image, ax=axes, label="net heat, kW/m²")
axes.set(aspect="equal", xlabel="x", ylabel="y")
figure.savefig("radiation.png", dpi=150)
