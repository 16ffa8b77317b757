"""What the Rust `tokenizers` (0.23.3) learn of words on which both tie rules are one.

They number bytes in GPT-2's order, in which "!" to "~" come first as here; so words of these alone,
each a text of its own, must give the same merges and tokens.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

MERGES = 300


def arrays():
    """The words of a lesson, the merges as pairs of texts, all tokens in a row and their counts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    lesson = Path("assignments/07_optimizers/README.md").read_text(encoding="utf-8")
    words = [word for word in lesson.split() if re.fullmatch(r"[!-~]{1,40}", word)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + MERGES,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(words, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    tokens = [tokenizer.encode(word).tokens for word in words]
    return {
        "words": np.array(words),
        "merges": np.array(merges),
        "tokens": np.array([token for one in tokens for token in one]),
        "counts": np.array([len(one) for one in tokens], np.uint8),
    }
