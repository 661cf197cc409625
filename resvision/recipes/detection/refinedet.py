"""The recipe of RefineDet."""

from dataclasses import replace

from resvision.recipes.detection.ssd import ssd_2016
from resvision.run import DataSettings, ModelSettings, Run


def refinedet_2018(model: str, data: str) -> Run:
    """Zhang et al. 2018, https://arxiv.org/abs/1711.06897, section 3.3: 120,000 steps of 32 images of 320 px.

    As in the released code for VOC 07+12: the rate is 0.001 and falls to a tenth after 80,000 and 100,000 steps,
    momentum 0.9, decay 5e-4; images are cut, laid into larger areas, coloured and mirrored as for SSD, from whose
    recipe the rest comes, too: biases learn at twice the rate. RefineDet512 is the same with `--set
    data.image_size=512`.

    The paper's VGG-16 has fc6 and fc7 as convolutions, thinned out of the trained ones; ours are new.

    Receipt: not run in full. The paper reports 80.0 % mAP on VOC 2007 at 320 px and 81.8 % at 512 px.
    """
    return replace(
        ssd_2016(model, data),
        recipe="refinedet-2018",
        model=ModelSettings(name=model, encoder_from="torchvision"),
        data=DataSettings(name=data, image_size=320),
    )
