"""What the demo trains: a small one-stage text-to-image GAN on OpenMoji, 64 px.

Ours, chosen by trying: DF-GAN's game and discriminator (Tao et al. 2022) at
width 16, because its matching-aware penalty keeps two small networks in
balance without batch statistics, and the plain DCGAN generator, because it
is the fastest that learns; sentences stretched to the size of the noise,
bfloat16, an averaged generator, and a little mode seeking (Mao et al. 2019)
so that it listens to its noise. About eighteen minutes on two quiet CPU
cores at `small`; `paper` is DF-GAN as published (width 32, 256 px rules at
64 px, batch 32, its own optimizers); `smoke` runs in seconds.

    python -m recipes.train --workdir=runs/openmoji \
        --config=recipes/configs/openmoji.py:small

No paper has numbers on this data; ours stand in the README.
"""

from recipes.configs import common


def get_config(scale="small"):
    """Describes the run at a scale: paper, small or smoke."""
    common.check(scale)
    if scale == "paper":
        return common.base(
            data=dict(flip=True, crop=76, mismatch=None),
            networks=dict(
                generator=dict(name="df_gan", width=32),
                discriminator=dict(name="df_gan", width=32),
            ),
            system=dict(name="DFGAN"),
            optimizers=dict(
                generator=common.adam(1e-4, 0.0, 0.9),
                discriminator=common.adam(4e-4, 0.0, 0.9),
            ),
            train=dict(batch_size=32, moves=74_000),
        )
    config = common.base(
        data=dict(flip=True, crop=70, mismatch=None),
        text=dict(length=20.0),
        networks=dict(
            generator=dict(name="dcgan_cls", width=48),
            discriminator=dict(name="df_gan", width=16),
        ),
        system=dict(name="DFGAN", average_decay=0.998, average_ramp=True),
        loss_weights=dict(seeking=0.02),
        train=dict(
            batch_size=16,
            moves=8000,
            moves_per_epoch=250,
            precision="mixed_bfloat16",
        ),
    )
    return common.smoke(config) if scale == "smoke" else config
