"""Examines exported SavedModels as programs without this library see them."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from keras_t2i import encoders, networks, serving
from keras_t2i.ops import images, noise

_VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    *("a", "red", "blue", "heart", "car", "bird", "##s", "##er"),
]
_CAPTIONS = ["a red heart", "Blue cars", "a bird", "red", "a redder car"]
_SEEDS = [7, 0, 2**40, -3, 7]


def _painter(strategy=None):
    """A tiny painter that reads with real text operations."""
    with (strategy or tf.distribute.get_strategy()).scope():
        reader = encoders.text.TextEncoder(
            encoders.tokenizer.WordPiece(_VOCABULARY, max_words=8),
            encoders.bert.encoder(
                vocabulary_size=len(_VOCABULARY),
                width=8,
                layers=1,
                heads=2,
                hidden=8,
                positions=8,
            ),
            "toy",
            "digest of toy",
        )
        generator = networks.dcgan_cls.generator(
            image_size=16, width=4, noise_dim=6, text_dim=8, projection_dim=4
        )
    draws = np.random.RandomState(0)
    for variable in generator.weights + reader.model.weights:
        spread = draws.uniform(0.5, 1.5, variable.shape)
        is_factor = "variance" in variable.path or "gamma" in variable.path
        variable.assign(spread if is_factor else 2 * (spread - 1))
    return networks.Painter(generator, reader)


def _painted(painter, captions=_CAPTIONS, seeds=_SEEDS):
    return images.to_uint8(painter.generate(captions, seeds)).numpy()


def _run(code, folder, *arguments):
    """Runs code in a fresh process; answers with the arrays it saved."""
    out = os.path.join(folder, "out.npz")
    done = subprocess.run(
        [sys.executable, "-c", code, out, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    if done.returncode:
        raise AssertionError(done.stderr[-3000:])
    with np.load(out) as arrays:
        return dict(arrays)


_ASKED = f"""
import sys
import numpy as np
import tensorflow as tf
import tensorflow_text
captions, seeds = {_CAPTIONS!r}, {_SEEDS!r}
"""

_LOADED = (
    _ASKED
    + """
model = tf.saved_model.load(sys.argv[2])
answer = model.signatures["serving_default"](
    prompt=tf.constant(captions), seed=tf.constant(seeds, tf.int64))
v1 = tf.compat.v1
with tf.Graph().as_default(), v1.Session() as session:
    meta = v1.saved_model.load(session, ["serve"], sys.argv[2])
    asked = meta.signature_def["serving_default"]
    feed = {asked.inputs["prompt"].name: captions,
            asked.inputs["seed"].name: seeds}
    served = session.run(
        {k: v.name for k, v in asked.outputs.items()}, feed)
    feed[asked.inputs["prompt"].name] = captions[:-1] + [b"a\\xff"]
    try:
        session.run(asked.outputs["image"].name, feed)
    except tf.errors.InvalidArgumentError as error:
        refusal = error.message
assert "keras_t2i" not in sys.modules
np.savez(sys.argv[1], image=answer["image"], session=served["image"],
         png=answer["image_bytes"].numpy().astype("S"),
         session_png=served["image_bytes"].astype("S"), refusal=refusal)
"""
)

_HUBBED = (
    _ASKED
    + """
import tensorflow_hub
model = tensorflow_hub.load(sys.argv[2])
answer = model.signatures["serving_default"](
    prompt=tf.constant(captions), seed=tf.constant(seeds, tf.int64))
assert "keras_t2i" not in sys.modules
np.savez(sys.argv[1], image=answer["image"])
"""
)


class ExportTest(parameterized.TestCase, tf.test.TestCase):
    """A SavedModel draws what its painter draws."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.painter = _painter()
        cls.path = serving.export(
            cls.painter, os.path.join(cls.folder, "model"), {"moves": 12}
        )
        cls.model = tf.saved_model.load(str(cls.path))

    def paint(self, captions, seeds):
        return self.model.signatures["serving_default"](
            prompt=tf.constant(captions), seed=tf.constant(seeds, tf.int64)
        )

    def test_pictures_of_the_test_differ(self):
        painted = _painted(self.painter).astype(int)
        for other in range(1, len(painted)):
            self.assertGreater(np.abs(painted[0] - painted[other]).mean(), 3)

    def test_fresh_process_and_session_draw_the_same(self):
        arrays = _run(_LOADED, self.folder, str(self.path))
        painted = _painted(self.painter)
        self.assertAllEqual(arrays["image"], painted)
        self.assertAllEqual(arrays["session"], painted)
        for name in ("png", "session_png"):
            decoded = [tf.io.decode_png(x).numpy() for x in arrays[name]]
            self.assertAllEqual(decoded, painted)
        self.assertIn("not valid UTF-8", str(arrays["refusal"]))

    def test_hub_loads_it_in_a_fresh_process(self):
        arrays = _run(_HUBBED, self.folder, str(self.path))
        self.assertAllEqual(arrays["image"], _painted(self.painter))

    def test_saved_model_cli_runs_the_embeddings_without_text_operations(self):
        latent = noise.rows(_SEEDS, None, self.painter.noise_dim)
        sentence = self.painter.encode(_CAPTIONS)["sentence"]
        for name, array in (("noise", latent), ("sentence", sentence)):
            np.save(os.path.join(self.folder, f"{name}.npy"), array)
        subprocess.run(
            [
                *(sys.executable, "-m"),
                "tensorflow.python.tools.saved_model_cli",
                *("run", "--dir", "model/from_embeddings"),
                *("--tag_set", "serve", "--signature_def", "from_embeddings"),
                *("--inputs", "noise=noise.npy;sentence=sentence.npy"),
                *("--outdir", ".", "--overwrite"),
            ],
            cwd=self.folder,
            check=True,
            capture_output=True,
        )
        answer = np.load(os.path.join(self.folder, "image.npy"))
        self.assertDTypeEqual(answer, np.uint8)
        drawn = images.to_uint8(
            self.painter.draw({"sentence": sentence}, latent)
        )
        self.assertAllClose(answer.astype(int), drawn, rtol=0, atol=1)

    def test_both_models_draw_alike_from_embeddings(self):
        read = self.model.signatures["encode"](prompt=tf.constant(_CAPTIONS))
        self.assertAllClose(
            read["sentence"], self.painter.encode(_CAPTIONS)["sentence"]
        )
        latent = noise.rows(_SEEDS, None, self.painter.noise_dim)
        wordless = tf.saved_model.load(str(self.path / "from_embeddings"))
        for model in (self.model, wordless):
            draw = model.signatures["from_embeddings"]
            answer = draw(noise=latent, sentence=read["sentence"])["image"]
            self.assertAllClose(
                tf.cast(answer, tf.int32),
                _painted(self.painter).astype(int),
                rtol=0,
                atol=1,
            )

    @parameterized.parameters(1, 2, 3)
    def test_neighbours_change_at_most_one_grey_level(self, size):
        whole = _painted(self.painter).astype(int)
        for start in range(0, len(_CAPTIONS), size):
            part = slice(start, start + size)
            answer = self.paint(_CAPTIONS[part], _SEEDS[part])["image"]
            self.assertAllClose(
                tf.cast(answer, tf.int32), whole[part], rtol=0, atol=1
            )

    @parameterized.parameters(
        (["a car", ""], [1, 2], "A prompt is empty"),
        (["a car", "\u3000 \t"], [1, 2], "A prompt is empty"),
        (["a car", b"caf\xe9"], [1, 2], "A prompt is not valid UTF-8"),
        (["a car " * 4], [1], "more than 6 word pieces"),
        (["a car", "a bird"], [1], "Each prompt needs one seed"),
    )
    def test_bad_prompt_gives_a_sentence(self, captions, seeds, sentence):
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, rf"\[.*{sentence}.*\.\]"
        ):
            self.paint(captions, seeds)

    def test_embeddings_without_their_noise_give_a_sentence(self):
        draw = self.model.signatures["from_embeddings"]
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError, "Each sentence needs one noise"
        ):
            draw(noise=tf.zeros((1, 6)), sentence=tf.zeros((2, 8)))

    def test_card_lies_beside_the_assets(self):
        text = (self.path / "assets.extra" / "card.json").read_text()
        card = json.loads(text)
        self.assertEqual(card["moves"], 12)
        self.assertEqual(card["inputs"], {"noise": [6], "sentence": [8]})
        self.assertEqual(card["image"], [16, 16, 3])
        self.assertEqual(card["text_encoder"], "digest of toy")

    def test_painter_built_for_replicas_is_exported(self):
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        painter = _painter(strategy)
        path = serving.export(painter, os.path.join(self.folder, "mirrored"))
        drawn = serving.load(path).generate(_CAPTIONS, _SEEDS)
        self.assertAllEqual(drawn, _painted(painter))


class PlaceTest(tf.test.TestCase):
    """A failed export leaves nothing, and what was there intact."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.painter = _painter()

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "model"

    def test_second_export_replaces_the_first(self):
        serving.export(self.painter, self.path, {"moves": 1})
        serving.export(self.painter, self.path, {"moves": 2})
        self.assertEqual(serving.load(self.path).card["moves"], 2)
        self.assertEqual(os.listdir(self.folder), ["model"])

    def test_full_disk_leaves_the_old_model_and_no_litter(self):
        serving.export(self.painter, self.path, {"moves": 1})
        for limit in (1_000, 20_000, 200_000):
            with self.subTest(limit=limit), _file_size_limit(limit):
                with self.assertRaisesRegex(
                    OSError,
                    "^.Errno [0-9]+. Cannot write, what was there is "
                    "unchanged: File too large: '[^']*model'$",
                ):
                    serving.export(self.painter, self.path, {"moves": 2})
            self.assertEqual(os.listdir(self.folder), ["model"])
        served = serving.load(self.path)
        self.assertEqual(served.card["moves"], 1)
        self.assertEqual(served.generate(["a car"]).shape, (1, 16, 16, 3))

    def test_file_in_the_place_of_a_folder_gives_a_sentence(self):
        self.path.write_bytes(b"here first")
        for path in (self.path, self.path / "deeper" / "model"):
            with self.assertRaisesRegex(OSError, "Cannot write.*model"):
                serving.export(self.painter, path)
        self.assertEqual(self.path.read_bytes(), b"here first")
        self.assertEqual(os.listdir(self.folder), ["model"])

    def test_folder_with_other_things_is_refused(self):
        self.path.mkdir()
        (self.path / "thesis.txt").write_text("years of work")
        with self.assertRaisesRegex(ValueError, "something else than a Saved"):
            serving.export(self.painter, self.path)
        self.assertEqual(os.listdir(self.path), ["thesis.txt"])

    def test_card_that_is_no_json_leaves_nothing(self):
        with self.assertRaisesRegex(TypeError, "not JSON serializable"):
            serving.export(self.painter, self.path, {"moves": object()})
        self.assertEqual(os.listdir(self.folder), [])

    def test_painter_without_a_reader_is_refused(self):
        deaf = networks.Painter(self.painter.generator)
        with self.assertRaisesRegex(ValueError, "text_encoder"):
            serving.export(deaf, self.path)


class _file_size_limit:
    """No file may grow beyond `size` bytes, even for the superuser."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.old[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.old)


if __name__ == "__main__":
    tf.test.main()
