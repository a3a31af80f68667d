r"""SSA-GAN on COCO, 256 px (Liao et al. 2022), and its variants with contrasts.

`paper` (the default) is the released code's: width 64, batches of 24, 120
epochs, words and sentence weighed 0.05, captions of at most 18 words. `f2f`
adds the fake-to-fake contrast of twins and `f2r` the fake-to-real one (Ahmed
et al. 2023), `f2f_f2r` both, `scl` the supervised contrast of partners (Liu et
al. 2024), `unicl` and `ce` its rivals, each weighed 0.2; `recap` asks a
captioner for the captions of fakes, weighed 1 (recipes/configs/
captioner_coco.py; --config.captioner.source=runs/captioner_coco/captioner), and
`all` is that with both contrasts of Ahmed et al., their eq. 4. `tuned`, and
after each of these `f2r_tuned` and so on, lets the readers go on learning as
main_finetune.py does: Adam of 4e-5, words and sentence weighed 0.1. `small`
draws 128 px with half the widths for a tenth of the moves; `smoke` runs in
seconds on drawn shapes.

    python -m recipes.train --workdir=runs/ssa_gan_coco \
        --config=recipes/configs/ssa_gan_coco.py:paper \
        --config.data.path=data/coco --config.text.source=runs/damsm_coco/reader

Ours differs: batches are not sorted by length, so other pairs are mismatched;
on several replicas the generator's norms take each one's own numbers unless
--config.networks.generator.synchronized is set.

Readers come from recipes/configs/damsm_coco.py, or from released files by
tools.convert_run; they look at fakes in training. The paper gives FID 19.37;
Ahmed et al. say that `f2f_f2r` has 44 % less. Ours: not yet run at this scale.
"""

from recipes.configs import one_way


def get_config(scale="paper"):
    """Describes a run: paper, small, smoke, f2f, f2r ..., recap, tuned ..."""
    return one_way.at(one_way.paper("SSAGAN", "coco"), scale)
