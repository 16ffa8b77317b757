"""1998: a convolutional network reads digits, one small window at a time.

Yann LeCun, Léon Bottou, Yoshua Bengio and Patrick Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86 (1998): LeNet looks everywhere with the same few
filters, so it needs few weights, and a stroke may stand anywhere. Its plan, convolution and pooling
in turn, is kept here; ReLU and batch normalization came later and let it learn in seconds.
"""

import numpy as np

import tinytorch as tt
from milestones import datasets, stage
from milestones.problem import Gate, Images, Milestone

DIGITS, MNIST, CIFAR10 = "8×8 digits", "MNIST", "CIFAR-10"
GATES = {MNIST: Gate(MNIST, at_least=0.99), CIFAR10: Gate(CIFAR10, at_least=0.75)}


def draw(rng):
    """Hold back a fifth of the digits."""
    rows, labels = datasets.digits()
    return {DIGITS: datasets.split(rows.reshape(-1, 1, 8, 8), labels, 0.2, rng, kind=Images)}


def download(folder):
    """Read from a folder what is in it: MNIST, CIFAR-10, or both."""
    tasks = datasets.images(folder, {MNIST: tt.MNIST, CIFAR10: tt.CIFAR10})
    return tasks, tuple(GATES[name] for name in tasks)


def train(inputs, labels, tests, seed, watch):
    """Train a convolutional network; return answers, losses, weights, and what its filters see.

    Each image is moved by a pixel or so whenever it is shown, and a coloured one may be mirrored.
    """
    tt.manual_seed(seed)
    samples, width, side, _ = inputs.shape
    coloured = width == 3
    epochs, batch_size = (16, 128) if coloured else (20, 32) if samples < 5_000 else (5, 64)
    moves = [tt.RandomCrop(side, padding=side // 8, layout="NCHW")]
    moves += [tt.RandomHorizontalFlip(layout="NCHW")] if coloured else []
    layers = []
    for wider in (32, 64, 128) if coloured else (32, 64):
        layers += [tt.Conv2d(width, wider, 3, padding=1), tt.BatchNorm2d(wider), tt.ReLU()]
        layers.append(tt.MaxPool2d(2))
        width, side = wider, side // 2
    layers += [tt.Flatten(), tt.Linear(width * side * side, 128), tt.ReLU(), tt.Dropout(0.3)]
    model = tt.Sequential(*layers, tt.Linear(128, int(labels.max()) + 1))
    images, targets = tt.from_numpy(inputs), tt.Tensor(labels)
    examples = tt.TensorDataset(images, targets, transform=tt.Compose(moves))
    loader = tt.DataLoader(examples, batch_size=batch_size, shuffle=True)
    optimizer = tt.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    rate = tt.CosineAnnealingLR(optimizer, T_max=epochs * len(loader))

    class AfterEachEpoch:
        def on_epoch_end(self, trainer):
            if watch:
                watch(trainer.epoch / epochs, f"loss {trainer.history['loss'][-1]:.4f}")

    trainer = tt.Trainer(
        model,
        optimizer,
        tt.CrossEntropyLoss(),
        rate,
        schedule="step",
        callbacks=[AfterEachEpoch()],
        progress=False,
    )
    losses = trainer.fit(loader, epochs)["loss"]
    model.eval()
    with tt.no_grad():
        parts = [tests[start : start + 500] for start in range(0, len(tests), 500)]
        predicted = [model(tt.from_numpy(part)).argmax(axis=1).numpy() for part in parts]
        seen = model[:3](tt.from_numpy(tests[:1])).numpy()[0].copy()
    found = {"weights": {name: x.numpy() for name, x in model.state_dict().items()}, "seen": seen}
    return {"predicted": np.concatenate(predicted), "losses": np.array(losses), **found}


def picture(figure, tasks, results):
    """Draw the learning curve, the first filters, what they see in an image, and what was wrong."""
    rows = np.atleast_1d(figure.subfigures(len(tasks), 1))
    for row, (name, task) in zip(rows, tasks.items(), strict=True):
        result, (left, right) = results[name], row.subfigures(1, 2, width_ratios=[2, 3])
        curve = left.subplots()
        curve.plot(np.arange(1, len(result["losses"]) + 1), result["losses"], ".-")
        curve.set(xlabel="epoch", ylabel="training loss", yscale="log")
        share = task.accuracy(result["predicted"])
        curve.set_title(f"{name}: {share:.2%} of {len(task.tests)} right", fontsize=10)
        _images(right, task, result)


def _images(figure, task, result):
    """Draw eight filters, one image through each of them, and eight images that were misread."""
    grid = figure.subplots(3, 8)
    for axes, one in zip(grid[0], result["weights"]["0.weight"], strict=False):
        axes.imshow(one.mean(axis=0), cmap="RdBu", vmin=-0.6, vmax=0.6)
    for axes, one in zip(grid[1], result["seen"], strict=False):
        axes.imshow(one, cmap="gray_r")
    wrong = np.flatnonzero(result["predicted"] != task.answers)
    for axes, one in zip(grid[2], wrong, strict=False):
        image = np.moveaxis(task.tests[one], 0, -1)
        axes.imshow(image if image.shape[2] == 3 else image[..., 0], cmap="gray_r")
        text = f"{result['predicted'][one]}, is {task.answers[one]}"
        axes.set_title(text, fontsize=8, color=stage.WRONG)
    for axes in figure.axes:
        axes.axis("off")
    for axes, text in zip(grid[:, 0], ("filters", "what they see", "misread"), strict=True):
        axes.text(-0.2, 0.5, text, rotation=90, va="center", ha="right", transform=axes.transAxes)


MILESTONE = Milestone(
    year=1998,
    name="cnn",
    title="A convolutional network reads digits",
    draw=draw,
    train=train,
    gates=(Gate(DIGITS, at_least=0.975),),
    picture=picture,
    download=download,
)

if __name__ == "__main__":
    stage.main(MILESTONE)
