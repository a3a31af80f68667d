"""How near said captions are to true ones, by sacreBLEU."""

from collections.abc import Sequence


def scores(
    told: Sequence[str], captions: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Measures BLEU of one and of up to four words in a row.

    Args:
        told: N strings, words between spaces; they are compared as they are.
        captions: N sequences of true captions, any number each, in the same
            form.

    Returns:
        "bleu_1" and "bleu_4" in [0, 100], of the whole set; the latter is 0
        where nothing of four words is said.

    Raises:
        ValueError: if there is nothing, or the two are not equally many, or
            a row has no true caption or is none but a string.
        ImportError: if sacreBLEU is not installed.

    Source:
        Papineni et al. 2002, as sacreBLEU (Post 2018, arXiv:1804.08771) has
        it, with exponential smoothing.
    """
    import sacrebleu  # One of those who measure; others need none.

    if not len(told) or len(told) != len(captions):
        raise ValueError(
            f"{len(told)} captions were said of {len(captions)} pictures; "
            "allowed: one each, and one at least."
        )
    if any(isinstance(row, str) for row in captions):
        raise ValueError(
            "captions holds a string where a list of a picture's true captions "
            "is wanted."
        )
    if not all(map(len, captions)):
        raise ValueError("A picture has no true caption to compare with.")
    most = max(map(len, captions))
    columns = [
        [row[place] if place < len(row) else None for row in captions]
        for place in range(most)
    ]
    found = {}
    for order in (1, 4):
        bleu = sacrebleu.metrics.BLEU(
            tokenize="none", max_ngram_order=order, force=True
        )
        score = bleu.corpus_score(list(told), columns).score
        found[f"bleu_{order}"] = min(score, 100.0)  # Rounding gives more.
    return found
