"""Which foreign name belongs to which of our variables, family by family.

`FAMILIES` maps "family/part" to a function: our model -> list of rules.
`PREFIXES` maps a part to what some files put before its names; the prefixes
of a family's other parts mark arrays that are not meant for this one. `SIGNS`
maps names that one family alone has (or two that are alike there), of those
easily taken for each other, to the family.
"""

from keras_t2i.weights.families import (
    attngan,
    damsm,
    dcgan_cls,
    df_gan,
    df_gan_2020,
    dm_gan,
    efficientnet_lite0,
    inception,
    minilm,
    ssa_gan,
)

FAMILIES = {
    "attngan/discriminator": attngan.discriminator,
    "attngan/generator": attngan.generator,
    "damsm/image": damsm.image,
    "damsm/text": damsm.text,
    "dcgan_cls/discriminator": dcgan_cls.discriminator,
    "dcgan_cls/generator": dcgan_cls.generator,
    "df_gan/discriminator": df_gan.discriminator,
    "df_gan/generator": df_gan.generator,
    "df_gan_2020/discriminator": df_gan_2020.discriminator,
    "df_gan_2020/generator": df_gan_2020.generator,
    "dm_gan/discriminator": dm_gan.discriminator,
    "dm_gan/generator": dm_gan.generator,
    "efficientnet_lite0/image": efficientnet_lite0.image,
    "inception/fid_2015": inception.fid_2015,
    "inception/keras": inception.keras,
    "inception/slim": inception.slim,
    "inception/torchvision": inception.torchvision,
    "minilm/text": minilm.text,
    "ssa_gan/discriminator": ssa_gan.discriminator,
    "ssa_gan/generator": ssa_gan.generator,
}

PREFIXES = {
    "attngan/discriminator": attngan.PREFIXES,
    "attngan/generator": attngan.PREFIXES,
    "damsm/image": damsm.PREFIXES,
    "damsm/text": damsm.PREFIXES,
    "dcgan_cls/discriminator": dcgan_cls.DISCRIMINATOR_PREFIXES,
    "dcgan_cls/generator": dcgan_cls.GENERATOR_PREFIXES,
    "df_gan/discriminator": df_gan.DISCRIMINATOR_PREFIXES,
    "df_gan/generator": df_gan.GENERATOR_PREFIXES,
    "df_gan/optimizers": df_gan.OTHER_PREFIXES,
    "df_gan_2020/discriminator": df_gan_2020.DISCRIMINATOR_PREFIXES,
    "df_gan_2020/generator": df_gan_2020.GENERATOR_PREFIXES,
    "dm_gan/discriminator": dm_gan.PREFIXES,
    "dm_gan/generator": dm_gan.PREFIXES,
    "inception/fid_2015": inception.PREFIXES,
    "inception/torchvision": inception.PREFIXES,
    "ssa_gan/discriminator": ssa_gan.DISCRIMINATOR_PREFIXES,
    "ssa_gan/generator": ssa_gan.GENERATOR_PREFIXES,
}

SIGNS = {
    "COND_DNET.joint_conv.0.weight": (
        "df_gan_2020/discriminator and ssa_gan/discriminator"
    ),
    "DBlocks.0.conv_r.0.weight": "df_gan/discriminator",
    "GBlocks.0.c1.weight": "df_gan/generator",
    "block0.affine1.fc_gamma.linear1.weight": "df_gan_2020/generator",
    "conv_mask.3.weight": "ssa_gan/generator",
}

__all__ = ["FAMILIES", "PREFIXES", "SIGNS"]
