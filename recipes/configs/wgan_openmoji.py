"""WGAN with clipped weights and text, on OpenMoji, 64 px.

`paper` is Arjovsky et al. 2017 on aelnouby's text-conditioned pair: five
critic moves on fresh pictures, weights clipped to 0.01, RMSprop 5e-5, batches
of 64, a mismatched picture beside each real one. `small` (the default) is
ours: slimmer networks, smaller batches, an averaged generator. `smoke` runs
in seconds.

    python -m recipes.train --workdir=runs/wgan \
        --config=recipes/configs/wgan_openmoji.py:small

Ours differs: aelnouby's code has Adam 2e-4 with beta1 0.5
(--config.optimizers.generator.name=Adam and so on) and a char-CNN-RNN where
MiniLM reads here. No paper has numbers on this data.
"""

from recipes.configs import common


def get_config(scale="small"):
    """Describes the run at a scale: paper, small or smoke."""
    common.check(scale)
    rmsprop = common.rmsprop(5e-5)
    config = common.base(
        data=dict(mismatch="image"),
        text=dict(length=20.0),
        networks=dict(
            generator=dict(name="dcgan_cls", width=64),
            discriminator=dict(name="dcgan_cls", width=64),
        ),
        system=dict(name="WGAN", mismatch_weight=1.0),
        optimizers=dict(generator=rmsprop, discriminator=rmsprop),
        train=dict(batch_size=64, moves=20_000),
    )
    if scale == "paper":
        return config
    config.data.flip = True
    config.networks.generator.width = 48
    config.networks.discriminator.width = 32
    config.system.update(average_decay=0.998, average_ramp=True)
    config.train.update(batch_size=16, moves=4000, moves_per_epoch=250)
    return common.smoke(config) if scale == "smoke" else config
