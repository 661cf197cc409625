"""The table of recipes, as text, and the leaves of a Run that nobody sets. Reaches no torch."""

from typing import NamedTuple


class Recipe(NamedTuple):
    """A recipe's function, as `module:function`, its line of help, and the data that it is made for."""

    function: str
    summary: str
    data: str


RECIPES = {
    "small-images-short": Recipe(
        "resvision.recipes.small_images:small_images_short",
        "one-cycle SGD, 20 epochs, shifts, for images up to about 64 px; default of CIFAR nets and MLPs",
        data="small images",
    ),
    "photos-short": Recipe(
        "resvision.recipes.photos:photos_short",
        "one-cycle SGD, 30 epochs, random resized crops, for folders of photos; default of ImageNet nets",
        data="folders of photos",
    ),
    "lenet-short": Recipe(
        "resvision.recipes.lenet_1998:lenet_short",
        "one-cycle SGD, 20 epochs, 32 px, grey, for the distances of LeNet-5; its default",
        data="digits",
    ),
    "alexnet-short": Recipe(
        "resvision.recipes.alexnet_vgg:alexnet_short",
        "one-cycle AdamW, 30 epochs, clipped, small images enlarged to 67 px; default of AlexNet and ZF-5",
        data="small images and photos",
    ),
    "vgg-short": Recipe(
        "resvision.recipes.alexnet_vgg:vgg_short",
        "one-cycle AdamW, 30 epochs, clipped, small images enlarged to 32 px; default of the VGG nets",
        data="small images and photos",
    ),
    "lenet-1998": Recipe(
        "resvision.recipes.lenet_1998:lenet_1998",
        "LeCun et al. 1998, section III: 20 passes over single images, not scaled down",
        data="MNIST",
    ),
    "alexnet-2012": Recipe(
        "resvision.recipes.alexnet_vgg:alexnet_2012",
        "Krizhevsky et al. 2012, section 5: 90 epochs in batches of 128, three drops, not scaled down",
        data="ImageNet",
    ),
    "vgg-2014": Recipe(
        "resvision.recipes.alexnet_vgg:vgg_2014",
        "Simonyan, Zisserman 2014, section 3.1: 74 epochs in batches of 256, three drops, not scaled down",
        data="ImageNet",
    ),
    "sppnet-2014": Recipe(
        "resvision.recipes.sppnet:sppnet_2014",
        "He et al. 2014, section 3.1: images of 224 and 180 px by turns, an epoch each, two drops, not scaled down",
        data="ImageNet",
    ),
    "cifar-2015": Recipe(
        "resvision.recipes.resnet_2015:cifar_2015",
        "He et al. 2015, section 4.2: 64k steps of 128, drops at 32k and 48k; warm start from depth 110 on",
        data="CIFAR-10",
    ),
    "imagenet-2015": Recipe(
        "resvision.recipes.resnet_2015:imagenet_2015",
        "He et al. 2015, section 3.4: 600k steps of 256, scale jitter 256..480, 224 px crops",
        data="ImageNet",
    ),
    "inception-short": Recipe(
        "resvision.recipes.inception:inception_short",
        "one-cycle SGD, 30 epochs, small images enlarged to 64 px; default of GoogLeNet and BN-Inception",
        data="small images and photos",
    ),
    "prelunet-short": Recipe(
        "resvision.recipes.prelunet:prelunet_short",
        "one-cycle SGD, 30 epochs, small images enlarged to 64 px; default of the PReLU-nets",
        data="small images and photos",
    ),
    "segmentation-short": Recipe(
        "resvision.recipes.segmentation:segmentation_short",
        "one-cycle AdamW, 40 epochs in batches of 8, crops at half to twice the size; default of segmentation",
        data="images with label maps",
    ),
    "motion-short": Recipe(
        "resvision.recipes.motion.short:motion_short",
        "one-cycle AdamW, 20 epochs in batches of 64, from constant velocity, mirrored; default of motion prediction",
        data="recorded tracks",
    ),
    "motion-replay": Recipe(
        "resvision.recipes.motion.replay:motion_replay",
        "no steps: training tracks are kept to be replayed; default of replay",
        data="recorded tracks",
    ),
    "fcn-2015": Recipe(
        "resvision.recipes.segmentation:fcn_2015",
        "Long et al. 2015, section 4.3: 32s, 16s, 8s one after another, 100k steps each",
        data="VOC",
    ),
    "unet-2015": Recipe(
        "resvision.recipes.segmentation:unet_2015",
        "Ronneberger et al. 2015: tiles of 572 px, momentum 0.99, border weights, elastic deformation",
        data="ISBI 2012",
    ),
    "pspnet-2017": Recipe(
        "resvision.recipes.segmentation:pspnet_2017",
        "Zhao et al. 2017, section 5.1: 150k steps of 16 crops of 473 px, poly schedule, auxiliary loss 0.4",
        data="ADE20K",
    ),
    "deeplabv3-2017": Recipe(
        "resvision.recipes.segmentation:deeplabv3_2017",
        "Chen et al. 2017, section 4.1: output stride 16, then 8 with frozen normalization, 30k steps each",
        data="VOC",
    ),
    "detection-short": Recipe(
        "resvision.recipes.detection.short:detection_short",
        "one-cycle AdamW, 40 epochs in batches of 8, at 0.7 to 1.4 times the size; default of every detector",
        data="images with boxes",
    ),
    "rcnn-short": Recipe(
        "resvision.recipes.detection.rcnn:rcnn_short",
        "one-cycle AdamW, 10 epochs of windows, then SVMs and regression of boxes; default of rcnn",
        data="images with boxes",
    ),
    "rcnn-2014": Recipe(
        "resvision.recipes.detection.rcnn:rcnn_2014",
        "Girshick et al. 2014, section 2.3: 70k steps of 128 windows, three drops, then SVMs and regression of boxes",
        data="VOC",
    ),
    "sppnet-detection-short": Recipe(
        "resvision.recipes.detection.sppnet:sppnet_detection_short",
        "one-cycle AdamW, 20 epochs of windows, then SVMs and regression of boxes; default of sppnet",
        data="images with boxes",
    ),
    "sppnet-detection-2014": Recipe(
        "resvision.recipes.detection.sppnet:sppnet_detection_2014",
        "He et al. 2014, section 4: 300k steps of 128 windows over frozen convolutions, then SVMs and regression",
        data="VOC",
    ),
    "fast-rcnn-2015": Recipe(
        "resvision.recipes.detection.fast_rcnn:fast_rcnn_2015",
        "Girshick 2015, section 2.3: 40k steps of 2 images, one drop, first two stages frozen",
        data="VOC",
    ),
    "faster-rcnn-2015": Recipe(
        "resvision.recipes.detection.faster_rcnn:faster_rcnn_2015",
        "Ren et al. 2015, joint training: 70k steps of 2 images, one drop, first two stages frozen",
        data="VOC",
    ),
    "faster-rcnn-4step-2015": Recipe(
        "resvision.recipes.detection.faster_rcnn:faster_rcnn_4step_2015",
        "Ren et al. 2015, section 3.2: proposals, regions, both again on frozen maps; 80k, 40k, 80k and 40k steps",
        data="VOC",
    ),
    "faster-rcnn-4step-short": Recipe(
        "resvision.recipes.detection.faster_rcnn:faster_rcnn_4step_short",
        "the four steps of Faster R-CNN with one-cycle AdamW, 20 epochs for proposals, 10 for regions",
        data="images with boxes",
    ),
    "yolov1-2016": Recipe(
        "resvision.recipes.detection.yolov1:yolov1_2016",
        "Redmon et al. 2016, section 2.2: 135 epochs in batches of 64 at 448 px, two drops, scales and colours",
        data="VOC",
    ),
    "ssd-2016": Recipe(
        "resvision.recipes.detection.ssd:ssd_2016",
        "Liu et al. 2016, section 3.1: 120k steps of 32 images of 300 px, two drops, crops about objects, colours",
        data="VOC",
    ),
    "refinedet-2018": Recipe(
        "resvision.recipes.detection.refinedet:refinedet_2018",
        "Zhang et al. 2018, section 3.3: 120k steps of 32 images of 320 px, two drops, SSD's crops and colours",
        data="VOC",
    ),
    "retinanet-2017": Recipe(
        "resvision.recipes.detection.retinanet:retinanet_2017",
        "Lin et al. 2017, section 4.1: 90k steps of 16 images, two drops, normalization frozen",
        data="COCO",
    ),
    "yolov2-2017": Recipe(
        "resvision.recipes.detection.yolov2:yolov2_2017",
        "Redmon, Farhadi 2016, yolov2-voc.cfg: 80,200 steps of 64 images of 320 to 608 px by turns, two drops",
        data="VOC",
    ),
    "yolov3-2018": Recipe(
        "resvision.recipes.detection.yolov3:yolov3_2018",
        "Redmon, Farhadi 2018, yolov3.cfg: 500,200 steps of 64 images of 320 to 608 px by turns, two drops",
        data="COCO",
    ),
    "mtp-2019": Recipe(
        "resvision.recipes.motion.papers:mtp_2019",
        "Cui et al. 2019, section IV: 200k steps of 64 rasters of 300 px, 6 s ahead, a tenth less every 20k",
        data="recorded tracks",
    ),
    "motion-regression-2020": Recipe(
        "resvision.recipes.motion.papers:motion_regression_2020",
        "Houston et al. 2020, as in l5kit: 100k steps of 12 rasters of 224 px in 25 channels, 5 s ahead",
        data="recorded tracks",
    ),
    "covernet-2020": Recipe(
        "resvision.recipes.motion.papers:covernet_2020",
        "Phan-Minh et al. 2020: 200k steps of 64 rasters of 500 px, up to 2,206 trajectories within 2 m",
        data="recorded tracks",
    ),
    "googlenet-2014": Recipe(
        "resvision.recipes.inception:googlenet_2014",
        "Szegedy et al. 2014, section 6: 10M steps of 32, lr falls by 4 % every 8 epochs, crops of 8 to 100 % area",
        data="ImageNet",
    ),
    "bn-inception-2015": Recipe(
        "resvision.recipes.inception:bn_inception_2015",
        "Ioffe, Szegedy 2015, section 4.2, BN-x30: 6M steps of 32 at lr 0.045, which falls six times as often",
        data="ImageNet",
    ),
    "prelunet-2015": Recipe(
        "resvision.recipes.prelunet:prelunet_2015",
        "He et al. 2015, Delving Deep, section 3: 80 epochs of 128, scale jitter 256..480",
        data="ImageNet",
    ),
}


DECIDED = {
    "format": "this version of resvision",
    "recipe": "--recipe",
    "model.name": "the MODEL that is named",
    "model.num_classes": "the data",
    "data.name": "--data",
    "data.classes": "the data",
    "data.train_images": "the data, --train-images and --validation",
    "data.validation_images": "the data and --validation",
    "data.test_images": "the data",
    "data.split_rule": "the data",
    "data.fingerprint": "the data",
    "data.proposals_sum": "data.proposals",
    "data.view": "the data, data.image_size, data.channels, data.mean, data.std, data.resize and data.resize_px",
    "training.extended": "train --resume RUN --epochs",
}
"""The leaves of a Run that a user cannot set, each with what decides it."""
