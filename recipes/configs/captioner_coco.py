r"""A captioner of COCO, 299 px: MirrorGAN's STREAM upon Inception.

What SSA-GAN with re-captioning (Ahmed et al. 2023) asks for the captions of its
fakes. The paper doesn't describe its captioner; sizes are MirrorGAN's (Qiao et
al. 2019): words of 256 numbers, an LSTM of 512. Nothing says how it learned:
Adam of 1e-3, batches of 32 and 5 epochs are ours. Ours differs: Inception-v3
instead of ResNet-152, at the size and with the numbers of its own training; and
captions have an end.

    python -m recipes.pretrain --workdir=runs/captioner_coco \
        --config=recipes/configs/captioner_coco.py:paper \
        --config.data.path=data/coco --config.image.source=inception_v3.pth \
        --config.text.source=runs/damsm_coco/reader

Inception's file is torchvision's, as for damsm_coco.py. Words are those of the
pair of readers --config.text.source, which has to be the generator's, too: of
other words a captioner is refused; without it, those of the set. Then:

    python -m recipes.train --workdir=runs/ssa_gan_coco \
        --config=recipes/configs/ssa_gan_coco.py:recap \
        --config.data.path=data/coco \
        --config.text.source=runs/damsm_coco/reader \
        --config.captioner.source=runs/captioner_coco/captioner

`attention` lets each word look at regions; `smoke` runs in seconds. Ours: not
yet run at this scale.
"""

from recipes.configs import captioner


def get_config(scale="paper"):
    """Describes the run at a scale: paper, attention, smoke ..."""
    return captioner.at(captioner.paper("coco"), scale)
