"""How fast byte-pair encoding learns and encodes 1 MB of text, against the Rust `tokenizers`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.measure import Bar, interleave, median_ratio
from tinytorch.tokenization import BPETokenizer

ROOT = Path(__file__).resolve().parents[2]
SIZE, VOCABULARY, LINES, ROUNDS = 1_000_000, 2048, 100, 9
TRAINING = ("BPE training, 1 MB, 2048 tokens", 1.3)
WARM, COLD = ("BPE encoding, MB/s", 5.0), ("BPE encoding, MB/s, empty cache", 2.5)


def bars() -> list[Bar]:
    """Train and encode with both in turn, each on one thread of one process."""
    # Theirs reads these at the first use of its thread pool.
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    try:
        import tokenizers
    except ModuleNotFoundError:
        cure = 'not measured: .venv/bin/pip install "tokenizers==0.23.3" and run again'
        least = {"at_least": True, "note": cure}
        return [
            Bar(*TRAINING, None, note=cure),
            Bar(*WARM, None, **least),
            Bar(*COLD, None, **least),
        ]
    text = _text()
    lines = text.splitlines(keepends=True)
    documents = ["".join(lines[i : i + LINES]) for i in range(0, len(lines), LINES)]
    training, warm, cold, tokens = _measured(documents)
    note = (
        f"{len(text.encode()) / 1e6:.2f} MB of the course's own lessons and code in documents of "
        f"{LINES} lines, one thread (RAYON_NUM_THREADS=1) / tokenizers {tokenizers.__version__}"
    )
    details = {
        "rounds": ROUNDS,
        "clock": "CPU, one thread",
        "seconds_of_training": [min(side) for side in zip(*training, strict=True)],
        "mb_per_s_warm": [max(side) for side in zip(*warm, strict=True)],
        "mb_per_s_cold": [max(side) for side in zip(*cold, strict=True)],
        "tokens": tokens,
    }
    rest = {"at_least": True, "details": details}
    return [
        Bar(*TRAINING, median_ratio(training), note=note, details=details),
        Bar(*WARM, median_ratio(warm), note=f"{note}, encode, caches full", **rest),
        Bar(*COLD, median_ratio(cold), note=f"{note}, encode, both caches empty", **rest),
    ]


def _measured(documents: list[str]) -> tuple:
    """Return rounds of training, warm and cold encoding, and how many tokens each side makes."""
    from tokenizers import Tokenizer

    training = interleave(
        lambda: _seconds(lambda: BPETokenizer.train(documents, VOCABULARY)),
        lambda: _seconds(lambda: _theirs(documents)),
        ROUNDS,
    )
    ours, theirs = BPETokenizer.train(documents, VOCABULARY), _theirs(documents)
    warm = interleave(_rate(lambda: ours, documents), _rate(lambda: theirs, documents), ROUNDS)
    saved, merges = theirs.to_str(), ours.merges
    cold = interleave(
        _rate(lambda: BPETokenizer(merges), documents),
        _rate(lambda: Tokenizer.from_str(saved), documents),
        ROUNDS,
    )
    tokens = [
        sum(len(ours.encode(one)) for one in documents),
        sum(len(theirs.encode(one).ids) for one in documents),
    ]
    return training, warm, cold, tokens


def _text() -> str:
    """Return the first megabyte of the lessons and then the code of this repository."""
    paths = sorted((ROOT / "assignments").rglob("*.md"))
    for part in ("tinytorch", "assignments", "milestones", "autograder"):
        paths += sorted((ROOT / part).rglob("*.py"))
    text = "".join(path.read_text(encoding="utf-8") for path in paths)
    return text.encode()[:SIZE].decode("utf-8", "ignore")


def _theirs(documents: list[str]):
    """Return theirs, trained: byte level, no prefix, the same number of tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, min_frequency=2, show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def _seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of the whole process: theirs may well start a thread."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _rate(make: Callable, documents: list[str]) -> Callable[[], float]:
    """Return a measure of MB/s over all documents with the tokenizer that `make` returns."""
    megabytes = sum(len(one.encode()) for one in documents) / 1e6

    def once() -> float:
        encode = make().encode
        return megabytes / _seconds(lambda: [encode(one) for one in documents])

    once()  # warm: code, memory, and the cache of a tokenizer that is not made anew
    return once
