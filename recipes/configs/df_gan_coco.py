r"""DF-GAN on COCO, 256 px (Tao et al. 2022), and its variants with contrasts.

`paper` (the default) is the code of June 2022: width 32, batches of 32, 300
epochs; `v2020` the code before it, another game with other networks: batches of
24, 120 epochs. Each scale below is of the former; after `v2020_` it is of the
latter. `f2f` adds the fake-to-fake contrast of twins and `f2r` the fake-to-real
one (Ahmed et al. 2023), `f2f_f2r` both, `scl` the supervised contrast of
partners (Liu et al. 2024), `unicl` and `ce` its rivals, each weighed 0.2;
`recap` asks a captioner for the captions of fakes, weighed 1 (recipes/configs/
captioner_coco.py; --config.captioner.source=runs/captioner_coco/captioner), and
`all` is that with both contrasts of Ahmed et al. `small` draws 128 px with half
the widths for a tenth of the moves; `smoke` runs in seconds on drawn shapes.

    python -m recipes.train --workdir=runs/df_gan_coco \
        --config=recipes/configs/df_gan_coco.py:paper \
        --config.data.path=data/coco --config.text.source=runs/damsm_coco/reader

Ours differs: on several replicas pairs are mismatched over the whole batch;
with `v2020` batches are not sorted by length, so other pairs are mismatched.
Test pictures are drawn with plain noise, where the code of 2022 cuts it at two
deviations and takes 0.88 of it (recipes.sample --truncation=2 cuts, and scales
nothing): its figures below were made so.

Readers come from recipes/configs/damsm_coco.py, or from released files by
tools.convert_run; they say sentences, and look at fakes where a contrast is
weighed. The paper gives FID 19.32, the released model has 15.41, and the
version of 2020 28.92 (with width 64; `v2020` has the code's 32). Ours: not yet
run at this scale.
"""

from recipes.configs import one_way


def get_config(scale="paper"):
    """Describes a run: paper, small, smoke, f2f ..., v2020, v2020_smoke ..."""
    return one_way.df_gan("coco", scale)
