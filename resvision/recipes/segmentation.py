"""Recipes of segmentation: a short one for any net and any data, and those of the papers.

A recipe's docstring names the settings that its paper does not give, and the parts that need data we do not have. A
recipe of several phases is a tuple of Runs, each of which starts with the result of the one before it.
"""

from dataclasses import replace

from resvision.catalog import find
from resvision.core.errors import SettingsError
from resvision.loading.augment import MaskAugment
from resvision.run import DataSettings, ModelSettings, Run, TrainingSettings
from resvision.segmentation.fcn_vgg import Stride, new_parts
from resvision.training.machine import Machine
from resvision.training.optimizers import OptimizerSettings
from resvision.training.schedules import Schedule

OF_ONE_SIZE = {"unet", "deconvnet"}
"""Nets that do not take crops of every size; the others take the side that the data set names."""

FINER: tuple[tuple[str, Stride, float], ...] = (("fcn16s", 16, 1e-6), ("fcn8s", 8, 1e-8))
"""The nets after FCN-32s, with the stride of their finest scores and their learning rate."""


def segmentation_short(model: str, data: str) -> Run:
    """One-cycle AdamW over 40 epochs in batches of 8, crops at half to twice the size, mirrored, averaged weights.

    Classes count by the root of what balances them, so that rare ones are learned too.

    Receipts, 2026-11-22: from scratch, one seed, bf16, one thread beside other work. CamVid, 367 images, measured on
    its 101 of val, 11 classes, void left out: mean IoU and pixel accuracy. One map of road everywhere would have 2.7
    and 29.5 %.

    `resvision train deeplabv3plus_resnet18 --data camvid --epochs 32 --set data.image_size=240
    --set training.evaluate_every=8`: 53.2 and 85.2 % after 16 epochs, 33 minutes of training steps; 55.7 and 86.8 %
    after 24, 58 minutes; 56.0 and 86.6 % after 32, 70 minutes.

    With the same settings but 12 epochs and `--set training.evaluate_every=4`, from scratch and with
    `--set model.encoder_from=RUN` of a ResNet-18 trained on CIFAR-10 as JPEG (48 px, 6 epochs in batches of 256 at lr
    0.2, 18.7 % error): 35.5 and 41.2 % mean IoU after 4 epochs, 44.2 and 55.0 after 8, 50.4 and 57.1 after 12; pixel
    accuracy 83.7 and 86.8 %; 32 and 29 minutes.

    Scaled down, in batches of 4; a ResNet-18 is 32 wide, half of its width. Seconds are of the whole command.

    fcn (ResNet-18)            192 px  5 epochs   35.3  75.2   232 s
    unet_encoder (ResNet-18)   160     3          26.1  67.8   279
    pspnet (ResNet-18)         160     3          23.5  63.2   265   channels=128
    deeplabv3 (ResNet-18)      160     3          20.0  60.0   242   channels=128
    deeplabv3plus_xception65   160     5          23.0  61.8   858   width=16; by sliding windows; whole 3.2 and 26.6,
                                                                     since crops of 160 px do not reach its rates
    unet_padded                128     2          18.3  43.8   250   width=16
    deconvnet                  224     2           5.5  32.4   226   width=8; hardly above road everywhere
    deconvnet                  224     12 of 24   18.4  55.5         width=8, batches of 16, lr 0.003, clip_norm=1:
                                                                     in batches of 4 fc6 normalizes 4 numbers
    """
    return Run(
        recipe="segmentation-short",
        model=ModelSettings(name=model),
        data=DataSettings(name=data, image_size=find(model).input[1] if model in OF_ONE_SIZE else None),
        training=TrainingSettings(duration="40 epochs", batch_size=8, ema_decay=0.99),
        augment=MaskAugment(crop="random-scale", flip=data != "digit-scenes-composed", fill="mean"),
        loss={"class_weights": "balanced-root"},
        optimizer=OptimizerSettings(name="adamw", lr=0.001, weight_decay=0.01),
        schedule=Schedule(kind="one-cycle", warmup=0.15),
    )


def fcn_2015(model: str, data: str) -> tuple[Run, ...]:
    """Long et al. 2015, https://arxiv.org/abs/1411.4038: 32s, then 16s from its weights, then 8s from those.

    Sections 4.2 and 4.3: SGD with momentum 0.9, batches of 20, decay 5e-4, biases at twice the rate; 32s starts with
    VGG-16 of ImageNet, of which torchvision's is taken, at lr 1e-4, and the rate falls to a hundredth with each finer
    net. Deconvolutions of factor 2 start bilinear and are learned, the last one of each net is fixed.

    The paper trains whole images, here crops of 500 px. The length, 100,000 steps for each phase, and the hundredth of
    8s are those of the released nets, which differ otherwise: single images, momentum 0.99, the loss summed over pixels
    at lr 1e-10, 1e-12 and 1e-14, and all deconvolutions fixed, `--set model.options.deconvolution=fixed`.

    Receipt: not run in full. The paper reports 59.4, 62.4 and 62.7 % mean IU for 32s, 16s and 8s on part of VOC 2011.
    With one rate in all phases, deconvolutions fixed and biases at the rate of weights, `train fcn8s --data camvid` of
    width 8, without VGG-16's weights, crops of 160 px at half to twice the size, each
    phase 2 epochs of one-cycle AdamW at lr 1e-3 in batches of 4, bf16, seed 0: 14.2, 16.9 and 19.9 % mean IoU, 56.4,
    59.5 and 61.9 % pixel accuracy; 438 s on one thread beside other work (2026-11-22).
    """
    phases = ("fcn32s", "fcn16s", "fcn8s")
    if model not in phases:
        raise SettingsError(f"recipe fcn-2015: is for {', '.join(phases)}, not {model}")
    first = Run(
        recipe="fcn-2015",
        model=ModelSettings(name="fcn32s", options={"deconvolution": "learned"}, encoder_from="torchvision"),
        data=DataSettings(name=data, image_size=500),
        training=TrainingSettings(duration="100000 steps", batch_size=20),
        augment=MaskAugment(flip=True),
        optimizer=OptimizerSettings(lr=1e-4, momentum=0.9, weight_decay=5e-4, bias_factor=2.0),
        schedule=Schedule(kind="constant"),
        machine=Machine(precision="fp32"),
    )
    return (first, *(_finer(first, *next_net) for next_net in FINER[: phases.index(model)]))


def _finer(first: Run, name: str, stride: Stride, lr: float) -> Run:
    """The run of a finer net, which starts with the weights of the coarser one."""
    model = ModelSettings(name=name, options=first.model.options, init_except=new_parts(stride))
    return replace(first, model=model, optimizer=replace(first.optimizer, lr=lr))


def deeplabv3_2017(model: str, data: str) -> tuple[Run, ...]:
    """Chen et al. 2017, https://arxiv.org/abs/1706.05587, section 4.1: output stride 16, then 8 with frozen statistics.

    The encoder starts with weights of ImageNet, of which torchvision's are taken. Batches of 16 crops of 513 px at half
    to twice the size, mirrored, poly schedule; 30,000 steps at lr 0.007, then 30,000 at 0.001 with batch normalization
    frozen. Its decay of 0.9997 suits weights of ImageNet and this length: in a shorter training from scratch,
    `--set model.norm_momentum=0.1`.

    Of the second phase's other data, trainval instead of trainaug, nothing is done here. The paper gives neither
    momentum nor weight decay: 0.9 and 1e-4 are ours. Its ResNets have three 3x3 convolutions as stem, ours one 7x7.

    Receipt: not run in full. The paper reports 77.21 % mean IoU at stride 16 and 78.51 % at 8 with ResNet-101 on VOC
    2012 val. `train deeplabv3_2017_resnet50 --data camvid` of width 16 with 64 channels, crops of 193 px, each phase 2
    epochs in batches of 4, fp32, seed 0, 347 s on one thread beside other work (2026-11-22): 16.7 % mean IoU and 56.4 %
    pixel accuracy at stride 16; 13.9 and 50.9 at 8, where the same lr, 0.02, was too much.
    """
    first = _poly("deeplabv3-2017", model, data, crop_px=513, lr=0.007, decay=1e-4, steps=30_000)
    first = replace(first, model=replace(first.model, options={"output_stride": 16}, norm_momentum=3e-4))
    second = replace(
        first,
        model=replace(first.model, options={"output_stride": 8}, encoder_from=None, frozen_norms=True),
        optimizer=replace(first.optimizer, lr=0.001),
    )
    return first, second


def pspnet_2017(model: str, data: str) -> Run:
    """Zhao et al. 2017, https://arxiv.org/abs/1612.01105, section 5.1: poly schedule, lr 0.01, auxiliary loss 0.4.

    Batches of 16 crops of 473 px at half to twice the size, mirrored, turned by up to 10 degrees; 150,000 steps as on
    ADE20K. As in the released nets, new layers learn at ten times the rate, biases at twice that of their layer, and
    normalization has no weight decay and takes a share of 0.05 of each batch into its statistics.

    The encoder starts with weights of ImageNet. Those of the released nets, with the deep stem, are not in our formats:
    name weights of your own for `pspnet_resnet50` and `pspnet_resnet101`. `pspnet` stands on a plain ResNet, for which
    torchvision's are taken. Blur is left out; the crop is turned, with its edges mirrored, where the release turns the
    whole image. Statistics are those of one process, in the paper those of all: `--set training.sync_norms=true`.

    Receipt: not run in full. The paper reports 41.68 % mean IoU on ADE20K val with ResNet-50.
    """
    run = _poly("pspnet-2017", model, data, crop_px=473, lr=0.01, decay=1e-4, steps=150_000)
    return replace(
        run,
        model=replace(run.model, options={"aux": True}, norm_momentum=0.05),
        augment=MaskAugment(crop="random-scale", flip=True, fill="mean", rotation_degrees=10.0),
        loss={"auxiliary_weight": 0.4},
        optimizer=replace(run.optimizer, head_factor=10.0, bias_factor=2.0),
    )


def unet_2015(model: str, data: str) -> Run:
    """Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597: single tiles, momentum 0.99, borders, deformation.

    Tiles of 572 px whose centre of 388 is learned, mirrored, turned by any angle, their grey values multiplied by 0.8
    to 1.2; elastic deformation on a 3x3 grid of 10 px, weights w0 = 10 and sigma = 5 px between objects. Section 3.1
    asks for shifts, rotation, deformation and grey values; of their sizes it gives that of the deformation alone. It
    gives neither rate nor length: lr 1e-3 over 200 epochs is ours, as are the class weights by the pixels of the whole
    set, where w_c is computed for each label map.

    Receipt: not run in full. Without rotation and grey values, and with border distances of 0 inside objects, `train
    unet --data isbi2012` of width 16 with tiles of 412 px, 40 epochs of AdamW at lr
    1e-3, one-cycle, classes unweighted, averaged weights (decay 0.98), bf16, seed 0: 8.41 % pixel error and 77.12 %
    mean IoU (membrane 64.14, cell 90.10) on the 6 held-out images, 8.18 % and 77.60 with flip; 536 s on one thread
    beside other work (2026-11-22). All called cell would be 19.65 % and 40.2.
    """
    return Run(
        recipe="unet-2015",
        model=ModelSettings(name=model),
        data=DataSettings(name=data, image_size=572),
        training=TrainingSettings(duration="200 epochs", batch_size=1),
        augment=MaskAugment(
            crop="random-scale",
            scale_range=(1.0, 1.0),
            flip=True,
            elastic_px=10.0,
            rotation_degrees=180.0,
            brightness=0.2,
        ),
        loss={"border_weight": 10.0, "border_sigma_px": 5.0, "class_weights": "balanced"},
        optimizer=OptimizerSettings(lr=0.001, momentum=0.99, weight_decay=0.0),
        schedule=Schedule(kind="constant"),
        machine=Machine(precision="fp32"),
    )


def _poly(name: str, model: str, data: str, *, crop_px: int, lr: float, decay: float, steps: int) -> Run:
    return Run(
        recipe=name,
        model=ModelSettings(name=model, encoder_from="torchvision"),
        data=DataSettings(name=data, image_size=crop_px),
        training=TrainingSettings(duration=f"{steps} steps", batch_size=16),
        augment=MaskAugment(crop="random-scale", flip=True, fill="mean"),
        optimizer=OptimizerSettings(lr=lr, momentum=0.9, weight_decay=decay),
        schedule=Schedule(kind="poly", power=0.9),
        machine=Machine(precision="fp32"),
    )
