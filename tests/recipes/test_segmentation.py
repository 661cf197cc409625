"""The recipes of segmentation papers: what their phases start with, and how fast they learn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support import scenes

from resvision import catalog
from resvision.core.errors import SettingsError
from resvision.initial_weights import settle_sources
from resvision.recipes import compose_phases
from resvision.run import DataSettings, ModelSettings, Run
from resvision.training.optimizers import LR_FACTOR, build_optimizer

Cli = Callable[..., tuple[int, str, str]]
OWN = "name weights by --set model.encoder_from=RUN or FILE, or start without by --from-scratch"


def runs(model: str, recipe: str, **changes: Any) -> list[Run]:
    return [phase.run for phase in compose_phases(model, "camvid", recipe_name=recipe, changes=changes)]


def source(model: str, **options: Any) -> str | None:
    """The source that a run with torchvision's encoder keeps."""
    asked = ModelSettings(name=model, num_classes=3, options=options, encoder_from="torchvision")
    return settle_sources(asked, None, DataSettings(name="camvid")).encoder_from


def test_the_rate_of_fcn_falls_to_a_hundredth_with_each_finer_net_and_its_x2_deconvolutions_are_learned() -> None:
    phases = runs("fcn8s", "fcn-2015")
    assert [run.optimizer.lr for run in phases] == [1e-4, 1e-6, 1e-8]
    assert {run.optimizer.bias_factor for run in phases} == {2.0}
    with torch.device("meta"):
        net = catalog.build("fcn8s", num_classes=3, **{**phases[-1].model.options, "width": 1})
    learned = {name.partition(".")[0] for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert {"upscore2", "upscore_pool4"} < learned
    assert "upscore8" not in learned


def test_first_phases_start_with_an_encoder_of_imagenet_and_later_ones_with_the_phase_before() -> None:
    for model, recipe in {
        "fcn8s": "fcn-2015",
        "deeplabv3_2017_resnet50": "deeplabv3-2017",
        "pspnet": "pspnet-2017",
    }.items():
        first, *later = runs(model, recipe)
        assert first.model.encoder_from == "torchvision"
        assert {run.model.encoder_from for run in later} <= {None}
        assert all(run.model.encoder_from is None for run in runs(model, recipe, **{"model.encoder_from": None}))


def test_weights_of_the_whole_net_leave_the_encoder_of_the_recipe_out_but_not_one_that_is_named() -> None:
    whole = {"model.init_from": "net.safetensors"}
    assert runs("pspnet", "pspnet-2017", **whole)[0].model.encoder_from is None
    named = {"model.encoder_from": "resnet.safetensors"}
    assert runs("pspnet", "pspnet-2017", **whole, **named)[0].model.encoder_from == "resnet.safetensors"


@pytest.mark.parametrize(
    ("model", "encoder"),
    [("fcn32s", "vgg16"), ("deconvnet", "vgg16_bn"), ("deeplabv3_2017_resnet50", "resnet50"), ("pspnet", "resnet50")],
)
def test_the_encoder_that_torchvision_publishes_is_found_for_nets_with_and_without_a_backbone(
    model: str, encoder: str
) -> None:
    kept = str(source(model))
    assert kept.startswith("torchvision:IMAGENET1K_V")
    assert catalog.find(encoder).name == encoder


def test_an_encoder_of_another_net_is_refused_before_anything_is_fetched_with_both_ways_out() -> None:
    for model, options in {
        "pspnet_resnet101": {},
        "deeplabv3_2017_resnet50": {"width": 4},
        "fcn32s": {"width": 2},
    }.items():
        with pytest.raises(SettingsError, match=r"another net( than|: not in it)") as raised:
            source(model, **options)
        assert str(raised.value).endswith(OWN)
    with pytest.raises(
        SettingsError, match=r"1 tensor, such as backbone\.conv1.*; show it colours by --set data.chann"
    ):
        source("pspnet", in_channels=1)
    with pytest.raises(SettingsError, match="unet has no encoder that weights are published for; name weights"):
        source("unet")
    with pytest.raises(SettingsError, match=r"choices: .*--from-scratch"):
        settle_sources(
            ModelSettings(name="pspnet", num_classes=3, encoder_from="torchvision:BEST"), None, DataSettings(name="x")
        )


def test_from_scratch_is_what_the_command_line_calls_no_encoder(cli: Cli, tmp_path: Path) -> None:
    words = ["train", "pspnet_resnet50", "--data", scenes(tmp_path / "data", images=4), "--recipe", "pspnet-2017"]
    words += ["--set", "model.options.width=2", "--batch-size", "1", "--out", tmp_path / "run"]
    code, _, err = cli(*words)
    assert (code, OWN in " ".join(err.split())) == (2, True)
    code, _, err = cli(*words, "--from-scratch")
    assert (code, "encoder" in err) == (2, False)
    assert "gives batch normalization one image at a time" in " ".join(err.split())


def test_phases_that_are_refused_before_the_first_leave_no_folder(cli: Cli, tmp_path: Path) -> None:
    words = ["train", "fcn16s", "--data", scenes(tmp_path / "data", images=4), "--recipe", "fcn-2015"]
    words += ["--set", "model.options.width=1"]
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "new", tmp_path / "empty"):
        code, _, err = cli(*words, "--out", out)
        assert (code, "phase 1 of 2" in err) == (2, True)
    assert not (tmp_path / "new").exists()
    assert not [*(tmp_path / "empty").iterdir()]


def test_new_layers_of_pspnet_learn_at_ten_times_the_rate() -> None:
    settings = runs("pspnet_resnet50", "pspnet-2017")[0].optimizer
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Conv2d(1, 1, 1))
    optimizer = build_optimizer(net, settings, {"0.weight": 1, "0.bias": 1, "1.weight": 0, "1.bias": 0})
    assert sorted(group[LR_FACTOR] for group in optimizer.param_groups) == [1.0, 2.0, 10.0, 20.0]


def test_statistics_of_batch_normalization_follow_the_decay_of_the_papers() -> None:
    assert runs("deeplabv3_2017_resnet50", "deeplabv3-2017")[0].model.norm_momentum == pytest.approx(1 - 0.9997)
    assert runs("pspnet_resnet50", "pspnet-2017")[0].model.norm_momentum == 0.05
