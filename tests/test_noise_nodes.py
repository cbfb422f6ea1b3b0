import pytest

from jno import noise
from jno.trace import Noise


@pytest.mark.parametrize(
    ("build", "distribution", "defaults", "changes"),
    [
        (noise.gaussian, "gaussian", {"std": 1.0, "ndim": 1}, {"std": 0.1, "ndim": 3}),
        (noise.uniform, "uniform", {"low": -1.0, "high": 1.0, "ndim": 1}, {"low": 0, "high": 2.0, "ndim": 2}),
        (noise.laplace, "laplace", {"std": 1.0, "ndim": 1}, {"std": 2, "ndim": 2}),
    ],
)
def test_noise_nodes(build, distribution, defaults, changes):
    assert isinstance(build(), Noise)
    assert build().distribution == distribution
    assert dict(build().params) == defaults
    assert dict(build(**changes).params) == changes
    assert dict(build(*changes.values()).params) == changes
    assert build().draw_id != build().draw_id


def test_refused_parameters():
    with pytest.raises(ValueError, match="std must not be negative"):
        noise.gaussian(std=-1.0)
    with pytest.raises(ValueError, match="std must not be negative"):
        noise.laplace(std=-1.0)
    with pytest.raises(ValueError, match=r"low=2\.0 is above high=1\.0"):
        noise.uniform(2.0, 1.0)
    with pytest.raises(ValueError, match="ndim must be an integer of at least 1"):
        noise.uniform(ndim=0)
    with pytest.raises(TypeError, match="scale"):
        noise.laplace(scale=1.0)
