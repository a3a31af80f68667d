r"""What contrastive learning does for AttnGAN and DM-GAN on OpenMoji, 64 px.

    python -m recipes.compare --sheet=recipes/sheets/contrastive_openmoji.py \
        --workdir=runs/contrastive

All read by the pair `openmoji_damsm`. GAN-INT-CLS draws in one stage from its
sentences; the others in three, 16, 32 and 64 px, from its words too, and match
fakes with captions by its picture side. +CL adds T2I_CL's contrast of fakes of
two captions, +SCL the supervised one of pictures and captions of one class,
+F2R that of fakes and the real pictures. The first two play two branches of
half the batch: as many fakes a move as the rest. The pair is plain DAMSM's in
all cells: the second phase of those papers, without the first. MiniLM reads
for R-precision, whoever drew.
"""

from recipes.configs import (
    attngan_openmoji,
    common,
    dm_gan_openmoji,
    gan_cls_openmoji,
)

_TWO_BRANCHES = ("cl", "scl")


def get_sheet():
    """Lists the cells."""
    plain = gan_cls_openmoji.get_config("small")
    plain.data.labels = "subgroup"
    plain.text.update(encoder="damsm", source="openmoji_damsm", length=20.0)
    cells = {"GAN-INT-CLS": plain}
    for name, room, scales in (
        ("AttnGAN", attngan_openmoji, ("small", "cl", "f2r", "scl")),
        ("DM-GAN", dm_gan_openmoji, ("small", "cl", "scl")),
    ):
        for scale in scales:
            config = room.get_config(scale)
            if scale in _TWO_BRANCHES:
                config.train.batch_size //= 2
            more = "" if scale == "small" else f"+{scale.upper()}"
            cells[f"{name}{more}"] = config
    return dict(
        title="Contrastive learning on OpenMoji, 64 px",
        cells=cells,
        reader=common.base(),
    )
