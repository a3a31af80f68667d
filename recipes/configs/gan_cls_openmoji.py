"""GAN-INT-CLS on OpenMoji, 64 px (Reed et al. 2016).

`small` (the default) is ours: the same networks, slimmer, in bfloat16, with
an averaged generator and sentences stretched to the size of the noise.
`paper` is Reed's own topology and constants: Adam 2e-4, beta1 0.5, batch 64,
600 epochs, the rate halved every 100. `smoke` runs in seconds.

    python -m recipes.train --workdir=runs/openmoji \
        --config=recipes/configs/gan_cls_openmoji.py:small

The paper gives no numbers on this data; ours stand in the README.
"""

from recipes.configs import common

_EPOCH = 28  # moves: 1,837 training pictures in batches of 64


def get_config(scale="small"):
    """Describes the run at a scale: paper, small or smoke."""
    common.check(scale)
    if scale == "paper":
        rate = common.adam(2e-4, halve_every=100 * _EPOCH)
        return common.base(
            data=dict(crop=76, flip=True, captions_per_image=4),
            optimizers=dict(generator=rate, discriminator=rate),
            train=dict(batch_size=64, moves=600 * _EPOCH),
        )
    config = common.base(
        text=dict(length=20.0),
        networks=dict(generator=dict(width=48), discriminator=dict(width=32)),
        system=dict(average_decay=0.998, average_ramp=True),
        train=dict(batch_size=32, moves=4000, precision="mixed_bfloat16"),
    )
    return common.smoke(config) if scale == "smoke" else config
