import pytest
import torch
from torch import nn

from resvision.layers.on_cpu.interpolation import interpolation_matrix, resize_bilinear


@pytest.mark.parametrize("align_corners", [True, False])
def test_a_line_is_interpolated_by_a_matrix(align_corners: bool) -> None:
    maps = torch.randn(2, 3, 5, 4)
    expected = nn.functional.interpolate(maps, size=(18, 16), mode="bilinear", align_corners=align_corners)
    rows, columns = (
        interpolation_matrix(5, 18, align_corners=align_corners),
        interpolation_matrix(4, 16, align_corners=align_corners),
    )
    assert torch.allclose(rows @ maps.double() @ columns.T, expected.double(), atol=1e-6)
    small = resize_bilinear(maps.bfloat16(), (18, 16), align_corners=align_corners)
    assert small.dtype == torch.bfloat16
    assert torch.allclose(small.float(), expected, atol=0.02 * maps.abs().max().item())
