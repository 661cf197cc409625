"""What every system of motion prediction promises. A test class names a row of the catalog, and inherits the tests:

class TestMTP(ForecasterContract):
    name = "mtp"
    options = {"backbone": "resnet18", "width": 4}
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from motion.traffic import SPAN, Windows, scene
from torch import Tensor, nn

from resvision import catalog
from resvision.contracts import Batch, Losses, split
from resvision.core import references
from resvision.motion.augment import MotionAugment
from resvision.motion.batches import MotionTrainBatches
from resvision.motion.forecaster import Forecaster, MotionInputs, MotionTargets, Trajectories
from resvision.probes.count import count


class Prediction(nn.Module):
    """What is exported of a system."""

    def __init__(self, system: Forecaster) -> None:
        super().__init__()
        self.system = system

    def forward(self, *inputs: Tensor) -> Trajectories:
        return self.system.predict(MotionInputs(*inputs))


class ForecasterContract:
    """The tests of one system at narrow width.

    name, options  of its net, besides those that the data decide
    exported       whether its prediction is exported here, and not by another test of the same row
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    exported: ClassVar[bool] = True

    def reader(self) -> Windows:
        return Windows([scene(seed=seed) for seed in range(2)])

    def others(self) -> Windows:
        """Windows that nothing was measured on."""
        return Windows([scene(seed=seed) for seed in range(2, 4)])

    def net_options(self, **further: Any) -> dict[str, Any]:
        """The options of the net, with those that follow from the data."""
        from_data = {"in_channels": 3, "steps": SPAN.steps, "frames": SPAN.history + 1}
        taken = catalog.options(self.name, self.options)
        return {**{key: value for key, value in from_data.items() if key in taken}, **self.options, **further}

    def system(self, **further: Any) -> Forecaster:
        torch.manual_seed(0)
        row, reader = catalog.find(self.name), self.reader()
        net = catalog.build(self.name, **self.net_options(**further))
        view = reader.view
        built: Forecaster = references.load(row.system, noun="system")(net, mean=view.mean, std=view.std)
        built.measure(reader)
        return built

    def lively(self, **further: Any) -> Forecaster:
        """The system in evaluation mode, with statistics of such windows."""
        system = self.system(**further)
        for module in system.net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = None  # one batch says all
        with torch.no_grad():
            system.train().forecast(self.batch(12).inputs)
        return system.eval()

    def batch(self, size: int = 6, *, unknown: bool = False) -> Batch:
        """Windows, of which the first two lack the last half and all of their future where `unknown`."""
        made = MotionTrainBatches(self.others(), batch_size=size, seed=0, augment=MotionAugment())[0]
        made = made._replace(inputs=in_default_type(made.inputs), targets=in_default_type(made.targets))
        if not unknown:
            return made
        positions, present, draws = made.targets
        present = present.clone()
        present[0, SPAN.steps // 2 :] = 0
        present[1] = 0
        return made._replace(targets=MotionTargets(positions * present[..., None], present, draws))

    def test_its_row_names_task_and_recipe_and_has_no_classes(self) -> None:
        row = catalog.find(self.name)
        assert (row.task, row.num_classes) == ("motion", None)
        assert row.recipe.startswith("motion-")
        assert not row.is_backbone

    def test_predictions_are_trajectories_whose_probabilities_sum_to_one(self) -> None:
        system = self.lively()
        with torch.no_grad():
            predicted = system.predict(self.batch(5).inputs)
        modes = system.net.modes
        assert predicted.positions.shape == (5, modes, SPAN.steps, 2)
        assert predicted.probabilities.shape == (5, modes)
        assert torch.isfinite(predicted.positions).all()
        torch.testing.assert_close(predicted.probabilities.sum(dim=1), torch.ones(5))

    def test_the_net_is_counted_from_an_image_alone(self) -> None:
        net = catalog.build(self.name, **self.net_options())
        counted = count(net, (3, 32, 32))
        assert counted.params == sum(parameter.numel() for parameter in net.parameters())

    def test_the_gradient_of_the_losses_reaches_every_parameter(self) -> None:
        system = self.system().train()
        minimised(system.losses(self.batch(12))).backward()
        for name, parameter in system.net.named_parameters():
            assert parameter.grad is not None, name
            assert 0 < parameter.grad.abs().max().item() < math.inf, name

    def test_the_loss_of_one_batch_falls(self) -> None:
        system, batch = self.system().train(), self.batch()
        optimizer = torch.optim.AdamW(system.net.parameters(), lr=0.003)
        losses = []
        for _ in range(12):
            loss = minimised(system.losses(batch))
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert np.mean(losses[-2:]) < losses[0]

    def test_a_window_with_no_known_future_weighs_nothing(self) -> None:
        system, batch = self.system().eval(), self.batch(unknown=True)
        positions, present, draws = batch.targets
        others = Batch(*(type(part)(*(member[2:] for member in part)) for part in batch[:2]), batch.ids[2:])
        alone = batch._replace(targets=MotionTargets(positions[1:2], present[1:2], draws[1:2]))
        alone = alone._replace(inputs=MotionInputs(*(member[1:2] for member in batch.inputs)), ids=batch.ids[1:2])
        for name, weight in system.weights(alone).items():
            assert weight == 0, name
        losses = system.losses(alone)
        for name, term in {**losses.terms, **losses.metrics}.items():
            assert (term.total, term.weight) == (0, 0), name
        whole, rest = system.losses(batch), system.losses(others)
        first = system.losses(
            Batch(*(type(part)(*(member[:1] for member in part)) for part in batch[:2]), batch.ids[:1])
        )
        for name, term in {**whole.terms, **whole.metrics}.items():
            parts = [{**one.terms, **one.metrics}[name] for one in (first, rest)]
            torch.testing.assert_close(term.total, sum(part.total for part in parts), rtol=1e-4, atol=1e-4)

    def test_what_is_not_known_of_the_future_changes_nothing(self) -> None:
        system, batch = self.system().eval(), self.batch(unknown=True)
        positions, present, draws = batch.targets
        other = torch.where(present[..., None] > 0, positions, torch.full_like(positions, 1e4))
        with torch.no_grad():
            before = system.losses(batch).terms
            after = system.losses(batch._replace(targets=MotionTargets(other, present, draws))).terms
        for name, term in before.items():
            torch.testing.assert_close(after[name], term)

    @pytest.mark.usefixtures("float64")
    def test_the_parts_of_a_batch_give_the_gradient_of_the_whole(self) -> None:
        system, batch = self.system().eval(), self.batch(unknown=True)
        whole = system.weights(batch)
        assert {*whole} == {*system.losses(batch).terms}, "weights that follow from the targets alone are named"
        parts = split(batch, 3)
        for name, weight in whole.items():
            torch.testing.assert_close(sum(system.weights(part)[name] for part in parts), weight)
        gradients = []
        for cut in ([batch], parts):
            system.zero_grad()
            for part in cut:
                terms = system.losses(part).terms
                sum(terms[name].total / whole[name] for name in whole).backward()
            gradients.append([parameter.grad.clone() for parameter in system.net.parameters()])
        for together, apart in zip(*gradients, strict=True):
            torch.testing.assert_close(apart, together, rtol=1e-7, atol=1e-10 * float(together.abs().max()) + 1e-14)

    def test_the_weights_named_beforehand_are_those_of_the_losses(self) -> None:
        system, batch = self.system().train(), self.batch(unknown=True)
        terms = system.losses(batch).terms
        for name, weight in system.weights(batch).items():
            torch.testing.assert_close(terms[name].weight.to(weight.dtype), weight)

    def test_positions_and_losses_are_of_full_precision_below_autocast(self) -> None:
        system, batch = self.system().train(), self.batch()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = system.losses(batch)
            predicted = system.eval().predict(batch.inputs)
        for term in losses.terms.values():
            assert term.total.dtype is torch.float32
            assert torch.isfinite(term.total)
        assert predicted.positions.dtype is predicted.probabilities.dtype is torch.float32
        coarse = predicted.positions.bfloat16().float()
        assert (coarse != predicted.positions).any(), "metres in bf16 are a quarter of a metre apart"

    def test_the_state_round_trips_and_holds_what_was_measured(self) -> None:
        system = self.lively()
        torch.manual_seed(1)
        net = catalog.build(self.name, **self.net_options())
        net.load_state_dict(system.net.state_dict(), strict=True)
        inputs = self.batch().inputs
        with torch.no_grad():
            before = system.predict(inputs)
            system.net = net.eval()
            after = system.predict(inputs)
        assert torch.equal(before.positions, after.positions)
        assert torch.equal(before.probabilities, after.probabilities)

    def test_predict_exports_as_one_graph(self) -> None:
        if not self.exported:
            return
        system = self.lively()
        example, other = self.batch(4).inputs, self.batch(9).inputs
        windows = torch.export.Dim("windows", min=2, max=64)
        shapes = (tuple({0: windows} for _ in example),)
        exported = torch.export.export(Prediction(system), tuple(example), dynamic_shapes=shapes).module()
        with torch.no_grad():
            torch.testing.assert_close(tuple(exported(*other)), tuple(system.predict(other)), rtol=1e-4, atol=1e-4)


def in_default_type(members: Any) -> Any:
    """The tensors of inputs or targets, floats in torch's default type."""
    default = torch.get_default_dtype()
    return type(members)(*(one.to(default) if one.is_floating_point() else one for one in members))


def minimised(losses: Losses) -> Tensor:
    """What a step minimises of one batch."""
    return torch.stack([term.mean() for term in losses.terms.values()]).sum()
