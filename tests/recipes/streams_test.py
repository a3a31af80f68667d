"""Examines data and batches that a config asks for."""

from unittest import mock

import tensorflow as tf

from recipes import letters, streams, wiring
from recipes.configs import gan_cls_openmoji, wgan_openmoji
from tests.recipes import runs


class StreamTest(tf.test.TestCase):
    """Batches are those of the move where the run stands."""

    def setUp(self):
        super().setUp()
        runs.folder(self)
        self.config = gan_cls_openmoji.get_config("smoke")

    def test_batches_hold_the_rows_of_all_moves_of_a_critic(self):
        config = wgan_openmoji.get_config("smoke")
        encoder = wiring.text_encoder(config)
        pictures = streams.source(config, "train")
        many = wiring.system(config, encoder).batches_per_move
        self.assertEqual(many, 5)
        stream = streams.dataset(config, pictures, encoder, 0, many)
        self.assertLen(next(iter(stream))["key"], 5 * 8)

    def test_empty_labels_are_the_usual_ones(self):
        # A flag can't say None: of a folder it says --config.data.labels=
        self.config.data.labels = ""
        found = streams.source(self.config, "test")
        self.config.data.labels = None
        usual = streams.source(self.config, "test")
        self.assertAllEqual(found.labels, usual.labels)
        self.config.data.labels = "subgroup"
        with self.assertRaisesRegex(
            ValueError, "kind 'subgroup'; it has one kind only: leave labels em"
        ):
            streams.source(self.config, "test")

    def test_sentences_are_read_once_and_kept(self):
        pictures = streams.source(self.config, "test")
        reader = wiring.text_encoder(self.config)
        vectors = streams.sentences(pictures, reader)
        self.assertEqual(vectors.shape, (128, 5, 16))
        with mock.patch.object(letters.Letters, "__call__") as again:
            self.assertAllEqual(streams.sentences(pictures, reader), vectors)
        again.assert_not_called()

    def test_stream_begins_where_the_run_stands(self):
        pictures = streams.source(self.config, "train")
        reader = wiring.text_encoder(self.config)

        def keys(start, count):
            stream = streams.dataset(self.config, pictures, reader, start)
            return [b["key"].numpy().tolist() for b in stream.take(count)]

        # 512 pictures in batches of 8: the second epoch begins at move 64.
        self.assertEqual(keys(0, 70)[62:], keys(62, 8))
        self.assertNotEqual(keys(0, 1), keys(64, 1))
        self.config.train.seed = 1
        self.assertNotEqual(keys(0, 1), keys(64, 1))


if __name__ == "__main__":
    tf.test.main()
