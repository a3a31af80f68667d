"""DAMSM on CUB, 299 px (Xu et al. 2018), and its variants with contrasts.

The readers that AttnGAN and its kin stand on: bi-LSTM and frozen Inception.
Data: `tools.prepare_cub`; the network's weights: torchvision's
inception_v3_google-0cc3c7bd.pth. The papers' encoders are of epoch 200.

    python -m recipes.pretrain --workdir=runs/damsm_cub \
        --config=recipes/configs/damsm_cub.py:paper \
        --config.data.path=data/cub --config.image.source=inception_v3.pth

`paper` is AttnGAN's; `cl` adds T2I_CL's NT-Xent on twins; `scl` the
supervised contrast on partners, whose constants are not published (ours are
T2I_CL's); `unicl` and `ce` are its rivals. `smoke` runs in seconds. The papers
give no figure of the readers themselves; ours: not yet run at this scale. Ours
differs: captions are cut at 18 words for drawing and judging, too, where the
authors then read 25 (on COCO at 15, where they read 20).
"""

from recipes.configs import common, damsm

_EPOCH = 184  # moves: 8,855 training pictures in batches of 48


def get_config(scale="paper"):
    """Describes the run at a scale: paper, cl, scl, unicl, ce or smoke."""
    config = common.readers(
        data=dict(
            name="records",
            image_size=299,
            crop=355,
            flip=True,
            fit="keep",
            max_words=18,
        ),
        image=dict(resize="bilinear_corners"),
        system=dict(masks_classes=True),
        train=dict(moves=200 * _EPOCH, moves_per_epoch=_EPOCH),
    )
    return damsm.at(config, scale)
