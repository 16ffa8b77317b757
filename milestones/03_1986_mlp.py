"""1986: a network with a hidden layer learns to read digits by backpropagation.

David Rumelhart, Geoffrey Hinton and Ronald Williams, "Learning representations by back-propagating
errors", Nature 323 (1986): the gradient reaches the weights of the hidden layer, so it learns what
to look for. Their way down was gradient descent with momentum, and so it is here.
"""

import numpy as np

import tinytorch as tt
from milestones import datasets, stage
from milestones.problem import Gate, Milestone

DIGITS, MNIST = "8×8 digits", "MNIST"


def draw(rng):
    """Hold back a fifth of the digits."""
    return {DIGITS: datasets.split(*datasets.digits(), held_back=0.2, rng=rng)}


def download(folder):
    """Read MNIST from a folder: 60,000 digits to learn from, 10,000 to answer."""
    return {MNIST: datasets.mnist(folder)}, (Gate(MNIST, at_least=0.975),)


def train(inputs, labels, tests, seed, watch):
    """Train a multi-layer perceptron; return its answers, also after each epoch, and its losses."""
    tt.manual_seed(seed)
    hidden = 128
    epochs, batch_size = (30, 32) if len(inputs) < 10_000 else (6, 64)
    model = tt.Sequential(
        tt.Linear(inputs.shape[1], hidden),
        tt.ReLU(),
        tt.Linear(hidden, int(labels.max()) + 1),
    )

    def noisy(images):  # never the same image twice, so that none is learned by heart
        return images + 0.2 * tt.randn(*images.shape)

    examples = tt.TensorDataset(tt.Tensor(inputs), tt.Tensor(labels), transform=noisy)
    loader = tt.DataLoader(examples, batch_size=batch_size, shuffle=True)
    optimizer = tt.SGD(model.parameters(), lr=0.1, momentum=0.9)
    answers = []

    class AfterEachEpoch:
        def on_epoch_end(self, trainer):
            with tt.no_grad():
                answers.append(model(tt.Tensor(tests)).argmax(axis=1).numpy())
            if watch:
                watch(trainer.epoch / epochs, f"loss {trainer.history['loss'][-1]:.4f}")

    trainer = tt.Trainer(
        model,
        optimizer,
        tt.CrossEntropyLoss(),
        scheduler=tt.CosineAnnealingLR(optimizer, T_max=epochs),
        callbacks=[AfterEachEpoch()],
        progress=False,
    )
    losses = trainer.fit(loader, epochs)["loss"]
    return {"predicted": answers[-1], "answers": np.array(answers), "losses": np.array(losses)}


def picture(figure, tasks, results):
    """Draw the learning curve, some digits it read right, and as many that it did not."""
    ((name, task),) = tasks.items()
    result = results[name]
    left, right = figure.subfigures(1, 2)
    loss, accuracy = left.subplots(2, 1, sharex=True)
    epochs = np.arange(1, len(result["losses"]) + 1)
    loss.plot(epochs, result["losses"], ".-")
    loss.set(ylabel="training loss", yscale="log")
    accuracy.plot(epochs, [task.accuracy(answers) for answers in result["answers"]], ".-")
    accuracy.set(xlabel="epoch", ylabel="test accuracy")
    loss.set_title(f"{name}: {task.accuracy(result['predicted']):.1%} of {len(task.tests)} right")
    is_right = result["predicted"] == task.answers
    shown = [*np.flatnonzero(is_right)[:8], *np.flatnonzero(~is_right)[:8]]
    side = round(task.tests.shape[1] ** 0.5)
    for axes, one in zip(right.subplots(4, 4).flat, shown, strict=False):
        axes.imshow(task.tests[one].reshape(side, side), cmap="gray_r")
        text, color = str(result["predicted"][one]), "black"
        if not is_right[one]:
            text, color = f"{text}, is {task.answers[one]}", stage.WRONG
        axes.set_title(text, fontsize=10, color=color)
    for axes in right.axes:
        axes.axis("off")


MILESTONE = Milestone(
    year=1986,
    name="mlp",
    title="A multi-layer perceptron by backpropagation",
    draw=draw,
    train=train,
    gates=(Gate(DIGITS, at_least=0.95),),
    picture=picture,
    download=download,
)

if __name__ == "__main__":
    stage.main(MILESTONE)
