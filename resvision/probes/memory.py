"""Memory that training keeps for one image: the tensors that autograd saves in a forward, on the meta device."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resvision.probes.shapes import Shapes, image_for, on_meta, run


def kept_bytes(net: nn.Module, input: Sequence[int]) -> int:
    """Bytes that the backward pass of one image (C, H, W) needs from its forward, in the type of the net's weights.

    Every tensor that autograd saves counts once, the image and a batch's statistics among them; weights do not count,
    nor do masks of dropout and heads that only `losses` runs. Raises SettingsError when such an image does not go
    through the net.
    """
    image = image_for(net, input)
    kept: dict[int, torch.UntypedStorage] = {}  # by storage: views of one tensor share it, and count once

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    with on_meta(net) as bare:
        own = {tensor.untyped_storage()._cdata for tensor in (*bare.parameters(), *bare.buffers())}
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), Shapes():
            run(bare, image)
    return sum(storage.nbytes() for key, storage in kept.items() if key not in own)
