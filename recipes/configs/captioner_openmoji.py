r"""A captioner of OpenMoji, 64 px, upon EfficientNet-Lite0.

The network is frozen and comes with the package, so this runs offline in less
than a minute on two cores; pictures are looked at once.

    python -m recipes.pretrain --workdir=runs/captioner \
        --config=recipes/configs/captioner_openmoji.py:small

`small` is the one that stands in the package as `openmoji_captioner`;
`attention` lets each word look at regions; `smoke` runs in seconds on drawn
shapes. A folder of yours (tools.prepare_folder) is learned by
--config.data.name=records --config.data.path=data/mine. No paper has figures on
this data; ours stand in the README.
"""

from recipes.configs import captioner, common

_EPOCH = 57  # moves: 1,837 training pictures in batches of 32


def get_config(scale="small"):
    """Describes the run at a scale: small, attention, smoke ..."""
    config = common.captioner(
        data=dict(max_words=12),
        image=dict(
            encoder="lite0",
            size=128,
            resize="bilinear_antialiased",
            is_kept=True,
        ),
        decoder=dict(embedding=128, width=256),
        train=dict(batch_size=32, moves=16 * _EPOCH, moves_per_epoch=_EPOCH),
    )
    return captioner.at(config, scale, "small")
