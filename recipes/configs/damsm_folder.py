r"""DAMSM on your own captioned pictures: MiniLM's words, Lite0's regions.

Made by `tools.prepare_folder`. Both networks are frozen and each picture is
looked at once, so that hundreds or thousands of pictures take minutes on two
cores. A set of a few hundred is learned by heart within some epochs: hold some
out and let `best` choose.

    python -m recipes.pretrain --workdir=runs/readers \
        --config=recipes/configs/damsm_folder.py:small \
        --config.data.path=data/mine --config.train.moves_per_epoch=EPOCH \
        --config.train.moves=MOVES

EPOCH is the count of pictures over 48, MOVES a multiple of it: 7 and 140 for
346 pictures. `small` is plain DAMSM; `cl` compares two captions of each
picture; `scl`, `unicl` and `ce` need classes.
"""

from recipes.configs import common, damsm


def get_config(scale="small"):
    """Describes the run at a scale: small, cl, scl, unicl, ce or smoke."""
    config = common.readers(
        data=dict(name="records", image_size=128, fit="cut", max_words=20),
        text=dict(encoder="minilm"),
        image=dict(
            encoder="lite0",
            size=128,
            resize="bilinear_antialiased",
            norms="running",
            is_kept=True,
        ),
        train=dict(moves=300, moves_per_epoch=10),
    )
    return damsm.at(config, "paper" if scale == "small" else scale)
