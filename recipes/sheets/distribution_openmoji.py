r"""What distribution-sensitive losses do for SSA-GAN on OpenMoji, 64 px.

    python -m recipes.compare \
        --sheet=recipes/sheets/distribution_openmoji.py \
        --workdir=runs/distribution

Laid out as tables 1 to 3 of Ahmed et al. 2023: SSA-GAN, and the same with its
fakes compared with each other (F2F), with the real pictures (F2R), with both,
with the pictures and captions of one class (SCL, Liu et al. 2024), with
re-captioning, and with F2F, F2R and re-captioning at once (eq. 4). All are read
and matched by the pair `openmoji_damsm`; captions of fakes are asked of
`openmoji_captioner`. So that something is learned in ten minutes of two cores,
networks have width 16, batches 16 pictures, and the generator's rate is the
discriminator's, four times the paper's. F2F, SCL and all at once play two
branches of half the batch: as many fakes a move as the rest. MiniLM reads for
R-precision.
"""

from recipes.configs import common, ssa_gan_openmoji

_CELLS = {
    "SSA-GAN": "small",
    "+F2F": "f2f",
    "+F2R": "f2r",
    "+F2F+F2R": "f2f_f2r",
    "+SCL": "scl",
    "+re-captioning": "recap",
    "all": "all",
}
_TWO_BRANCHES = ("f2f", "f2f_f2r", "scl", "all")
_WIDTH, _BATCH = 16, 16


def get_sheet():
    """Lists the cells."""
    return dict(
        title="Distribution-sensitive losses on OpenMoji, 64 px",
        cells={name: _cell(scale) for name, scale in _CELLS.items()},
        reader=common.base(),
    )


def _cell(scale):
    config = ssa_gan_openmoji.get_config(scale)
    for network in config.networks.values():
        network.width = _WIDTH
    config.optimizers.generator.learning_rate = 4e-4
    config.train.batch_size = _BATCH // (1 + (scale in _TWO_BRANCHES))
    return config
