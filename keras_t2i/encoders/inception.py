"""Inception-v3, in the variants that judge pictures.

One graph under four sets of options. Published measures were taken with
different ones, and none can stand in for another.
"""

from typing import NamedTuple

import keras

_KEEP = {"dtype": "float32"}
#: The colours' means and deviations on ImageNet, of values in [0, 1].
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
#: variant -> the options of `inception_v3` that it stands for.
VARIANTS = {
    "torchvision": dict(
        counts_padding=True, last_pool="average", scale=True, classes=1000
    ),
    "keras": dict(
        counts_padding=False, last_pool="average", scale=False, classes=1000
    ),
    "fid_2015": dict(
        counts_padding=False, last_pool="max", scale=True, classes=1008
    ),
    "slim": dict(
        counts_padding=False, last_pool="average", scale=False, classes=51
    ),
}


class _Unit(NamedTuple):
    """A convolution with its norm and ReLU."""

    name: str
    channels: int
    kernel: int | tuple
    stride: int = 1
    padding: str = "same"


def _halved(name, channels):
    return _Unit(name, channels, 3, 2, "valid")


def _pooled(channels):
    return ("average", _Unit("branch_pool", channels, 1))


_MAX = ("max",)


def _a(pooled):
    return (
        (_Unit("branch1x1", 64, 1),),
        (_Unit("branch5x5_1", 48, 1), _Unit("branch5x5_2", 64, 5)),
        (
            _Unit("branch3x3dbl_1", 64, 1),
            _Unit("branch3x3dbl_2", 96, 3),
            _Unit("branch3x3dbl_3", 96, 3),
        ),
        _pooled(pooled),
    )


def _c(narrow):
    return (
        (_Unit("branch1x1", 192, 1),),
        (
            _Unit("branch7x7_1", narrow, 1),
            _Unit("branch7x7_2", narrow, (1, 7)),
            _Unit("branch7x7_3", 192, (7, 1)),
        ),
        (
            _Unit("branch7x7dbl_1", narrow, 1),
            _Unit("branch7x7dbl_2", narrow, (7, 1)),
            _Unit("branch7x7dbl_3", narrow, (1, 7)),
            _Unit("branch7x7dbl_4", narrow, (7, 1)),
            _Unit("branch7x7dbl_5", 192, (1, 7)),
        ),
        _pooled(192),
    )


_E = (
    (_Unit("branch1x1", 320, 1),),
    (
        _Unit("branch3x3_1", 384, 1),
        (
            _Unit("branch3x3_2a", 384, (1, 3)),
            _Unit("branch3x3_2b", 384, (3, 1)),
        ),
    ),
    (
        _Unit("branch3x3dbl_1", 448, 1),
        _Unit("branch3x3dbl_2", 384, 3),
        (
            _Unit("branch3x3dbl_3a", 384, (1, 3)),
            _Unit("branch3x3dbl_3b", 384, (3, 1)),
        ),
    ),
    _pooled(192),
)
_STEM = (
    _Unit("Conv2d_1a_3x3", 32, 3, 2, "valid"),
    _Unit("Conv2d_2a_3x3", 32, 3, 1, "valid"),
    _Unit("Conv2d_2b_3x3", 64, 3),
    "max",
    _Unit("Conv2d_3b_1x1", 80, 1),
    _Unit("Conv2d_4a_3x3", 192, 3, 1, "valid"),
    "max",
)
# block -> branches, side by side; a branch is a row of steps: a unit, units
# side by side, or a pool.
_BLOCKS = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": (
        (_halved("branch3x3", 384),),
        (
            _Unit("branch3x3dbl_1", 64, 1),
            _Unit("branch3x3dbl_2", 96, 3),
            _halved("branch3x3dbl_3", 96),
        ),
        _MAX,
    ),
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": (
        (_Unit("branch3x3_1", 192, 1), _halved("branch3x3_2", 320)),
        (
            _Unit("branch7x7x3_1", 192, 1),
            _Unit("branch7x7x3_2", 192, (1, 7)),
            _Unit("branch7x7x3_3", 192, (7, 1)),
            _halved("branch7x7x3_4", 192),
        ),
        _MAX,
    ),
    "Mixed_7b": _E,
    "Mixed_7c": _E,
}
_REGIONS, _LAST = "Mixed_6e", "Mixed_7c"


def _names(steps, block=""):
    """Names of a row's units in order, nested ones too."""
    found = []
    for step in steps:
        if isinstance(step, _Unit):
            found.append(block + step.name)
        elif not isinstance(step, str):
            found += _names(step, block)
    return found


#: Names of the 94 pairs of convolution and norm, in the order of the papers'
#: code. Their layers are called NAME.conv and NAME.bn.
UNITS = (
    *_names(_STEM),
    *(n for block, rows in _BLOCKS.items() for n in _names(rows, f"{block}.")),
)


def inception_v3(
    variant="torchvision",
    *,
    counts_padding=None,
    last_pool=None,
    scale=None,
    classes=None,
    logits_bias=True,
    transform_input=False,
    width=1.0,
):
    """Reads an image into regions, one vector, and scores of classes.

    Asked with `training=True` its norms use the batch's numbers, and move
    their own by a tenth; nothing is frozen here.

    Args:
        variant: key of `VARIANTS`, which sets the next four:
            "torchvision": torchvision's, trained on ImageNet.
            "keras": that of keras.applications, trained on ImageNet.
            "fid_2015": the graph of 2015-12-05 that FID was defined by, as
            pytorch-fid carries it.
            "slim": tensorflow/models' of 2016 (inception/slim).
        counts_padding: bool. Whether averages over 3 x 3 at the borders
            count zeros outside (divide by 9), or only what is inside. None
            leaves this and the next three to the variant.
        last_pool: "average" or "max", in the last block.
        scale: bool. Whether norms have a factor.
        classes: int > 0. Scores given.
        logits_bias: bool. The Inception score's first code left the bias out.
        transform_input: bool. Whether x * std / 0.5 + (mean - 0.5) / 0.5 with
            ImageNet's numbers is applied first, which turns (x - mean) / std
            of x in [0, 1] into [-1, 1].
        width: float > 0. Share of the channels, for tests.

    Returns:
        keras.Model, float32 under any policy: {"image": (B, H, W, 3) float32
        [-1, 1]} -> {"regions": (B, 17, 17, 768), "pooled": (B, 2048), both
        not negative, "logits": (B, classes)}. So many regions are there at
        299 x 299, which it was trained at; H and W are at least 75.

    Raises:
        ValueError: if the variant or the last pool is unknown.

    Source:
        Szegedy et al. 2016, arXiv:1512.00567; the last pool of "fid_2015" is
        a quirk of its graph.
        Ours differs: no auxiliary scores and no dropout. The norms are
        Keras's: trained, their running variance is the biased one.
    """
    if variant not in VARIANTS:
        raise ValueError(
            f"variant is {variant!r}; known are {', '.join(VARIANTS)}."
        )
    if last_pool not in (None, "average", "max"):
        raise ValueError(
            f"last_pool is {last_pool!r}; allowed are average and max."
        )
    given = dict(
        counts_padding=counts_padding,
        last_pool=last_pool,
        scale=scale,
        classes=classes,
    )
    chosen = {key: v for key, v in given.items() if v is not None}
    return _graph(
        **(VARIANTS[variant] | chosen),
        logits_bias=logits_bias,
        transform_input=transform_input,
        width=width,
    )


def _graph(
    counts_padding,
    last_pool,
    scale,
    classes,
    logits_bias,
    transform_input,
    width,
):
    build = _Builder(counts_padding, scale, width)
    image = x = keras.Input((None, None, 3), name="image")
    if transform_input:
        factors = [each / 0.5 for each in DEVIATION]
        offsets = [(each - 0.5) / 0.5 for each in MEAN]
        x = keras.layers.Rescaling(factors, offsets, name="affine", **_KEEP)(x)
    x = build.row(x, _STEM)
    for name, branches in _BLOCKS.items():
        average = last_pool if name == _LAST else "average"
        rows = [build.row(x, row, f"{name}.", average) for row in branches]
        x = _joined(rows, name)
        if name == _REGIONS:
            regions = x
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled", **_KEEP)(x)
    logits = keras.layers.Dense(
        classes, use_bias=logits_bias, name="logits", **_KEEP
    )(pooled)
    return keras.Model(
        {"image": image},
        {"regions": regions, "pooled": pooled, "logits": logits},
        name="inception_v3",
    )


class _Builder:
    """Lays the steps of the tables above."""

    def __init__(self, counts_padding, scale, width):
        self.counts_padding = counts_padding
        self.scale = scale
        self.width = width

    def row(self, x, steps, block="", average="average"):
        for step in steps:
            if isinstance(step, _Unit):
                x = self.unit(x, step, block)
            elif step == "max":
                x = keras.layers.MaxPooling2D(3, 2, **_KEEP)(x)
            elif step == "average":
                x = self.same_size_pool(x, average)
            else:
                sides = [self.unit(x, each, block) for each in step]
                x = _joined(sides)
        return x

    def unit(self, x, unit, block):
        name = block + unit.name
        x = keras.layers.Conv2D(
            max(1, round(unit.channels * self.width)),
            unit.kernel,
            unit.stride,
            padding=unit.padding,
            use_bias=False,
            name=f"{name}.conv",
            **_KEEP,
        )(x)
        x = keras.layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-3,
            scale=self.scale,
            name=f"{name}.bn",
            **_KEEP,
        )(x)
        return keras.layers.ReLU(**_KEEP)(x)

    def same_size_pool(self, x, kind):
        if kind == "max":
            return keras.layers.MaxPooling2D(3, 1, "same", **_KEEP)(x)
        if not self.counts_padding:
            return keras.layers.AveragePooling2D(3, 1, "same", **_KEEP)(x)
        x = keras.layers.ZeroPadding2D(1, **_KEEP)(x)
        return keras.layers.AveragePooling2D(3, 1, **_KEEP)(x)


def _joined(parts, name=None):
    return keras.layers.Concatenate(name=name, **_KEEP)(parts)
