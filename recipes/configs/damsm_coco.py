"""DAMSM on COCO, 299 px (Xu et al. 2018), and its variants with contrasts.

As damsm_cub, but with 15 words a caption, and without masks: each picture is
a class of its own. Partners of `scl`, `unicl` and `ce` share the main class of
a picture, that of the largest area. The papers' encoders are of epoch 100.

    python -m recipes.pretrain --workdir=runs/damsm_coco \
        --config=recipes/configs/damsm_coco.py:paper \
        --config.data.path=data/coco --config.image.source=inception_v3.pth

The papers give no figure of the readers themselves; ours: not yet run.
"""

from recipes.configs import common, damsm

_EPOCH = 1724  # moves: 82,783 training pictures in batches of 48


def get_config(scale="paper"):
    """Describes the run at a scale: paper, cl, scl, unicl, ce or smoke."""
    config = common.readers(
        data=dict(
            name="records",
            image_size=299,
            crop=355,
            flip=True,
            fit="keep",
            max_words=15,
        ),
        image=dict(resize="bilinear_corners"),
        train=dict(moves=100 * _EPOCH, moves_per_epoch=_EPOCH),
    )
    return damsm.at(config, scale)
