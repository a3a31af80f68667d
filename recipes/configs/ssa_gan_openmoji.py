r"""SSA-GAN on OpenMoji, 64 px.

`small` (the default) is ours: networks of width 32 in bfloat16, read and
matched by the pair `openmoji_damsm` that comes with the package. `f2f`, `f2r`,
`f2f_f2r`, `scl`, `unicl` and `ce` are `small` with contrasts weighed 0.2 (`ce`
needs a pair trained with it: --config.text.source=...), `recap` with
re-captioning by `openmoji_captioner`, weighed 1, and `all` with `f2f_f2r` and
that. `tuned`, and after each of these `f2r_tuned` and so on, lets the readers
go on learning, as the authors' main_finetune.py does. Ours differs from the
papers: an average of the generator is kept, as the others' is here. `paper`
has the widths of birds; `smoke` runs in seconds on drawn shapes.

    python -m recipes.train --workdir=runs/ssa_gan_openmoji \
        --config=recipes/configs/ssa_gan_openmoji.py:small

No paper has figures on this data; ours stand in the README.
"""

from recipes.configs import one_way


def get_config(scale="small"):
    """Describes a run: small, paper, smoke, f2f, f2r, f2f_f2r, scl ..."""
    return one_way.emoji("SSAGAN", scale)
