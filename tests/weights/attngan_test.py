"""AttnGAN's and DM-GAN's released names and layouts."""

import pathlib

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, weights
from keras_t2i.weights.families import attngan, dm_gan

FOLDER = pathlib.Path(__file__).parents[1] / "golden"
ROOMS = {"attngan": attngan, "dm_gan": dm_gan}
FILES = {"attngan": "attngan", "dm_gan": "dmgan"}
PARTS = [(name, part) for name in ROOMS for part in ("G", "D0", "D1", "D2")]


def released(name, part):
    """Reads the recorded arrays of a network by their plain names."""
    prefix = f"net{part}."
    with np.load(FOLDER / f"{FILES[name]}_other_sizes.npz") as file:
        found = {k: file[k] for k in file.files if k.startswith(prefix)}
    return {key.removeprefix(prefix): x for key, x in found.items()}


def family_of(name, part):
    """The name of the family's part, and what builds one of the sizes."""
    role = "generator" if part == "G" else "discriminator"
    return f"{name}/{role}", getattr(ROOMS[name], f"{role}_of")


def counted(arrays):
    """Counts arrays but those that count batches."""
    return sum(not key.endswith("num_batches_tracked") for key in arrays)


def shapes(family, model):
    """The shapes that a model's arrays have in a file."""
    return {k: x.shape for k, x in weights.export(family, model).items()}


class NamesTest(tf.test.TestCase, parameterized.TestCase):
    """Which arrays there are, and where they go."""

    @parameterized.parameters(*PARTS)
    def test_every_array_has_its_place(self, name, part):
        arrays = released(name, part)
        family, build = family_of(name, part)
        model = build(arrays)
        report = weights.load(family, model, arrays)
        self.assertLen(report.loaded, counted(arrays))
        self.assertLen(arrays, len(report.loaded) + len(report.ignored))
        filled = sum(len(paths) for paths in report.loaded.values())
        self.assertLen(model.weights, filled)

    @parameterized.parameters(*PARTS)
    def test_export_gives_the_arrays_back(self, name, part):
        arrays = released(name, part)
        family, build = family_of(name, part)
        model = build(arrays)
        report = weights.load(family, model, arrays)
        back = weights.export(family, model)
        self.assertCountEqual(back, report.loaded)
        for key, array in back.items():
            self.assertAllEqual(array, arrays[key])

    @parameterized.parameters("attngan", "dm_gan")
    def test_files_of_several_processors_and_old_ones_are_read(self, name):
        arrays = {
            f"module.{key}": array
            for key, array in released(name, "G").items()
            if not key.endswith("num_batches_tracked")
        }
        family, build = family_of(name, "G")
        report = weights.load(family, build(arrays), arrays)
        self.assertCountEqual(report.loaded, arrays)

    @parameterized.parameters(
        ("attngan", "G", "h_net2.att.conv_context.weight"),
        ("attngan", "G", "h_net1.fc.1.running_var"),
        ("attngan", "D2", "img_code_s64_2.1.bias"),
        ("attngan", "D0", "COND_DNET.jointConv.0.weight"),
        ("dm_gan", "G", "h_net3.M_r.0.bias"),
        ("dm_gan", "G", "h_net2.A.weight"),
        ("dm_gan", "D1", "img_code_s32_1.0.module.weight_v"),
        ("dm_gan", "D0", "UNCOND_DNET.outlogits.0.bias"),
    )
    def test_missing_array_is_named_and_nothing_is_loaded(
        self, name, part, key
    ):
        arrays = released(name, part)
        family, build = family_of(name, part)
        model = build(arrays)
        before = model.get_weights()
        del arrays[key]
        with self.assertRaisesRegex(ValueError, f"missing key '{key}'"):
            weights.load(family, model, arrays)
        for ours, theirs in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(ours, theirs)

    def test_each_refuses_the_others_files(self):
        for name, other in (("attngan", "dm_gan"), ("dm_gan", "attngan")):
            arrays = released(other, "G")
            family, build = family_of(name, "G")
            with self.assertRaisesRegex(ValueError, "unknown key 'h_net2"):
                weights.load(family, build(arrays), arrays)
        arrays = released("attngan", "D1")
        with self.assertRaisesRegex(ValueError, "unknown key 'img_code_s16"):
            weights.load("attngan/generator", attngan.generator_of({}), arrays)

    @parameterized.parameters(
        ("attngan", 2, 82),  # birds
        ("attngan", 3, 102),  # COCO
        ("dm_gan", 2, 104),
        ("dm_gan", 3, 124),
    )
    def test_generators_have_as_many_arrays_as_the_published(
        self, name, residuals, tensors
    ):
        room = getattr(networks, name)
        model = room.generator(width=1, residuals=residuals)
        self.assertLen(shapes(f"{name}/generator", model), tensors)

    @parameterized.parameters(
        ("attngan", 64, 25),
        ("attngan", 128, 35),
        ("attngan", 256, 45),
        ("dm_gan", 64, 24),
        ("dm_gan", 128, 32),
        ("dm_gan", 256, 40),
    )
    def test_discriminators_have_as_many_arrays_as_the_published(
        self, name, size, tensors
    ):
        room = getattr(networks, name)
        model = room.discriminator(image_size=size, width=1)
        self.assertLen(shapes(f"{name}/discriminator", model), tensors)


class SizesTest(tf.test.TestCase, parameterized.TestCase):
    """Networks of sizes that the reference has not."""

    @parameterized.product(
        name=("attngan", "dm_gan"),
        sizes=(
            dict(image_size=16, base_size=16, residuals=0),
            dict(image_size=32, base_size=8, residuals=1),
            dict(image_size=64, base_size=32, residuals=3),
        ),
    )
    def test_generators_are_rebuilt_from_their_arrays(self, name, sizes):
        room = getattr(networks, name)
        model = room.generator(
            **sizes, width=3, noise_dim=7, condition_dim=2, text_dim=5
        )
        self._check_rebuilt(f"{name}/generator", model)

    @parameterized.product(
        name=("attngan", "dm_gan"),
        size=(8, 16, 32, 128, 512),
        spectral=(False, True),
    )
    def test_discriminators_are_rebuilt_from_their_arrays(
        self, name, size, spectral
    ):
        model = getattr(networks, name).discriminator(
            image_size=size,
            width=1,
            text_dim=5,
            unconditional=size != 32,
            spectral=spectral,
        )
        self._check_rebuilt(f"{name}/discriminator", model)

    def _check_rebuilt(self, family, model):
        name, role = family.split("/")
        arrays = weights.export(family, model)
        again = getattr(ROOMS[name], f"{role}_of")(arrays)
        weights.load(family, again, arrays)
        self.assertEqual(again.input_shape, model.input_shape)
        for ours, theirs in zip(
            model.get_weights(), again.get_weights(), strict=True
        ):
            self.assertAllEqual(ours, theirs)

    def test_attndcgans_generator_is_rebuilt_from_its_arrays(self):
        model = networks.attngan.generator(
            image_size=32,
            base_size=8,
            width=3,
            residuals=0,
            text_dim=5,
            smaller_images=False,
        )
        found = shapes("attngan/generator", model)
        pictures = [key for key in found if key.startswith("img_net")]
        self.assertEqual(pictures, ["img_net.img.0.weight"])
        self._check_rebuilt("attngan/generator", model)
        full = networks.attngan.generator(
            image_size=32, base_size=8, width=3, residuals=0, text_dim=5
        )
        with self.assertRaisesRegex(ValueError, "key 'img_net"):
            arrays = weights.export("attngan/generator", model)
            weights.load("attngan/generator", full, arrays)

    def test_smaller_trunks_continue_the_names(self):
        model = networks.attngan.discriminator(image_size=32, width=1)
        found = shapes("attngan/discriminator", model)
        rows = {key.split(".")[0] for key in found if "img_code" in key}
        self.assertEqual(rows, {"img_code_s8"})
        self.assertIn("img_code_s8.5.weight", found)
        model = networks.attngan.discriminator(image_size=512, width=1)
        found = shapes("attngan/discriminator", model)
        rows = {key.split(".")[0] for key in found if "img_code" in key}
        wanted = "img_code_s16 img_code_s32 img_code_s64 img_code_s128".split()
        wanted += [f"img_code_s128_{i}" for i in (1, 2, 3)]
        self.assertCountEqual(rows, wanted)
        self.assertEqual(found["img_code_s128_1.0.weight"], (32, 64, 3, 3))


class LayoutsTest(tf.test.TestCase):
    """Where channels and places stand within an array."""

    def test_halves_of_the_first_map_stay_apart(self):
        arrays = released("attngan", "G")
        model = attngan.generator_of(arrays)
        weights.load("attngan/generator", model, arrays)
        theirs = arrays["h_net1.fc.0.weight"]
        channels = theirs.shape[0] // 32
        ours = np.asarray(model.get_layer("start").kernel)
        ours = ours.reshape(-1, 2, 4, 4, channels)
        norm = np.asarray(model.get_layer("start_norm").moving_mean)
        norm = norm.reshape(2, 4, 4, channels)
        mean = arrays["h_net1.fc.1.running_mean"]
        for half, channel, y, x in ((0, 0, 1, 2), (1, 3, 0, 1), (1, 2, 3, 3)):
            place = ((half * channels + channel) * 4 + y) * 4 + x
            self.assertAllEqual(ours[:, half, y, x, channel], theirs[place])
            self.assertEqual(norm[half, y, x, channel], mean[place])

    def test_v_is_counted_place_by_place(self):
        arrays = released("dm_gan", "D0")
        model = dm_gan.discriminator_of(arrays)
        weights.load("dm_gan/discriminator", model, arrays)
        layer = model.get_layer("trunk").get_layer("down_32")
        inside = "img_code_s16.0.module"
        v = arrays[f"{inside}.weight_v"].reshape(3, 4, 4)
        self.assertAllEqual(
            np.reshape(layer.v, (4, 4, 3)), v.transpose(1, 2, 0)
        )
        self.assertAllEqual(layer.u, arrays[f"{inside}.weight_u"])


if __name__ == "__main__":
    tf.test.main()
