"""Examines the tool that turns released weights into ours."""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from keras_t2i import weights
from keras_t2i.encoders import bert, bi_lstm, heads, inception
from keras_t2i.networks import df_gan, df_gan_2020, ssa_gan
from keras_t2i.weights import families
from tools import convert_weights

ROOT = pathlib.Path(__file__).parents[2]


class ConvertTest(tf.test.TestCase):
    """All of a file, or nothing."""

    def setUp(self):
        super().setUp()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.source = os.path.join(folder, "source.npz")
        self.out = os.path.join(folder, "out.npz")
        self.model = bert.encoder(
            vocabulary_size=11,
            width=8,
            layers=2,
            heads=2,
            hidden=12,
            positions=9,
        )
        self.arrays = weights.export("minilm/text", self.model)

    def write(self, **more):
        np.savez(self.source, **self.arrays, **more)

    def test_sizes_are_read_from_the_file_and_every_array_kept(self):
        self.write(**{"pooler.dense.bias": np.zeros(8)})
        report = convert_weights.convert("minilm/text", self.source, self.out)
        self.assertEqual(report.ignored, ("pooler.dense.bias",))
        found = weights.arrays.read(self.out)
        self.assertEqual(set(found), set(self.arrays))
        for key, array in self.arrays.items():
            self.assertAllEqual(found[key], array)
        weights.load("minilm/text", self.model, found)

    def test_half_rounds_kernels_only(self):
        self.write()
        convert_weights.convert("minilm/text", self.source, self.out, half=True)
        for key, array in weights.arrays.read(self.out).items():
            expected = self.arrays[key]
            if expected.ndim > 1:
                expected = expected.astype(np.float16)
            self.assertEqual(array.dtype, expected.dtype)
            self.assertAllEqual(array, expected)

    def test_a_prefix_chooses_a_part(self):
        self.arrays = {f"net/{k}": v for k, v in self.arrays.items()}
        self.write(epoch=np.int64(3))
        convert_weights.convert("minilm/text", self.source, self.out, "net/")
        self.assertLen(weights.arrays.read(self.out), len(self.arrays))

    def test_every_family_that_is_loaded_is_converted(self):
        self.assertEqual(set(convert_weights.MODELS), set(families.FAMILIES))

    def test_damsms_readers_are_converted_at_the_files_sizes(self):
        trunk = inception.inception_v3(width=1 / 16)
        told = (trunk.output[k].shape[-1] for k in ("regions", "pooled"))
        for family, model in (
            ("damsm/image", heads.over(trunk, heads.image(*told, 5))),
            ("damsm/text", bi_lstm.encoder(7, embedding=3, width=4)),
        ):
            self.arrays = weights.export(family, model)
            self.write()
            convert_weights.convert(family, self.source, self.out)
            found = weights.arrays.read(self.out)
            self.assertEqual(set(found), set(self.arrays))
            for key, array in self.arrays.items():
                self.assertAllEqual(found[key], array)

    def test_one_way_networks_are_converted_at_the_files_sizes(self):
        sizes = dict(image_size=16, width=4, text_dim=5)
        rooms = {
            "df_gan": df_gan,
            "df_gan_2020": df_gan_2020,
            "ssa_gan": ssa_gan,
        }
        for name, part in itertools.product(
            rooms, ("generator", "discriminator")
        ):
            more = {"noise_dim": 3} if part == "generator" else {}
            model = getattr(rooms[name], part)(**sizes, **more)
            family = f"{name}/{part}"
            self.arrays = weights.export(family, model)
            self.write()
            convert_weights.convert(family, self.source, self.out)
            found = weights.arrays.read(self.out)
            self.assertEqual(set(found), set(self.arrays))
            weights.load(family, model, found)

    def test_inception_is_converted_with_the_files_classes(self):
        # One file of 90 MB each: two variants stand for four.
        for variant in ("torchvision", "slim"):
            model = inception.inception_v3(variant, classes=7)
            self.arrays = weights.export(f"inception/{variant}", model)
            self.write()
            convert_weights.convert(
                f"inception/{variant}", self.source, self.out
            )
            found = weights.arrays.read(self.out)
            self.assertEqual(set(found), set(self.arrays))
            for name, array in self.arrays.items():
                self.assertAllEqual(found[name], array)

    def test_one_wrong_array_writes_nothing(self):
        self.write(extra=np.zeros(3))
        with self.assertRaisesRegex(ValueError, "unknown key 'extra'"):
            convert_weights.convert("minilm/text", self.source, self.out)
        self.arrays["embeddings.word_embeddings.weight"] = np.zeros(())
        self.write()
        with self.assertRaisesRegex(ValueError, "word_embeddings.weight has"):
            convert_weights.convert("minilm/text", self.source, self.out)
        self.assertFalse(os.path.exists(self.out))

    def test_missing_size_is_told_by_its_arrays_name(self):
        del self.arrays["embeddings.word_embeddings.weight"]
        self.write()
        with self.assertRaisesRegex(ValueError, "missing key 'embeddings.word"):
            convert_weights.convert("minilm/text", self.source, self.out)

    def test_an_unknown_family_is_refused(self):
        with self.assertRaisesRegex(ValueError, "known are .*minilm.text"):
            convert_weights.convert("minilm/txt", self.source, self.out)

    def test_the_command_reports_every_array(self):
        self.write(extra=np.zeros(3))
        command = [sys.executable, "-m", "tools.convert_weights"]
        command += ["--family=minilm/text", f"--source={self.source}"]
        command += [f"--out={self.out}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("extra: unknown", done.stdout)
        for key in self.arrays:
            self.assertIn(f"  {key} -> ", done.stdout)
        self.assertRegex(done.stderr, "(?m)^Error: .*Nothing was loaded")
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    tf.test.main()
