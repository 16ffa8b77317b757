"""2017: a transformer reverses sequences, then writes like the lessons of this course.

Ashish Vaswani and others, "Attention is all you need" (2017): every place of a sequence looks at
every other, and learns where. To reverse a sequence it must look at its mirror image, which the
picture shows; to write, at whatever tells what comes next.
"""

import numpy as np

import tinytorch as tt
from milestones import datasets, stage
from milestones.problem import Gate, Milestone

REVERSAL, WRITING, SHAKESPEARE = "reversal", "lessons", "Tiny Shakespeare"
BIGRAM = "of a bigram's loss"


def draw(rng):
    """Draw sequences to reverse, and of the lessons' characters some that are held back."""
    text = datasets.lessons()
    return {REVERSAL: datasets.reversal(rng), WRITING: datasets.writing(text, rng)}


def download(folder):
    """Read Tiny Shakespeare from a folder; what is held back is the same each time."""
    text = datasets.tiny_shakespeare(folder)
    task = datasets.writing(text, np.random.default_rng(0), steps=3000)
    return {SHAKESPEARE: task}, (
        Gate(SHAKESPEARE, at_most=1.85, measure="loss"),
        Gate(SHAKESPEARE, at_most=0.75, measure=BIGRAM),
    )


def reverse(inputs, labels, tests, seed, watch):
    """Train a GPT to go on after a sequence and a bar with the sequence backwards.

    Return what it writes after each test, losses, weights, and where each head looks, (heads,
    places, places).
    """
    tt.manual_seed(seed)
    length, bar, epochs = inputs.shape[1], int(inputs.max()) + 1, 3  # the bar is a token of its own

    def begun(sequences):
        return np.concatenate([sequences, np.full((len(sequences), 1), bar)], axis=1)

    ids = np.concatenate([begun(inputs), labels[:, :-1]], axis=1)
    targets = np.full(ids.shape, -100)  # of what stands before the bar, nothing is asked
    targets[:, length:] = labels
    examples = tt.TensorDataset(tt.from_numpy(ids), tt.from_numpy(targets))
    loader = tt.DataLoader(examples, batch_size=64, shuffle=True)
    model = tt.GPT(tt.GPTConfig(bar + 1, 2 * length, n_layer=1, n_head=2, n_embd=32))
    optimizer = tt.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)
    steps = epochs * len(loader)
    warm, fall = tt.LinearLR(optimizer, 0.1, total_iters=30), tt.CosineAnnealingLR(optimizer, steps)
    rate = tt.SequentialLR(optimizer, [warm, fall], milestones=[30])
    losses = []
    for epoch in range(epochs):
        for ids, targets in loader:
            loss = model.loss(ids, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
            losses.append(loss.item())
        if watch:
            watch((epoch + 1) / epochs, f"loss {losses[-1]:.4f}")
    written = model.generate(tt.from_numpy(begun(tests)), length, temperature=0)
    with tt.no_grad():
        x = model.position_embedding(model.token_embedding(written[:, :-1]))
        block = model.blocks[0]
        _, seen = block.attention(block.norm1(x), is_causal=True, need_weights=True)
    predicted = written.numpy()[:, length + 1 :].copy()
    heads = seen.numpy().mean(axis=0)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return {"predicted": predicted, "losses": np.array(losses), "weights": weights, "maps": heads}


def write(inputs, labels, tests, seed, watch, alphabet, steps):
    """Train a GPT on the characters of a text; return a score for each, after each test."""
    tt.manual_seed(seed)
    order, length = np.random.default_rng(seed), tests.shape[1]
    tokenizer = tt.CharTokenizer(alphabet)

    def encoded(places):
        return np.array(tokenizer.encode("".join(alphabet[place] for place in places)))

    ids = encoded(inputs.tolist())
    model = tt.GPT(tt.GPTConfig(tokenizer.vocab_size, length, n_layer=2, n_head=4, n_embd=64))
    optimizer = tt.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
    warm, fall = tt.LinearLR(optimizer, 0.1, total_iters=50), tt.CosineAnnealingLR(optimizer, steps)
    rate, losses = tt.SequentialLR(optimizer, [warm, fall], milestones=[50]), []
    for step in range(1, steps + 1):
        starts = order.integers(0, len(ids) - length, 24)
        windows = ids[starts[:, None] + np.arange(length + 1)]
        loss = model.loss(tt.from_numpy(windows[:, :-1]), tt.from_numpy(windows[:, 1:]))
        optimizer.zero_grad()
        loss.backward()
        tt.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        losses.append(loss.item())
        if watch:
            said = ""
            if step % (steps // 4) == 0:
                sample = model.generate(tt.from_numpy(ids[None, :1]), 120, 0.8, seed=seed)
                said = f"after {step} steps: {tokenizer.decode(sample.numpy()[0])!r}"
            watch(step / steps, f"loss {losses[-1]:.4f}", said)
    model.eval()
    asked = np.stack([encoded(row) for row in tests.tolist()])
    with tt.no_grad():
        parts = [model(tt.from_numpy(part))[:, -1].numpy() for part in np.array_split(asked, 10)]
    columns = [tokenizer.encode(letter)[0] for letter in alphabet]
    predicted = np.concatenate(parts)[:, columns].copy()
    return {"predicted": predicted, "losses": np.array(losses)}


def picture(figure, tasks, results):
    """Draw how the losses fell, and where the reverser looks while it writes."""
    left, right = figure.subfigures(1, 2)
    for axes, (name, task) in zip(
        np.atleast_1d(left.subplots(len(tasks), 1)), tasks.items(), strict=True
    ):
        axes.plot(results[name]["losses"], lw=1)
        axes.set(xlabel="step", ylabel="loss of a batch", title=name)
        if name != REVERSAL:
            axes.axhline(task.bigram_loss(), color=stage.WRONG, ls="--", label="bigram model")
            axes.legend()
    if REVERSAL in results:
        _map(right, results[REVERSAL]["maps"])


def _map(figure, heads):
    """Draw for each head how much each place, down, looks at each other one, across."""
    length = (heads.shape[-1] + 1) // 2
    grid = figure.subplots(len(heads), 1)
    for number, (axes, weights) in enumerate(zip(grid, heads, strict=True), start=1):
        axes.imshow(weights[length:, :], cmap="Blues", vmin=0, vmax=1)
        axes.axvline(length - 0.5, color=stage.WRONG)
        axes.set(xlabel="place looked at", ylabel="place written", title=f"head {number}")
        axes.set(xticks=range(0, 2 * length, 2), yticks=range(0, length, 2))


MILESTONE = Milestone(
    year=2017,
    name="transformer",
    title="A transformer reverses sequences and writes",
    draw=draw,
    train=reverse,
    trainings={WRITING: write, SHAKESPEARE: write},
    gates=(
        Gate(REVERSAL, at_least=0.99),
        Gate(WRITING, at_most=2.5, measure="loss"),
        Gate(WRITING, at_most=0.89, measure=BIGRAM),
    ),
    picture=picture,
    download=download,
)

if __name__ == "__main__":
    stage.main(MILESTONE)
