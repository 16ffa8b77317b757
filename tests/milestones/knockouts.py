"""Each module that a milestone needs, broken in one way: the gate must notice.

`python -m tests.milestones.knockouts` measures the table of milestones/README.md.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from assignments.catalog import load_course
from autograder.intake import receive
from autograder.milestones import RUNS, MilestoneGrade, grade_milestone
from autograder.sandbox import Limits, Sandbox
from autograder.suite import reference_path
from tests.submissions import build

COURSE = load_course()
MILESTONES = [one for one in COURSE.milestones if one.script.is_file()]
README = Path(__file__).resolve().parents[2] / "milestones" / "README.md"


@dataclass(frozen=True)
class Knockout:
    """A module with one mistake, and the milestones that it must not pass."""

    module: str
    mistake: str
    milestones: tuple[int, ...]
    code: str  # stands at the end of the reference's file
    model: str = "GPT of 2017"  # that milestone 6 tries: the other takes four times as long


KNOCKOUTS = (
    Knockout(
        "tensor",
        "`where` and `argmax` choose the other, `cat` turns around",
        (1, 2, 3, 4, 5, 6),
        "right, straight = where, cat\n"
        "def where(condition, a, b):\n    return right(condition, b, a)\n"
        "def cat(tensors, dim=0):\n    return straight(tensors[::-1], dim)\n"
        "Tensor.argmax = lambda self, axis=None: apply(np.argmin, self, axis=axis)",
    ),
    Knockout(
        "activations",
        "`sigmoid` falls, `tanh` answers x, `relu` 0, `gelu` a million",
        (1, 2, 3, 4, 5, 6),
        "rising = sigmoid_array\n"
        "def sigmoid_array(x):\n    return rising(-x)\n"
        "def tanh(x):\n    return apply(np.positive, x)\n"
        "def relu_array(x):\n    return np.zeros_like(x)\n"
        "def gelu_array(x):\n    return np.full_like(x, 1e6)",
    ),
    Knockout(
        "layers",
        "`Linear` draws its weights at every call",
        (1, 2, 3, 4, 5, 6),
        "calm = Linear.forward\n"
        "Linear.forward = lambda self, x: self.reset_parameters() or calm(self, x)",
    ),
    Knockout(
        "losses",
        "a loss has the wrong sign",
        (2, 3, 4, 5, 6),
        "right, entropy = _Loss.__call__, cross_entropy\n"
        "_Loss.__call__ = lambda self, input, target: -right(self, input, target)\n"
        "def cross_entropy(*given, **settings):\n    return -entropy(*given, **settings)",
    ),
    Knockout(
        "dataloader",
        "a batch has the labels of other examples",
        (3, 4, 5, 6),
        "right = TensorDataset.__getitems__\n"
        "TensorDataset.__getitems__ = lambda self, indices: (\n"
        "    right(self, indices)[0], right(self, indices[::-1])[1])",
    ),
    Knockout(
        "autograd",
        "weights get no gradient, biases do",
        (2, 3, 4, 5, 6),
        "right = _deposit\n"
        "def _deposit(tensor, total, own):\n"
        "    return right(tensor, total * (tensor.ndim < 2), own)",
    ),
    Knockout(
        "optimizers",
        "`SGD` and `Adam` go uphill",
        (2, 3, 4, 5, 6),
        "down = SGD.update, Adam.update\n"
        "SGD.update = lambda self, p, g, *more: down[0](self, p, -g, *more)\n"
        "Adam.update = lambda self, p, g, *more: down[1](self, p, -g, *more)",
    ),
    Knockout(
        "training",
        "`train_step` and `clip_grad_norm_` clear the gradients",
        (3, 4, 5, 6),
        "right = Trainer.train_step\n"
        "def clip_grad_norm_(parameters, max_norm):\n"
        "    for parameter in parameters:\n        parameter.grad = None\n"
        "def train_step(self, batches):\n"
        "    step, clear = type(self.optimizer).step, self.optimizer.zero_grad\n"
        "    self.optimizer.step = lambda: clear() or step(self.optimizer)\n"
        "    return right(self, batches)\n"
        "Trainer.train_step = train_step",
        model="CNN of 1998",
    ),
    Knockout(
        "convolutions",
        "`Conv2d` draws its weights at every call",
        (4, 6),
        "calm = Conv2d.forward\n"
        "Conv2d.forward = lambda self, x: self.reset_parameters() or calm(self, x)",
        model="CNN of 1998",
    ),
    Knockout(
        "tokenization",
        "`encode` shuffles the characters",
        (5,),
        "right = CharTokenizer.encode\n"
        "CharTokenizer.encode = lambda self, text: right(self, ''.join(sorted(text)))",
    ),
    Knockout(
        "embeddings",
        "places are not told apart",
        (5, 6),
        "LearnedPositionalEmbedding.forward = lambda self, x: x",
    ),
    Knockout(
        "attention",
        "places are read backwards",
        (5, 6),
        "right = MultiHeadAttention.forward\n"
        "def forward(self, x, *given, **more):\n"
        "    return right(self, x[:, ::-1], *given, **more)\n"
        "MultiHeadAttention.forward = forward",
    ),
    Knockout(
        "transformers",
        "a block hands on what came, and adds nothing",
        (5, 6),
        "TransformerBlock.forward = lambda self, x, is_causal=True: x",
    ),
    Knockout(
        "profiling",
        "no operation costs a FLOP",
        (6,),
        "def count_flops(op, y, inputs, kwargs):\n    return 0",
    ),
    Knockout(
        "quantization",
        "`dequantize` leaves the scale out",
        (6,),
        "right = dequantize\n"
        "def dequantize(q, scale, zero_point, axis=None):\n"
        "    return right(q, np.ones_like(scale), zero_point, axis)",
    ),
    Knockout(
        "compression",
        "`shrink` takes nothing away",
        (6,),
        "def shrink(first, second, keep, norm=None):\n    return first, second",
    ),
    Knockout(
        "acceleration",
        "a window keeps its smallest number",
        (6,),
        "right = largest\n"
        "def largest(numbers, out):\n"
        "    right((-one for one in numbers), out)\n"
        "    np.negative(out, out=out)",
        model="CNN of 1998",
    ),
    Knockout(
        "memoization",
        "a cache forgets what was read",
        (6,),
        "right = Folded.scores\n"
        "def scores(self, ids, cache):\n"
        "    cache.both[...] = 0\n"
        "    return right(self, ids, cache)\n"
        "Folded.scores = scores",
    ),
    Knockout(
        "benchmarking",
        "`pareto_front` takes the worst for the best",
        (6,),
        "right = pareto_front\n"
        "def pareto_front(points, maximize=False):\n"
        "    return right(points, not maximize)",
    ),
)


def broken(
    knockout: Knockout, number: int, sandbox: Sandbox, folder: Path, runs: int = RUNS
) -> MilestoneGrade:
    """Grade a milestone of a submission that is the reference but for one mistake."""
    only = {knockout.model} if number == 6 else None
    files = {one.source: reference_path(one).read_bytes() for one in COURSE.assignments}
    files[f"tinytorch/{knockout.module}.py"] += f"\n\n{knockout.code}\n".encode()
    with receive(build.folder(folder / "submission", files)) as submission:
        return grade_milestone(
            submission, number, course=COURSE, seed=0, sandbox=sandbox, runs=runs, only=only
        )


def table(found: dict[tuple[str, int], str]) -> str:
    """Return the table as Markdown; `found` says what became of (module, milestone)."""
    years = [str(one.year) for one in MILESTONES]
    lines = [f"| module | broken so | {' | '.join(years)} |", "|---" * (2 + len(years)) + "|"]
    for one in KNOCKOUTS:
        cells = [found.get((one.module, m.number), "–") for m in MILESTONES]
        lines.append(f"| {one.module} | {one.mistake} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _worst(grade: MilestoneGrade) -> str:
    """Return what the first run that missed a gate reached there."""
    missed = next(answer for answer in grade.answers if not answer.passed)
    if missed.value is None:
        return "diverges"
    if missed.measure == "loss":
        return missed.shown
    what = "" if missed.measure == "accuracy" else f" {missed.measure.removeprefix('accuracy ')}"
    return f"{missed.value:.0%}{what}"


if __name__ == "__main__":
    measured = {}
    with Sandbox(Limits(wall_s=60, cpu_s=120)) as opened:
        for one in KNOCKOUTS:
            for number in one.milestones:
                with tempfile.TemporaryDirectory() as scratch:
                    grade = broken(one, number, opened, Path(scratch))
                measured[one.module, number] = _worst(grade)
    print(table(measured))
