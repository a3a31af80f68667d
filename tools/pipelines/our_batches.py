"""AttnGAN's input by `data.pipeline.batches`, as a config asks for it.

    python -m tools.pipelines.our_batches SETTINGS

SETTINGS is JSON: folder (a prepared set), batch_size, threads (of a single
TensorFlow operation; 0 is TensorFlow's choice) and what else `batches` takes.
Each line of standard input is a number of batches to make; "done" is printed
after them.
"""

import json
import pathlib
import sys

import tensorflow as tf

from keras_t2i.data import pipeline, prepared, vocabulary


def main(settings: dict) -> None:
    """Makes as many batches as asked for.

    Args:
        settings: see above.
    """
    threads, folder = settings.pop("threads"), settings.pop("folder")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    print("imported", flush=True)
    words = pathlib.Path(folder) / "vocabulary.txt"
    stream = iter(
        pipeline.batches(
            prepared.load(folder, "train"),
            seed=0,
            vocabulary=vocabulary.Vocabulary.load(words),
            **settings,
        )
    )
    for line in sys.stdin:
        for _ in range(int(line)):
            next(stream)
        print("done", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
