r"""SSA-GAN on COCO, 256 px (Liao et al. 2022), and its variants with contrasts.

`paper` (the default) is the released code's: width 64, batches of 24, 120
epochs, words and sentence weighed 0.05, captions of at most 18 words. `f2f`
adds the fake-to-fake contrast of twins and `f2r` the fake-to-real one (Ahmed
et al. 2023), `f2f_f2r` both, `scl` the supervised contrast of partners (Liu et
al. 2024), `unicl` and `ce` its rivals, each weighed 0.2. `small` draws 128 px
with half the widths for a tenth of the moves; `smoke` runs in seconds on drawn
shapes.

    python -m recipes.train --workdir=runs/ssa_gan_coco \
        --config=recipes/configs/ssa_gan_coco.py:paper \
        --config.data.path=data/coco --config.text.source=runs/damsm_coco/reader

Readers come from recipes/configs/damsm_coco.py, or from released files by
tools.convert_run; they look at fakes in training. The paper gives FID 19.37;
Ahmed et al. say that `f2f_f2r` has 44 % less. Ours: not yet run at this scale.
"""

from recipes.configs import one_way


def get_config(scale="paper"):
    """Describes a run: paper, small, smoke, f2f, f2r, f2f_f2r, scl ..."""
    return one_way.at(one_way.paper("SSAGAN", "coco"), scale)
