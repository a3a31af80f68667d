"""DF-GAN's released names and layouts, and what is left out of them."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.networks import df_gan
from keras_t2i.weights.families import df_gan as family

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "dfgan.npz"


def released(*modules):
    """Reads the recorded arrays of some modules, by their full names."""
    with np.load(GOLDEN) as file:
        return {k: file[k] for k in file.files if k.startswith(modules)}


def renamed(arrays, first, second):
    """Puts another word into all names."""
    return {k.replace(first, second, 1): v for k, v in arrays.items()}


class DFGANTest(tf.test.TestCase, parameterized.TestCase):
    """Arrays of the authors' modules in our networks."""

    def test_every_array_of_the_generator_has_its_place(self):
        arrays = released("netG.")
        model = family.generator_of(arrays)
        report = weights.load("df_gan/generator", model, arrays)
        self.assertLen(report.loaded, 226)
        self.assertEmpty(report.ignored)
        filled = sum(len(paths) for paths in report.loaded.values())
        self.assertLen(model.weights, filled)

    def test_only_unused_shortcuts_of_the_discriminator_are_left_out(self):
        arrays = released("netD.", "netC.")
        model = family.discriminator_of(arrays)
        report = weights.load("df_gan/discriminator", model, arrays)
        self.assertCountEqual(
            report.ignored,
            [
                f"netD.DBlocks.{block}.conv_s.{part}"
                for block in (3, 4, 5)
                for part in ("weight", "bias")
            ],
        )
        self.assertLen(report.loaded, 34 - 6)
        self.assertLen(model.weights, 34 - 6)

    @parameterized.parameters(
        ("netG.", "netG.module."),
        ("netG.", "netG/"),
        ("netG.", "netG/module."),
        ("netG.", ""),
    )
    def test_prefixes_of_released_files_are_cut_off(self, theirs, other):
        arrays = renamed(released("netG."), theirs, other)
        model = family.generator_of(arrays)
        report = weights.load("df_gan/generator", model, arrays)
        self.assertCountEqual(report.loaded, arrays)

    def test_each_part_leaves_the_other_alone(self):
        arrays = released("net")
        for part, make in (
            ("generator", family.generator_of),
            ("discriminator", family.discriminator_of),
        ):
            report = weights.load(f"df_gan/{part}", make(arrays), arrays)
            self.assertLen(arrays, len(report.loaded) + len(report.ignored))

    @parameterized.parameters(
        ("generator", "netG.GBlocks.3.c_sc.bias"),
        ("generator", "netG.GBlocks.5.fuse2.affine1.fc_beta.linear2.weight"),
        ("discriminator", "netD.DBlocks.0.conv_s.weight"),
        ("discriminator", "netD.DBlocks.4.gamma"),
        ("discriminator", "netC.joint_conv.2.weight"),
    )
    def test_missing_array_is_named_and_nothing_is_loaded(self, part, name):
        arrays = released("net")
        model = getattr(family, f"{part}_of")(arrays)
        before = model.get_weights()
        del arrays[name]
        plain = name.partition(".")[2]
        with self.assertRaisesRegex(ValueError, f"missing key '{plain}'"):
            weights.load(f"df_gan/{part}", model, arrays)
        for ours, theirs in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(ours, theirs)

    @parameterized.parameters(
        dict(image_size=8, width=3, text_dim=5),
        dict(image_size=128, width=2, text_dim=9),
    )
    def test_sizes_are_read_off_the_arrays(self, **sizes):
        generator = df_gan.generator(noise_dim=7, **sizes)
        discriminator = df_gan.discriminator(**sizes)
        for part, model in (
            ("generator", generator),
            ("discriminator", discriminator),
        ):
            arrays = weights.export(f"df_gan/{part}", model)
            again = getattr(family, f"{part}_of")(arrays)
            weights.load(f"df_gan/{part}", again, arrays)
            for ours, theirs in zip(
                model.get_weights(), again.get_weights(), strict=True
            ):
                self.assertAllEqual(ours, theirs)

    def test_export_gives_the_released_arrays_back(self):
        arrays = released("netD.", "netC.")
        model = family.discriminator_of(arrays)
        report = weights.load("df_gan/discriminator", model, arrays)
        back = weights.export("df_gan/discriminator", model)
        for name in report.loaded:
            self.assertAllEqual(back[name.partition(".")[2]], arrays[name])
        # Shortcuts that nobody uses are there: PyTorch asks for all names.
        plain = {name.partition(".")[2]: x for name, x in arrays.items()}
        self.assertCountEqual(back, plain)
        for name, array in back.items():
            self.assertEqual(array.shape, plain[name].shape)
        for name in report.ignored:
            self.assertAllEqual(back[name.partition(".")[2]], 0 * arrays[name])


if __name__ == "__main__":
    tf.test.main()
