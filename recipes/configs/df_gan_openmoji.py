r"""DF-GAN on OpenMoji, 64 px.

`small` (the default) is ours: networks of width 32, as on birds, in bfloat16,
read by the pair `openmoji_damsm` that comes with the package. `f2f`, `f2r`,
`f2f_f2r`, `scl`, `unicl` and `ce` are `small` with contrasts weighed 0.2 (`ce`
needs a pair trained with it: --config.text.source=...), `recap` with
re-captioning by `openmoji_captioner`, weighed 1, and `all` with `f2f_f2r` and
that. Ours differs from the papers: an average of the generator is kept, as the
others' is here. `paper` is the same; `smoke` runs in seconds on drawn shapes.
Of the version of 2020 there is none here.

    python -m recipes.train --workdir=runs/df_gan_openmoji \
        --config=recipes/configs/df_gan_openmoji.py:small

No paper has figures on this data, and of this config there are none yet.
"""

from recipes.configs import one_way


def get_config(scale="small"):
    """Describes a run: small, paper, smoke, f2f, f2r, f2f_f2r, scl ..."""
    return one_way.emoji("DFGAN", scale)
