"""DAMSM on OpenMoji, 64 px: MiniLM's words and EfficientNet-Lite0's regions.

Both networks are frozen and stand in or beside the package, so this runs
offline in minutes on two cores; pictures are looked at once. Classes are the
113 subgroups; pairs of one class are negatives like all others.

    python -m recipes.pretrain --workdir=runs/damsm \
        --config=recipes/configs/damsm_openmoji.py:small

`small` is plain DAMSM; `cl`, `scl`, `unicl` and `ce` add a contrast. With
--config.text.encoder=bi_lstm the words are learned from nothing. Nine epochs
were best on 200 training pictures held out; later the set is learned by
heart. No paper has figures on this data; ours stand in the README.
"""

from recipes.configs import common, damsm

_EPOCH = 38  # moves: 1,837 training pictures in batches of 48


def get_config(scale="small"):
    """Describes the run at a scale: small, cl, scl, unicl, ce or smoke."""
    config = common.readers(
        data=dict(labels="subgroup", max_words=20),
        text=dict(encoder="minilm"),
        image=dict(
            encoder="lite0",
            size=128,
            resize="bilinear_antialiased",
            norms="running",
            is_kept=True,
        ),
        train=dict(moves=9 * _EPOCH, moves_per_epoch=_EPOCH),
    )
    return damsm.at(config, "paper" if scale == "small" else scale)
