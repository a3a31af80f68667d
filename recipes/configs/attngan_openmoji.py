r"""AttnGAN on OpenMoji, 64 px, in three stages: 16, 32 and 64.

`small` (the default) is ours: narrow networks in bfloat16, read and matched by
the pair `openmoji_damsm` that comes with the package. `cl`, `f2r`, `scl`,
`unicl` and `ce` are `small` with a contrast weighed 0.2 (`ce` needs a pair
trained with it: --config.text.source=...), `recap` with re-captioning by
`openmoji_captioner`, weighed 1, and `all` with `cl`, `f2r` and that. Ours
differs from T2I_CL and SCL: that pair is plain DAMSM's, where theirs had the
contrast in their own training too. `paper` has the widths of birds; `smoke`
runs in seconds on drawn shapes.

    python -m recipes.train --workdir=runs/attngan \
        --config=recipes/configs/attngan_openmoji.py:small

No paper has figures on this data; ours stand in the README.
"""

from recipes.configs import staged


def get_config(scale="small"):
    """Describes a run: small, paper, smoke, cl, f2r, scl ..."""
    widths = (32, 64) if scale == "paper" else (48, 24)
    return staged.emoji("AttnGAN", "attngan", widths, 4000, scale)
