"""The rows of nets that predict motion, and of the baselines that see no raster."""

from functools import partial

from resvision.catalog.row import Row

_motion = partial(
    Row,
    task="motion",
    recipe="motion-short",
    is_backbone=False,
    num_classes=None,
)

ROWS = (
    _motion(
        "motion_regression",
        usual={"backbone": "resnet50", "in_channels": 25},
        paper="Houston et al. 2020, One Thousand and One Hours, arXiv:2006.14480",
        year=2020,
        builder="resvision.motion.motion_regression:motion_regression",
        system="resvision.motion.motion_regression:RegressionForecaster",
        input=(25, 224, 224),
    ),
    _motion(
        "mtp",
        usual={"backbone": "resnet50"},
        paper="Cui et al. 2019, Multimodal Trajectory Predictions, arXiv:1809.10732",
        year=2019,
        builder="resvision.motion.mtp:mtp",
        system="resvision.motion.mtp:MTPForecaster",
        input=(3, 300, 300),
    ),
    _motion(
        "covernet",
        usual={"backbone": "resnet50"},
        paper="Phan-Minh et al. 2020, CoverNet, arXiv:1911.10298",
        year=2020,
        builder="resvision.motion.covernet:covernet",
        system="resvision.motion.covernet:CoverForecaster",
        input=(3, 500, 500),
    ),
    _motion(
        "vector",
        paper="ours, baselines without a raster",
        year=2026,
        builder="resvision.motion.vector:vector",
        system="resvision.motion.mtp:MTPForecaster",
        input=(3, 224, 224),
    ),
    _motion(
        "replay",
        paper="ours, baselines without a raster",
        year=2026,
        builder="resvision.motion.replay:replay",
        system="resvision.motion.replay:ReplayForecaster",
        recipe="motion-replay",
        input=(3, 224, 224),
    ),
)
