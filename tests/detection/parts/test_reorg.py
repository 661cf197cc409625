import torch
from torch import Tensor, nn

from resvision.detection.parts.reorg import Reorg, reorganized


def by_index(x: Tensor) -> Tensor:
    """The rule number by number: where in the input, read as C / 4 channels of twice the sides, each output lies."""
    count, channels, height, width = x.shape
    few, wide = channels // 4, 2 * width
    results = torch.empty_like(x).flatten()
    numbers = x.flatten()
    for n in range(count):
        for k in range(channels):
            for row in range(height):
                for column in range(width):
                    place = column + width * (row + height * (k + channels * n))
                    offset, channel = divmod(k, few)
                    source_row, source_column = 2 * row + offset // 2, 2 * column + offset % 2
                    results[place] = numbers[source_column + wide * (source_row + 2 * height * (channel + few * n))]
    return results.view(count, 4 * channels, height // 2, width // 2)


def test_a_map_of_four_channels_by_hand() -> None:
    x = torch.arange(16).view(1, 4, 2, 2)
    # Read as one channel of 4 x 4, of which each channel takes every second row and column.
    assert reorganized(x).flatten().tolist() == [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15]
    assert reorganized(x).shape == (1, 16, 1, 1)


def test_it_is_the_rule_number_by_number() -> None:
    for shape in ((1, 4, 2, 2), (2, 8, 4, 6), (1, 64, 26, 26)):
        x = torch.randn(shape)
        assert torch.equal(reorganized(x), by_index(x))


def test_it_is_not_pixel_unshuffle() -> None:
    x = torch.randn(1, 64, 26, 26)
    assert not torch.equal(Reorg()(x), nn.PixelUnshuffle(2)(x))
    assert Reorg()(x).shape == nn.PixelUnshuffle(2)(x).shape == (1, 256, 13, 13)
