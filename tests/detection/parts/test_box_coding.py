"""Coding of boxes: laws, and hand-sized cases."""

import math

import torch

from resvision.detection.parts.box_coding import LARGEST_GROWTH, BoxCoding, clip


def boxes(count: int) -> torch.Tensor:
    corners = 100 * torch.rand(count, 2)
    return torch.cat([corners, corners + 1 + 80 * torch.rand(count, 2)], dim=1)


def test_decoding_after_encoding_is_the_identity() -> None:
    truth, references = boxes(200), boxes(200)
    for coding in (BoxCoding(), BoxCoding(10, 10, 5, 5)):
        torch.testing.assert_close(
            coding.decode(coding.encode(truth, references), references), truth, atol=1e-3, rtol=0
        )


def test_offsets_are_those_of_the_paper() -> None:
    deltas = BoxCoding().encode(torch.tensor([[10.0, 10.0, 30.0, 50.0]]), torch.tensor([[0.0, 0.0, 10.0, 20.0]]))
    torch.testing.assert_close(deltas, torch.tensor([[1.5, 1.0, math.log(2), math.log(2)]]))


def test_no_delta_is_the_reference_itself() -> None:
    references = boxes(20)
    torch.testing.assert_close(BoxCoding().decode(torch.zeros(20, 4), references), references)


def test_growth_is_clamped_and_so_never_infinite() -> None:
    decoded = BoxCoding().decode(torch.tensor([[0.0, 0.0, 1e4, 88.0]]), torch.tensor([[0.0, 0.0, 16.0, 16.0]]))
    torch.testing.assert_close(decoded[0, 2:] - decoded[0, :2], torch.tensor([1000.0, 1000.0]))
    torch.testing.assert_close(math.exp(LARGEST_GROWTH), 1000 / 16)


def test_offsets_are_float32_whatever_a_net_computes_in() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        coding = BoxCoding()
        assert coding.decode(torch.zeros(1, 4, dtype=torch.bfloat16), boxes(1)).dtype == torch.float32
        assert coding.encode(boxes(1).bfloat16(), boxes(1)).dtype == torch.float32


def test_places_without_a_box_give_finite_offsets() -> None:
    assert torch.isfinite(BoxCoding().encode(torch.zeros(1, 4), boxes(1))).all()


def test_boxes_are_clipped_at_the_edges() -> None:
    clipped = clip(torch.tensor([[-5.0, -5.0, 50.0, 50.0]]), (20, 30))
    assert clipped.tolist() == [[0.0, 0.0, 30.0, 20.0]]
