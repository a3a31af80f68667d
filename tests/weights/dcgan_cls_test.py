"""aelnouby's released names in and out."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.networks import dcgan_cls
from keras_t2i.weights.families import dcgan_cls as family

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "dcgan_cls.npz"
PARTS = (("generator", "gan_cls.G."), ("discriminator", "gan_cls.D."))


def build(part):
    """Builds the network at the golden file's sizes."""
    if part == "generator":
        return dcgan_cls.generator(
            width=8, noise_dim=12, text_dim=24, projection_dim=16
        )
    return dcgan_cls.discriminator(width=8, text_dim=24, projection_dim=16)


def recorded(prefix):
    """Reads one network's arrays under the reference's names."""
    with np.load(GOLDEN) as file:
        return {
            name.removeprefix(prefix): file[name]
            for name in file.files
            if name.startswith(prefix)
        }


class DCGANCLSTest(tf.test.TestCase, parameterized.TestCase):
    """Both parts, both ways."""

    @parameterized.parameters(*PARTS)
    def test_there_and_back_is_equal(self, part, prefix):
        arrays, model = recorded(prefix), build(part)
        weights.load(f"dcgan_cls/{part}", model, arrays)
        back = weights.export(f"dcgan_cls/{part}", model)
        for name, array in back.items():
            self.assertAllEqual(array, arrays[name], name)
        left = {n for n in arrays if n not in back}
        self.assertTrue(all(n.endswith("num_batches_tracked") for n in left))

    @parameterized.parameters(
        ("generator", "wgan_cls.G.", 27, 5),
        ("discriminator", "wgan_cls.D.", 23, 4),
        ("discriminator", "wgan_cls.D_improved.", 11, 1),
    )
    def test_models_of_the_arrays_sizes_take_them_all(
        self, part, prefix, placed, ignored
    ):
        arrays = recorded(prefix)
        model = getattr(family, f"{part}_of")(arrays)
        report = weights.load(f"dcgan_cls/{part}", model, arrays)
        self.assertLen(report.loaded, placed)
        self.assertLen(report.ignored, ignored)
        for name in report.ignored:
            self.assertEndsWith(name, ".num_batches_tracked")
        self.assertLen(model.weights, placed)

    def test_published_sizes_are_the_default(self):
        for part, count in (
            ("generator", 4_756_736),
            ("discriminator", 2_899_072),
        ):
            model = getattr(family, f"{part}_of")({})
            learned = sum(
                int(np.prod(v.shape)) for v in model.trainable_variables
            )
            self.assertEqual(learned, count)

    def test_critic_without_batch_norm_refuses_weights_with_it(self):
        model = family.discriminator_of(recorded("wgan_cls.D_improved."))
        with self.assertRaisesRegex(ValueError, "netD_1.3.weight"):
            weights.load(
                "dcgan_cls/discriminator", model, recorded("wgan_cls.D.")
            )

    def test_a_file_with_both_parts_serves_both(self):
        both = {}
        for part, prefix in PARTS:
            for name, array in recorded(prefix).items():
                both[f"{part}.module.{name}"] = array
        for part, prefix in PARTS:
            model = getattr(family, f"{part}_of")(both)
            report = weights.load(f"dcgan_cls/{part}", model, both)
            self.assertEqual(len(report.loaded) + len(report.ignored), 59)
            for name, array in weights.export(
                f"dcgan_cls/{part}", model
            ).items():
                self.assertAllEqual(array, recorded(prefix)[name])

    @parameterized.product(
        part=PARTS, change=("missing", "wrong shape", "unknown")
    )
    def test_one_wrong_key_refuses_all(self, part, change):
        part, prefix = part
        arrays, model = recorded(prefix), build(part)
        name = next(n for n in arrays if n.endswith(".weight"))
        if change == "missing":
            del arrays[name]
        elif change == "wrong shape":
            arrays[name] = arrays[name][:1]
        else:
            name = "surprise.weight"
            arrays[name] = np.zeros(3, np.float32)
        before = model.get_weights()
        with self.assertRaisesRegex(ValueError, name):
            weights.load(f"dcgan_cls/{part}", model, arrays)
        for old, new in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(old, new)

    @parameterized.parameters(
        ("generator", "gan_cls.G.", "module."),
        ("generator", "gan_cls.G.", "generator."),
        ("discriminator", "gan_cls.D.", "discriminator."),
    )
    def test_prefixes_of_released_files_are_taken_off(self, part, own, prefix):
        arrays = recorded(own)
        plain, prefixed = build(part), build(part)
        weights.load(f"dcgan_cls/{part}", plain, arrays)
        weights.load(
            f"dcgan_cls/{part}",
            prefixed,
            {prefix + name: array for name, array in arrays.items()},
        )
        for a, b in zip(
            plain.get_weights(), prefixed.get_weights(), strict=True
        ):
            self.assertAllEqual(a, b)


if __name__ == "__main__":
    tf.test.main()
