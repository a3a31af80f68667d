"""GAN-CLS on CUB birds, 64 px, as aelnouby's PyTorch code plays it.

`paper` (the default) is that code: its networks at full size in float32, a
mismatched PICTURE in each pair, real targets of 0.9, mismatched and fake pairs
weighed 1 each, feature matching 100, pixels 50, batches of 64, Adam 2e-4 with
beta1 0.5, 200 epochs. `small` has networks of half the width and a tenth of
the moves. `smoke` runs in seconds on drawn shapes.

    python -m tools.prepare_cub --source=CUB_200_2011 --captions_from=cub_icml \
        --nocrop --out=data/cub
    python -m recipes.train --workdir=runs/birds \
        --config=recipes/configs/gan_cls_cub.py:small \
        --config.data.path=data/cub

The pictures may not be handed on, so they don't come with the library.

Ours differs: that code reads captions with the char-CNN-RNN, sentences of
1,024 numbers; here MiniLM reads them, 384 numbers of the size of the noise.
It takes 5 of a bird's 10 captions as examples of their own; here each batch
draws one of them.
"""

from recipes.configs import common

_EPOCH = 138  # moves: 8,855 training pictures in batches of 64


def get_config(scale="paper"):
    """Describes the run at a scale: paper, small or smoke."""
    common.check(scale)
    config = common.base(
        data=dict(name="records", mismatch="image", fit="squash"),
        text=dict(length=20.0),
        networks=dict(
            generator=dict(name="dcgan_cls", width=64, noise_dim=100),
            discriminator=dict(name="dcgan_cls", width=64),
        ),
        system=dict(name="GAN"),
        game=dict(name="bce", real_target=0.9),
        loss_weights=dict(wrong=1.0, fake=1.0, matching=100.0, pixel=50.0),
        train=dict(batch_size=64, moves=200 * _EPOCH, moves_per_epoch=_EPOCH),
        samples=dict(captions=common.BIRDS),
    )
    if scale == "paper":
        return config
    config.networks.generator.width = 32
    config.networks.discriminator.width = 32
    config.train.moves = 20 * _EPOCH
    return common.smoke(config) if scale == "smoke" else config
