r"""DM-GAN on CUB, 256 px (Zhu et al. 2019), and its variants with contrasts.

`paper` (the default) is the released code's: 64, 128 and 256 px, batches of 10,
800 epochs, words and sentence weighed 5. `cl` adds T2I_CL's fake-to-fake
contrast of twins (Ye et al. 2021), `f2r` fake-to-real, `scl` the supervised
contrast of partners (Liu et al. 2024), `unicl` and `ce` its rivals, each
weighed 0.2; `recap` re-captioning, weighed 1, by the captioner that
--config.captioner.source names, and `all` that with `cl` and `f2r` (Ahmed et
al. 2023). `small` draws 32, 64 and 128 px with half the widths for a tenth of
the moves; `smoke` runs in seconds on drawn shapes.

    python -m recipes.train --workdir=runs/dm_gan_cub \
        --config=recipes/configs/dm_gan_cub.py:paper \
        --config.data.path=data/cub --config.text.source=runs/damsm_cub/reader

Readers come from recipes/configs/damsm_cub.py, or from released files by
tools.convert_run; `cl`, `scl`, `unicl` and `ce` take those trained with the
same contrast. The paper gives IS 4.75, FID 16.09 and R-precision 72.31 %;
T2I_CL has FID 14.38 with its contrast. Ours: not yet run at this scale.
"""

from recipes.configs import staged


def get_config(scale="paper"):
    """Describes a run: paper, small, smoke, cl, f2r, scl ..."""
    config = staged.birds("DMGAN", "dm_gan", (64, 32), 10, 800)
    return staged.at(config, scale)
