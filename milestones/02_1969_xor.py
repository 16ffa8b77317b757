"""1969: without a hidden layer, XOR stays three quarters right; with one it is solved.

Marvin Minsky and Seymour Papert, "Perceptrons" (1969), proved what one layer cannot do. A line
through the square leaves at least one of four corners on its wrong side, however it is trained.
"""

import numpy as np

import tinytorch as tt
from milestones import datasets, stage
from milestones.problem import Gate, Milestone, Task

WITHOUT, WITH = "no hidden layer", "one hidden layer"


def draw(rng):
    """Draw points around the corners of a square to learn from, and others to answer."""
    examples, tests = datasets.xor(rng), datasets.xor(rng)
    return {
        WITHOUT: Task(*examples, *tests, options={"hidden": 0}),
        WITH: Task(*examples, *tests, options={"hidden": 8}),
    }


def train(inputs, labels, tests, seed, watch, hidden):
    """Train a network with `hidden` units; keep the best that was met on the way.

    Return its answers, the score at each point of a grid, and the best accuracy up to each epoch.
    """
    tt.manual_seed(seed)
    order = np.random.default_rng(seed)
    layers = (
        [tt.Linear(2, hidden), tt.Tanh(), tt.Linear(hidden, 1)] if hidden else [tt.Linear(2, 1)]
    )
    model, criterion = tt.Sequential(*layers), tt.BCEWithLogitsLoss()
    optimizer = tt.Adam(model.parameters(), lr=0.1)

    def answer(points):
        return tt.where(model(tt.Tensor(points))[:, 0] > 0, 1, 0).numpy()

    best, curve, epochs = -1.0, [], 80
    for epoch in range(epochs):
        for batch in order.permutation(len(inputs)).reshape(-1, 10):
            optimizer.zero_grad()
            target = tt.Tensor(labels[batch, None].astype(np.float32))
            criterion(model(tt.Tensor(inputs[batch])), target).backward()
            optimizer.step()
            right = np.mean(answer(inputs) == labels)
            if right >= best:
                best = right
                kept = {name: value.numpy().copy() for name, value in model.state_dict().items()}
        curve.append(best)
        if watch:
            watch((epoch + 1) / epochs, f"{best:.1%} of its own examples")
    model.load_state_dict(kept)
    ticks = np.linspace(-0.5, 1.5, 81, dtype=np.float32)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return {
        "predicted": answer(tests),
        "surface": model(tt.Tensor(grid)).detach().numpy().reshape(81, 81),
        "curve": np.array(curve),
    }


def picture(figure, tasks, results):
    """Draw what each network answers anywhere in the square; below, its best accuracy so far."""
    grid = figure.subplots(2, 2, height_ratios=[3, 1])
    for column, (name, task) in zip(grid.T, tasks.items(), strict=True):
        result = results[name]
        stage.regions(column[0], result["surface"], (-0.5, 1.5))
        stage.points(column[0], task.tests, task.answers, ["0", "1"])
        column[0].set_title(f"{name}: {task.accuracy(result['predicted']):.1%}")
        column[0].set(aspect="equal", xlabel="a", ylabel="b")
        column[0].legend(title="a XOR b", loc="center", fontsize=8)
        column[1].plot(np.arange(1, len(result["curve"]) + 1), result["curve"])
        column[1].set(xlabel="epoch", ylabel="accuracy", ylim=(0.4, 1.05))


MILESTONE = Milestone(
    year=1969,
    name="xor",
    title="XOR needs a hidden layer",
    draw=draw,
    train=train,
    gates=(Gate(WITHOUT, at_least=0.6, at_most=0.75), Gate(WITH, at_least=1.0)),
    picture=picture,
)

if __name__ == "__main__":
    stage.main(MILESTONE)
