"""KID, FD and the nearest image, against closed forms."""

import pytest
import torch
from diffkit_trainer.evaluation.distances import frechet_distance, kernel_distance, nearest_images


def gaussian(n, mean, scale, seed):
    z = torch.randn(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return mean + z @ scale


def test_frechet_distance_of_gaussians():
    one, other = torch.diag(torch.tensor([1.0, 2.0]).double()), torch.diag(torch.tensor([3.0, 1.0]).double())
    x, y = gaussian(200_000, 0.0, one, 0), gaussian(200_000, torch.tensor([1.0, 2.0]), other, 1)
    # means: 1 + 4; covariances that commute: (1 - 3)^2 + (2 - 1)^2
    assert frechet_distance(x, y) == pytest.approx(10, rel=0.01)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_is_unbiased():
    unit = torch.eye(2).double()
    same = [kernel_distance(gaussian(40, 0.0, unit, k), gaussian(40, 0.0, unit, 1000 + k)) for k in range(300)]
    mean, error = torch.tensor(same).mean(), torch.tensor(same).std() / 300**0.5
    assert abs(mean) < 3 * error
    assert kernel_distance(gaussian(400, 0.0, unit, 0), gaussian(400, 1.0, unit, 1)) > 1


def test_nearest_image_and_its_distance():
    others = torch.randint(0, 256, (1100, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    index, distance = nearest_images(others[1050:1052], others)
    assert (index.tolist(), distance.tolist()) == ([1050, 1051], [0, 0])
    lighter = others[:1].clamp(max=250) + torch.tensor([0, 4], dtype=torch.uint8).view(1, 1, 1, 2)
    index, distance = nearest_images(lighter, others[:1].clamp(max=250))
    assert (index.item(), distance.item()) == (0, pytest.approx(8**0.5))
    _, distance = nearest_images(others[:3], others, excluded=torch.arange(3))
    assert min(distance) > 0
