"""DAMSM's losses by `losses.matching`, forward and backward.

    python -m tools.pipelines.our_matching SETTINGS

SETTINGS is JSON: batch_size, words, side (places in a row), width, chunk (of
captions; null is the library's choice) and xla. The first line printed is the
loss; then each line of standard input is a number of moves to take, and
"done" is printed after them.
"""

import json
import sys

import numpy as np
import tensorflow as tf

from keras_t2i.losses import matching


def features(settings: dict) -> list[np.ndarray]:
    """Draws what both sides compare, the same every time.

    Args:
        settings: see above.

    Returns:
        Places (B, H, W, C), words (B, T, C), codes and sentences (B, C).
    """
    rows, width = settings["batch_size"], settings["width"]
    random = np.random.RandomState(0)
    shapes = (
        (rows, settings["side"], settings["side"], width),
        (rows, settings["words"], width),
        (rows, width),
        (rows, width),
    )
    return [random.standard_normal(s).astype(np.float32) for s in shapes]


def move(settings: dict):
    """Makes a function that takes one move.

    Args:
        settings: see above.

    Returns:
        Function without arguments: the loss and four gradients.
    """
    drawn = [tf.constant(each) for each in features(settings)]
    mask = tf.ones((settings["batch_size"], settings["words"]), tf.bool)
    labels = tf.range(settings["batch_size"])

    def loss(regions, words, codes, sentences):
        scores = matching.word_scores(
            regions, words, mask, chunk=settings["chunk"]
        )
        coarse = matching.sentence_scores(codes, sentences)
        return sum(matching.matching_losses(scores, labels)) + sum(
            matching.matching_losses(coarse, labels)
        )

    @tf.function(jit_compile=settings["xla"])
    def descend(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = loss(*inputs)
        return value, tape.gradient(value, inputs)

    return lambda: descend(*drawn)


def main(settings: dict) -> None:
    """Takes as many moves as asked for.

    Args:
        settings: see above.
    """
    take = move(settings)
    print(float(take()[0]), flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            value, _ = take()
        value.numpy()
        print("done", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
