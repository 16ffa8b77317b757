"""1958: a perceptron learns to tell two irises apart, and cannot learn to tell two others.

Frank Rosenblatt, "The perceptron", Psychological Review 65 (1958). One layer, and a rule that
changes its weights after each mistake: no gradient, no loss. It ends where a straight line can
separate the classes, and never ends where none can.
"""

import numpy as np

import tinytorch as tt
from milestones import datasets, stage
from milestones.problem import Gate, Milestone, Task

EASY, HARD = "setosa or versicolor", "versicolor or virginica"


def draw(rng):
    """Hold back 30 flowers of two species; where it must fail, let it see all that it is asked."""
    flowers, species = datasets.iris(1, 2)
    order = rng.permutation(len(flowers))
    flowers, species = flowers[order], species[order]
    return {
        EASY: datasets.split(*datasets.iris(0, 1), held_back=0.3, rng=rng),
        HARD: Task(flowers, species, flowers, species),
    }


def train(inputs, labels, tests, seed, watch):
    """Train one neuron by Rosenblatt's rule; return its answers, its line, mistakes per epoch."""
    tt.manual_seed(seed)
    neuron = tt.Linear(inputs.shape[1], 1)
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0)

    def fires(flowers):
        return tt.sigmoid(neuron(tt.Tensor((flowers - middle) / spread)))[:, 0].detach()

    def answer(flowers):
        return tt.where(fires(flowers) > 0.5, 1, 0).numpy()

    mistakes, unsure, epochs = [], True, 60
    while unsure and len(mistakes) < epochs:
        mistakes.append(int(np.sum(answer(inputs) != labels)))
        unsure = 0
        for flower, label in zip(inputs, labels, strict=True):
            # It must be sure, not only right, or the line ends close beside the last mistake.
            if abs(label - fires(flower[None]).item()) > 0.25:
                sign = 2 * int(label) - 1
                neuron.weight.data += sign * (flower - middle) / spread
                neuron.bias.data += sign
                unsure += 1
        if watch:
            watch(len(mistakes) / epochs, f"{mistakes[-1]} mistakes")
    weight = neuron.weight.detach().numpy()[0] / spread  # in centimetres again
    return {
        "predicted": answer(tests),
        "mistakes": np.array(mistakes),
        "line": np.array([*weight, neuron.bias.detach().numpy()[0] - weight @ middle]),
    }


def picture(figure, tasks, results):
    """Draw the flowers, the line and what lies on its wrong side; below, mistakes per epoch."""
    grid = figure.subplots(2, 2, height_ratios=[3, 1])
    for column, (name, task) in zip(grid.T, tasks.items(), strict=True):
        result = results[name]
        stage.points(column[0], task.tests, task.answers, name.split(" or "))
        wrong = task.tests[result["predicted"] != task.answers]
        column[0].plot(*wrong.T, "o", ms=12, mfc="none", mec="black", label="on the wrong side")
        stage.line(column[0], result["line"])
        column[0].set(xlabel="petal length (cm)", ylabel="petal width (cm)")
        column[0].set_title(f"{name}: {task.accuracy(result['predicted']):.1%}")
        column[0].legend(fontsize=8)
        column[1].bar(np.arange(1, len(result["mistakes"]) + 1), result["mistakes"])
        column[1].set(xlabel="epoch", ylabel="mistakes", xlim=(0, 61))


MILESTONE = Milestone(
    year=1958,
    name="perceptron",
    title="The perceptron, and where it fails",
    draw=draw,
    train=train,
    gates=(Gate(EASY, at_least=0.99), Gate(HARD, at_least=0.6, at_most=0.99)),
    picture=picture,
)

if __name__ == "__main__":
    stage.main(MILESTONE)
