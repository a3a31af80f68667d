"""DAMSM's released names and layouts, and what the authors' modules answer.

The numbers of `NumbersTest` were told by AttnGAN's PyTorch modules in float64
on CPU, from weights and inputs that are drawn here anew.
"""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.encoders import bi_lstm, heads, inception
from keras_t2i.weights.families import damsm

LSTM = [
    f"rnn.{part}_l0{way}"
    for way in ("", "_reverse")
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
]


def drawn(shapes):
    """Fills a module as it was filled: name by name, in their order."""
    arrays = {}
    for k, name in enumerate(sorted(shapes)):
        random, shape = np.random.RandomState(k), shapes[name]
        if name.endswith("running_var"):
            arrays[name] = 1 + 0.5 * random.random_sample(shape)
        elif len(shape) > 1:
            scale = np.sqrt(2 / np.prod(shape[1:]))
            arrays[name] = random.standard_normal(shape) * scale
        else:
            arrays[name] = 0.1 * random.standard_normal(shape)
            if name.endswith(".weight"):
                arrays[name] += 1
    return arrays


def tiny_text():
    """11 ids, 6 numbers a word, 4 each way."""
    return bi_lstm.encoder(11, embedding=6, width=8, dropout=0)


def tiny_image():
    """A sixteenth of Inception's channels and a head of 5."""
    trunk = inception.inception_v3(width=1 / 16)
    told = (trunk.output[k].shape[-1] for k in ("regions", "pooled"))
    return heads.over(trunk, heads.image(*told, 5))


def shapes(family, model):
    """The shapes that a family's arrays have."""
    arrays = weights.export(family, model)
    return {name: array.shape for name, array in arrays.items()}


class NamesTest(tf.test.TestCase, parameterized.TestCase):
    """Which arrays there are."""

    def test_text_has_the_references_nine(self):
        found = shapes("damsm/text", bi_lstm.encoder(5450))
        expected = {"encoder.weight": (5450, 300)}
        for name in LSTM:
            expected[name] = {
                "rnn.weight_ih": (512, 300),
                "rnn.weight_hh": (512, 128),
            }.get(name.partition("_l0")[0], (512,))
        self.assertEqual(found, expected)
        count = sum(int(np.prod(shape)) for shape in found.values())
        self.assertEqual(count, 2_075_320)

    def test_image_has_the_references_473(self):
        found = shapes("damsm/image", damsm.image_of({}))
        self.assertLen(found, 473)
        self.assertEqual(found["emb_features.weight"], (256, 768, 1, 1))
        self.assertEqual(found["emb_cnn_code.weight"], (256, 2048))
        self.assertEqual(found["emb_cnn_code.bias"], (256,))
        self.assertEqual(
            found["Mixed_6e.branch7x7dbl_2.conv.weight"], (192, 192, 7, 1)
        )
        learned = [
            int(np.prod(shape))
            for name, shape in found.items()
            if "running" not in name
        ]
        self.assertEqual(sum(learned), 22_506_720)

    @parameterized.parameters("", "module.")
    def test_every_array_has_its_place(self, prefix):
        for family, model, make in (
            ("damsm/text", tiny_text(), damsm.text_of),
            ("damsm/image", tiny_image(), damsm.image_of),
        ):
            arrays = drawn(shapes(family, model))
            named = {prefix + name: array for name, array in arrays.items()}
            again = make(named)
            report = weights.load(family, again, named)
            self.assertCountEqual(report.loaded, named)
            filled = {p for paths in report.loaded.values() for p in paths}
            self.assertLen(again.weights, len(filled))

    def test_counts_of_batches_are_known(self):
        model = tiny_image()
        arrays = weights.export("damsm/image", model)
        name = "Mixed_7c.branch_pool.bn.num_batches_tracked"
        report = weights.load(
            "damsm/image", model, {**arrays, name: np.int64(3)}
        )
        self.assertEqual(report.ignored, (name,))

    def test_export_gives_the_arrays_back_but_for_the_split_of_biases(self):
        for family, model in (
            ("damsm/text", tiny_text()),
            ("damsm/image", tiny_image()),
        ):
            arrays = drawn(shapes(family, model))
            weights.load(family, model, arrays)
            back = weights.export(family, model)
            for way in ("", "_reverse"):
                if family == "damsm/text":
                    one, other = (f"rnn.bias_{x}_l0{way}" for x in ("ih", "hh"))
                    arrays[one] = arrays[one] + arrays[other]
                    arrays[other] = np.zeros_like(arrays[other])
            self.assertCountEqual(back, arrays)
            for name, array in arrays.items():
                self.assertAllClose(back[name], array, 1e-6, 1e-7)

    @parameterized.parameters(
        ("damsm/text", "rnn.bias_hh_l0_reverse"),
        ("damsm/text", "encoder.weight"),
        ("damsm/image", "emb_features.weight"),
        ("damsm/image", "Mixed_7b.branch3x3_2a.bn.running_var"),
    )
    def test_missing_array_is_named_and_nothing_is_loaded(self, family, name):
        model = tiny_text() if family == "damsm/text" else tiny_image()
        arrays = drawn(shapes(family, model))
        del arrays[name]
        before = model.get_weights()
        with self.assertRaisesRegex(ValueError, f"missing key '{name}'"):
            weights.load(family, model, arrays)
        for ours, theirs in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(ours, theirs)

    def test_a_vocabulary_of_another_size_is_refused(self):
        arrays = drawn(shapes("damsm/text", tiny_text()))
        other = bi_lstm.encoder(12, embedding=6, width=8)
        with self.assertRaisesRegex(
            ValueError, r"encoder.weight has shape \(11, 6\);.*takes \(12, 6\)"
        ):
            weights.load("damsm/text", other, arrays)


class NumbersTest(tf.test.TestCase, parameterized.TestCase):
    """Answers of the authors' modules."""

    def test_reader_of_captions(self):
        model = tiny_text()
        weights.load("damsm/text", model, drawn(shapes("damsm/text", model)))
        ids = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0], [9, 10, 0, 0, 0]])
        mask = np.arange(5) < np.array([5, 3, 2])[:, None]
        told = model({"ids": ids.astype("int32"), "mask": mask})
        self.assertAllClose(np.sum(told["words"]), 0.39136353, 1e-5, 1e-5)
        self.assertAllClose(
            told["words"][0, 0],
            [
                *(0.09360755, 0.11940191, -0.07216075, -0.18174088),
                *(-0.32224349, 0.21307114, 0.01573554, 0.2547291),
            ],
        )
        self.assertAllClose(
            told["sentence"][2],
            [
                *(-0.10300034, -0.06315202, -0.11401925, 0.02657255),
                *(0.13048465, -0.13299009, 0.02008793, -0.07307944),
            ],
        )

    def test_reader_of_pictures_and_its_quirks(self):
        model = damsm.image_of({})
        arrays = drawn(shapes("damsm/image", model))
        weights.load("damsm/image", model, arrays)
        noise = np.random.RandomState(7).standard_normal((1, 3, 64, 64))
        x = np.tanh(noise).transpose(0, 2, 3, 1).astype("float32")
        told = model({"image": x}, training=False)
        regions, code = np.array(told["regions"]), np.array(told["code"])
        self.assertAllClose(regions.mean(), -0.0080989205, 0, 1e-6)
        self.assertAllClose(regions.std(), 0.3256882953, 1e-5)
        self.assertAllClose(
            regions[0, 0, 0, :3], [-0.04018693, -0.42319768, 0.11145968], 1e-4
        )
        self.assertAllClose(code.mean(), 0.0114440832, 0, 1e-6)
        self.assertAllClose(code.std(), 0.3159251753, 1e-5)
        self.assertAllClose(
            code[0, :4],
            [-0.13255633, 0.01476942, 0.33572751, -0.29034361],
            1e-4,
        )

        # The same weights through a later Torch's resizing, and through
        # TensorFlow's averages at the border.
        def first(trunk, resize):
            told = (trunk.output[k].shape[-1] for k in ("regions", "pooled"))
            other = heads.over(trunk, heads.image(*told), resize=resize)
            other.set_weights(model.get_weights())
            return other({"image": x}, training=False)["code"][0, 0]

        later = first(inception.inception_v3(), "bilinear")
        self.assertAllClose(later, -0.13340493, 1e-4)
        inside = inception.inception_v3(counts_padding=False)
        self.assertAllClose(
            first(inside, "bilinear_corners"), -0.15864208, 1e-4
        )


if __name__ == "__main__":
    tf.test.main()
