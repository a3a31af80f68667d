"""WGAN-GP on Fashion-MNIST, 28 px, without text (keras.io's recipe).

`paper` (the default) is the recipe: batches of 512, three critic moves on the
same pictures, noise of 128 numbers, Adam 2e-4 with betas 0.5 and 0.9, the
penalty weighed by 10, 20 epochs. `small` has a generator of half and
a critic of a quarter of the width and batches of 128, for two CPU cores.
`smoke` runs in seconds on drawn shapes.

    python -m recipes.train --workdir=runs/fashion \
        --config=recipes/configs/wgan_gp_fashion_mnist.py:small

The files come with Debian's package dataset-fashion-mnist; if they lie
elsewhere, name their folder with --config.data.path=FOLDER, or have Keras
download them with --config.data.path=keras.datasets.

Ours differs: an epoch has 117 whole batches, and the 96 pictures that are left
over come in another epoch's order; where the penalty looks is drawn evenly
between real and fake (--config.system.alpha=normal is the recipe's first
version). The recipe gives no numbers; ours stand in the README.
"""

from recipes.configs import common

_PICTURES = 60_000


def get_config(scale="paper"):
    """Describes the run at a scale: paper, small or smoke."""
    common.check(scale)
    adam = common.adam(2e-4, 0.5, 0.9, epsilon=1e-7)
    config = common.base(
        data=dict(name="fashion_mnist", image_size=28, mismatch=None),
        text=dict(encoder="none"),
        networks=dict(
            generator=dict(name="wgan_gp", width=64, noise_dim=128),
            discriminator=dict(name="wgan_gp", width=64),
        ),
        system=dict(name="WGANGP", critic_moves=3),
        optimizers=dict(generator=adam, discriminator=adam),
        train=_epochs(20, batch_size=512),
        samples=dict(captions=(), noises=32),
    )
    if scale == "paper":
        return config
    config.networks.generator.width = 32
    config.networks.discriminator.width = 16
    config.train.update(_epochs(20, batch_size=128))
    if scale == "smoke":
        config.networks.generator.channels = 3
        config.networks.discriminator.channels = 3
        return common.smoke(config)
    return config


def _epochs(count, batch_size):
    length = _PICTURES // batch_size
    return dict(
        batch_size=batch_size, moves=count * length, moves_per_epoch=length
    )
