"""Released names of SSA-GAN and of DF-GAN's first version."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import networks, weights
from keras_t2i.weights import families

#: Family -> its module, and where its networks are built.
ROOMS = {
    name: (getattr(families, name), getattr(networks, name))
    for name in ("ssa_gan", "df_gan_2020")
}
SIZES = dict(image_size=16, width=2, text_dim=5)
PARTS = {"generator": dict(noise_dim=7), "discriminator": {}}


def built(name, part, **changes):
    """Makes a narrow network with random numbers everywhere."""
    _, room = ROOMS[name]
    model = getattr(room, part)(**SIZES | PARTS[part] | changes)
    draw = np.random.default_rng(0)
    model.set_weights([draw.normal(size=w.shape) for w in model.get_weights()])
    return model


class ReleasedTest(tf.test.TestCase, parameterized.TestCase):
    """There and back, and what is refused."""

    @parameterized.product(name=list(ROOMS), part=list(PARTS))
    def test_arrays_come_back_equal_and_tell_their_sizes(self, name, part):
        family, _ = ROOMS[name]
        for changes in ({}, dict(image_size=32, width=3, text_dim=4)):
            model = built(name, part, **changes)
            arrays = weights.export(f"{name}/{part}", model)
            arrays = {f"module.{key}": x for key, x in arrays.items()}
            again = getattr(family, f"{part}_of")(arrays)
            report = weights.load(f"{name}/{part}", again, arrays)
            self.assertCountEqual([*report.loaded, *report.ignored], arrays)
            for ours, theirs in zip(
                model.get_weights(), again.get_weights(), strict=True
            ):
                self.assertAllEqual(ours, theirs)

    @parameterized.named_parameters(
        ("ssa_gan_generator", "ssa_gan", "generator", 267),
        ("ssa_gan_discriminator", "ssa_gan", "discriminator", 34),
        ("df_gan_2020_generator", "df_gan_2020", "generator", 269),
        ("df_gan_2020_discriminator", "df_gan_2020", "discriminator", 34),
    )
    def test_papers_size_has_the_released_count_of_keys(
        self, name, part, count
    ):
        model = built(name, part, image_size=256)
        arrays = weights.export(f"{name}/{part}", model)
        unused = [
            f"block{block}.conv_s.{end}"
            for block in (4, 5)
            for end in ("weight", "bias")
        ]
        if part == "discriminator":
            self.assertEqual(arrays[unused[0]].shape, (32, 32, 1, 1))
            self.assertEqual(arrays[unused[1]].shape, (32,))
        norms = [k for k in arrays if k.endswith("running_mean")]
        counts = [
            k.replace("running_mean", "num_batches_tracked") for k in norms
        ]
        arrays |= dict.fromkeys(counts, np.int64(3))
        self.assertLen(arrays, count)
        report = weights.load(f"{name}/{part}", model, arrays)
        ignored = counts + (unused if part == "discriminator" else [])
        self.assertCountEqual(report.ignored, ignored)

    @parameterized.parameters(
        ("ssa_gan", "generator", "block1.affine2.fc_gamma.linear2.bias"),
        ("ssa_gan", "generator", "block0.conv_mask.3.weight"),
        ("ssa_gan", "generator", "conv_img.0.running_var"),
        ("df_gan_2020", "generator", "block1.affine3.fc_beta.linear1.weight"),
        ("df_gan_2020", "discriminator", "COND_DNET.joint_conv.0.weight"),
    )
    def test_missing_array_is_named_and_nothing_is_loaded(
        self, name, part, key
    ):
        model = built(name, part)
        arrays = weights.export(f"{name}/{part}", model)
        del arrays[key]
        before = model.get_weights()
        with self.assertRaisesRegex(ValueError, f"missing key '{key}'"):
            weights.load(f"{name}/{part}", model, arrays)
        for ours, theirs in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(ours, theirs)

    @parameterized.parameters(
        ("df_gan", "df_gan_2020"),
        ("df_gan_2020", "df_gan"),
        ("ssa_gan", "df_gan_2020"),
        ("df_gan_2020", "ssa_gan"),
        ("df_gan", "ssa_gan"),
    )
    def test_generator_of_another_version_is_refused(self, theirs, ours):
        rooms = {name: getattr(networks, name) for name in (theirs, ours)}
        sizes = SIZES | PARTS["generator"]
        given = weights.export(
            f"{theirs}/generator", rooms[theirs].generator(**sizes)
        )
        model = getattr(families, ours).generator_of(given)
        with self.assertRaisesRegex(
            ValueError, f"unknown key .* is a name of {theirs}/generator"
        ):
            weights.load(f"{ours}/generator", model, given)


if __name__ == "__main__":
    tf.test.main()
