"""DAMSM's losses in PyTorch, caption by caption; knows nothing of ours.

    python tools/pipelines/torch_matching.py SETTINGS

SETTINGS is JSON: batch_size, words, side (places in a row) and width. The
first line printed is the loss; then each line of standard input is a number
of moves to take, and "done" is printed after them.

One caption is held against all pictures at a time, as the published code does
it; the equations are those of Xu et al. 2018, section 3.2, arXiv:1711.10485,
without the root of eq. 10, which that code leaves out.
"""

import json
import sys

import numpy as np
import torch
import torch.nn.functional as functional

_LOOK, _BEST, _MOST = 4.0, 5.0, 10.0


def features(settings: dict) -> list:
    """Draws what both sides compare, the same every time.

    Args:
        settings: see above.

    Returns:
        Places (B, C, R), words (B, C, T), codes and sentences (B, C), which
        want gradients.
    """
    rows, width = settings["batch_size"], settings["width"]
    random = np.random.RandomState(0)
    shapes = (
        (rows, settings["side"] ** 2, width),
        (rows, settings["words"], width),
        (rows, width),
        (rows, width),
    )
    drawn = [random.standard_normal(s).astype(np.float32) for s in shapes]
    turned = [
        np.swapaxes(each, 1, -1) if each.ndim == 3 else each for each in drawn
    ]
    return [
        torch.from_numpy(np.ascontiguousarray(each)).requires_grad_()
        for each in turned
    ]


def caption_scores(regions, words):
    """Scores one caption with every picture.

    Args:
        regions: (B, C, R).
        words: (C, T).

    Returns:
        (B,)
    """
    rows = regions.shape[0]
    words = words.unsqueeze(0).repeat(rows, 1, 1)
    scores = torch.bmm(regions.transpose(1, 2), words)
    shares = torch.softmax(scores, dim=2).transpose(1, 2)
    weights = torch.softmax(_LOOK * shares, dim=2)
    contexts = torch.bmm(regions, weights.transpose(1, 2))
    fit = functional.cosine_similarity(words, contexts, dim=1)
    return torch.logsumexp(_BEST * fit, dim=1)


def loss(regions, words, codes, sentences):
    """Adds both losses of words and both of sentences.

    Args:
        regions: (B, C, R).
        words: (B, C, T).
        codes: (B, C).
        sentences: (B, C).

    Returns:
        ()
    """
    columns = [caption_scores(regions, each) for each in words]
    fine = _MOST * torch.stack(columns, dim=1)
    coarse = _MOST * functional.cosine_similarity(
        codes.unsqueeze(1), sentences.unsqueeze(0), dim=2
    )
    own = torch.arange(len(codes))
    return sum(
        functional.cross_entropy(table, own)
        for table in (fine, fine.t(), coarse, coarse.t())
    )


def main(settings: dict) -> None:
    """Takes as many moves as asked for.

    Args:
        settings: see above.
    """
    inputs = features(settings)

    def move():
        for each in inputs:
            each.grad = None
        value = loss(*inputs)
        value.backward()
        return value.item()

    print(move(), flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            move()
        print("done", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
