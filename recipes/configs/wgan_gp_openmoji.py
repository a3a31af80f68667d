"""WGAN with a gradient penalty and text, on OpenMoji, 64 px.

`paper` has the constants of Gulrajani et al. 2017: five critic moves on fresh
pictures, Adam 1e-4 with betas 0 and 0.9, the penalty weighed by 10, batches
of 64; the critic is DF-GAN's discriminator, which reads text and, as the
penalty asks, normalises nothing over the batch. `small` (the default) is
ours: slimmer networks, smaller batches, two critic moves, an averaged
generator. `smoke` runs in seconds.

    python -m recipes.train --workdir=runs/wgan_gp \
        --config=recipes/configs/wgan_gp_openmoji.py:small

Ours differs: the paper draws without text; mismatched sentences are added to
the critic's loss as in WGAN-CLS. No paper has numbers on this data.
"""

from recipes.configs import common


def get_config(scale="small"):
    """Describes the run at a scale: paper, small or smoke."""
    common.check(scale)
    adam = common.adam(1e-4, 0.0, 0.9)
    config = common.base(
        text=dict(length=20.0),
        networks=dict(
            generator=dict(name="dcgan_cls", width=64),
            discriminator=dict(name="df_gan", width=32),
        ),
        system=dict(
            name="WGANGP", critic_moves=5, is_fresh=True, mismatch_weight=1.0
        ),
        optimizers=dict(generator=adam, discriminator=adam),
        train=dict(batch_size=64, moves=20_000),
    )
    if scale == "paper":
        return config
    config.data.update(flip=True, crop=70)
    config.networks.generator.width = 48
    config.networks.discriminator.width = 16
    config.system.update(critic_moves=2, average_decay=0.998, average_ramp=True)
    config.train.update(batch_size=16, moves=4000, moves_per_epoch=250)
    return common.smoke(config) if scale == "smoke" else config
