r"""AttnGAN on CUB, 256 px (Xu et al. 2018), and its variants with contrasts.

`paper` (the default) is the released code's: 64, 128 and 256 px, batches of 20,
600 epochs, words and sentence weighed 5. `cl` adds T2I_CL's fake-to-fake
contrast of twins (Ye et al. 2021), `f2r` fake-to-real, `scl` the supervised
contrast of partners (Liu et al. 2024), `unicl` and `ce` its rivals, each
weighed 0.2; `recap` re-captioning, weighed 1, by the captioner that
--config.captioner.source names, and `all` that with `cl` and `f2r` (Ahmed et
al. 2023). `dcgan` is the authors' AttnDCGAN: one picture, scored beside its
sentence only, no residual blocks, batches of 30, 400 epochs, words and sentence
weighed 1. `small` draws 32, 64 and 128 px with half the widths for a tenth of
the moves; `smoke` runs in seconds on drawn shapes.

    python -m recipes.train --workdir=runs/attngan_cub \
        --config=recipes/configs/attngan_cub.py:paper \
        --config.data.path=data/cub --config.text.source=runs/damsm_cub/reader

Readers come from recipes/configs/damsm_cub.py, or from released files by
tools.convert_run; `cl`, `scl`, `unicl` and `ce` take those trained with the
same contrast. The paper gives IS 4.36 and R-precision 67.82 %, DM-GAN's authors
measured FID 23.98; T2I_CL has FID 16.34 with its contrast. Ours: not yet run at
this scale.
"""

from recipes.configs import staged


def get_config(scale="paper"):
    """Describes a run: paper, small, dcgan, smoke, cl, f2r, scl ..."""
    if scale == "dcgan":
        return _dcgan()
    config = staged.birds("AttnGAN", "attngan", (32, 64), 20, 600)
    return staged.at(config, scale)


def _dcgan():
    config = staged.birds("AttnGAN", "attngan", (32, 64), 30, 400)
    config.loss_weights.update(words=1.0, sentence=1.0)
    config.networks.generator.update(residuals=0, smaller_images=False)
    config.networks.discriminator.unconditional = False
    return config
