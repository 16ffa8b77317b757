"""2018: MLPerf. The network of 1998 and the transformer of 2017, smaller and faster, measured.

Peter Mattson and others, "MLPerf training benchmark" (2020), and Vijay Janapa Reddi and others,
"MLPerf inference benchmark" (2020), on what began in 2018: a claim about speed counts if others
measure it, on the same task, at a quality that is fixed beforehand. Here both models lose a point
at most, and take a quarter of the bytes and half of the time. int8 is for the bytes: NumPy has no
fast product of integers, so numbers are floats again before they answer. Time is saved by having
less to compute, and by not computing it twice.
"""

import importlib

import numpy as np

import tinytorch as tt
from milestones import datasets, stage
from milestones.deployment import Deployment
from milestones.problem import Gate, Images, Milestone, Sequences

CNN, GPT = "CNN of 1998", "GPT of 2017"
READ = importlib.import_module("milestones.04_1998_cnn").train
REVERSE = importlib.import_module("milestones.05_2017_transformer").reverse


def draw(rng):
    """Hold back a fifth of the digits, and draw sequences to reverse.

    Each digit is asked in nine places, three times in each, with noise of its own. What a model is
    to look like before its training, one that saw very little tells.
    """
    rows, labels = datasets.digits()
    digits = datasets.split(rows.reshape(-1, 1, 8, 8), labels, 0.2, rng, kind=Images)
    one_of_each = np.unique(digits.labels, return_index=True)[1]
    little = digits.inputs[one_of_each], digits.labels[one_of_each], digits.tests[:1]
    read = READ(*little, seed=0, watch=None)["weights"]
    framed = np.pad(digits.tests, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = [framed[:, :, y : y + 8, x : x + 8] for y, x in np.ndindex(3, 3)]
    asked = np.concatenate(3 * moved)
    asked += rng.normal(0, 0.02, asked.shape).astype(np.float32)
    digits = Images(digits.inputs, digits.labels, asked, np.tile(digits.answers, 27))
    known = datasets.reversal(rng)
    tests = rng.integers(0, 10, (1000, known.tests.shape[1]))
    turned = Sequences(known.inputs, known.labels, tests, tests[:, ::-1].copy())
    little = known.inputs[:64], known.labels[:64], known.tests[:1]
    reverse = REVERSE(*little, seed=0, watch=None)["weights"]
    return {
        CNN: Deployment(digits, read, 3 * len(framed), compress_digits, serve_digits, "fused"),
        GPT: Deployment(turned, reverse, 50, compress_reversal, serve_reversal, "cached"),
    }


def compress_digits(weights, inputs, labels, seed, watch):
    """Keep the strongest channels, let the whole network teach them, and store them in int8."""
    tt.manual_seed(seed)
    keep, epochs = (14, 32, 64), 28

    def built():
        layers = []
        for at in (0, 4):
            width, channels = weights[f"{at}.weight"].shape[:2]
            layers += [tt.Conv2d(channels, width, 3, padding=1), tt.BatchNorm2d(width)]
            layers += [tt.ReLU(), tt.MaxPool2d(2)]
        layers += [tt.Flatten(), tt.Linear(*weights["9.weight"].shape[::-1]), tt.ReLU()]
        layers += [tt.Dropout(0), tt.Linear(*weights["12.weight"].shape[::-1])]
        model = tt.Sequential(*layers)
        model.load_state_dict(weights)
        return model

    teacher, layers = built(), list(built())
    for at, after, number in zip((0, 4, 9), (4, 9, 12), keep, strict=True):
        norm = () if at == 9 else (layers[at + 1],)
        *first, layers[after] = tt.shrink(layers[at], layers[after], number, *norm)
        layers[at : at + len(first)] = first
    model = tt.Sequential(*layers).train()
    moves = tt.Compose([tt.RandomCrop(inputs.shape[2], padding=1, layout="NCHW")])
    examples = tt.TensorDataset(tt.from_numpy(inputs), tt.Tensor(labels), transform=moves)
    loader = tt.DataLoader(examples, batch_size=64, shuffle=True)
    optimizer = tt.AdamW(model.parameters(), lr=8e-3, weight_decay=0.01)
    rate = tt.CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        (loss,) = tt.distil(model, teacher, loader, optimizer)
        rate.step()
        if watch:
            watch((epoch + 1) / epochs, f"distilled, loss {loss:.4f}")
    pruned = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    stored = dict(pruned)
    for name in [name for name, array in pruned.items() if array.ndim > 1]:
        whole = tt.quantize_array(pruned[name], axis=0, symmetric=True)
        stored |= {name: whole.values, f"{name} scale": whole.scale}
    return {"pruned, distilled": pruned, "int8": stored}


def serve_digits(weights, plain):
    """Return the function from images to digits; unless plain, norms are in the convolutions."""
    scales = {name: array for name, array in weights.items() if name.endswith(" scale")}
    arrays = {name: array for name, array in weights.items() if name not in scales}
    for name, scale in scales.items():
        name = name.removesuffix(" scale")
        arrays[name] = tt.dequantize(arrays[name], scale, 0, axis=0)
    layers = []
    for at in (0, 4):
        width, channels = arrays[f"{at}.weight"].shape[:2]
        layers += [tt.Conv2d(channels, width, 3, padding=1), tt.BatchNorm2d(width)]
        layers += [tt.ReLU(), tt.MaxPool2d(2)]
    layers += [tt.Flatten(), tt.Linear(*arrays["9.weight"].shape[::-1]), tt.ReLU()]
    layers += [tt.Dropout(0), tt.Linear(*arrays["12.weight"].shape[::-1])]
    model = tt.Sequential(*layers).eval()
    model.load_state_dict(arrays)

    def answer(images):
        with tt.no_grad():
            return model(tt.from_numpy(images)).argmax(axis=1).numpy()

    if plain:
        return answer
    for at in (4, 0):
        conv, norm = layers[at], layers.pop(at + 1)
        scale = norm.weight.data / np.sqrt(norm.running_var.data + norm.eps)
        conv.weight.data[...] *= scale[:, None, None, None]
        conv.bias.data[...] = (conv.bias.data - norm.running_mean.data) * scale + norm.bias.data
    model = tt.Sequential(*layers).eval()

    def sooner(images):
        with tt.accelerate():
            return answer(images)

    return sooner


def compress_reversal(weights, inputs, labels, seed, watch):
    """Profile what each width of the feed-forward costs, keep the best, and store it in int8."""
    length, bar = inputs.shape[1], int(inputs.max()) + 1
    ids = np.concatenate([inputs, np.full((len(inputs), 1), bar), labels[:, :-1]], axis=1)[:400]
    (tokens, width), places = weights["token_embedding.weight"].shape, 2 * length
    found, points = [], []
    for keep in (128, 64, 32, 16, 8):
        model = tt.GPT(tt.GPTConfig(tokens, places, n_layer=1, n_head=2, n_embd=width))
        model.load_state_dict(weights)
        network = model.blocks[0].feed_forward
        network.up, network.down = tt.shrink(network.up, network.down, keep)
        with tt.no_grad(), tt.Profiler() as profile:
            said = model(tt.from_numpy(ids)).argmax(axis=2).numpy()[:, length:]
        wrong = 1 - np.mean(np.all(said == labels[:400], axis=1))
        found.append({name: tensor.numpy() for name, tensor in model.state_dict().items()})
        points.append((profile.flops, wrong))
        if watch:
            kilo = profile.flops / len(ids) / 1000
            watch(len(points) / 5, "", f"{keep:4} hidden: {kilo:.0f} kFLOP, {wrong:.1%} wrong")
    front = tt.pareto_front(points)  # what no other width beats in both
    pruned = found[min(front, key=lambda one: points[one][1])]
    stored = dict(pruned)
    for name in [name for name, array in pruned.items() if array.ndim > 1]:
        whole = tt.quantize_array(pruned[name], axis=0, symmetric=True)
        stored |= {name: whole.values, f"{name} scale": whole.scale}
    return {"pruned": pruned, "int8": stored}


def serve_reversal(weights, plain):
    """Return the function from sequences to what is written after them; unless plain, cached."""
    scales = {name: array for name, array in weights.items() if name.endswith(" scale")}
    arrays = {name: array for name, array in weights.items() if name not in scales}
    for name, scale in scales.items():
        name = name.removesuffix(" scale")
        arrays[name] = tt.dequantize(arrays[name], scale, 0, axis=0)
    (tokens, width), places = (
        arrays[f"{kind}_embedding.weight"].shape for kind in ("token", "position")
    )
    model = tt.GPT(tt.GPTConfig(tokens, places[0], n_layer=1, n_head=2, n_embd=width))
    network, hidden = model.blocks[0].feed_forward, len(arrays["blocks.0.feed_forward.up.weight"])
    network.up, network.down = tt.Linear(width, hidden), tt.Linear(hidden, width)
    model.load_state_dict(arrays)
    model.eval()
    folded = None if plain else tt.Folded(model)

    def answer(sequences):
        length, bar = sequences.shape[1], np.full((len(sequences), 1), tokens - 1)
        begun = tt.from_numpy(np.concatenate([sequences, bar], axis=1))
        if plain:
            written = model.generate(begun, length, temperature=0)
        else:
            written = tt.generate_cached(model, begun, length, temperature=0, folded=folded)
        return written.numpy()[:, length + 1 :]

    return answer


def picture(figure, tasks, results):
    """Draw how much smaller and faster each step made each model; both gates hold in the green."""
    panels = np.atleast_1d(figure.subplots(1, len(results), sharex=True, sharey=True))
    for axes, color, (name, result) in zip(panels, stage.COLORS, results.items(), strict=False):
        steps, told = result["steps"], [f"{name}, {tasks[name].batch} answers at once"]
        faster = [steps[0].seconds / step.seconds for step in steps]
        smaller = [steps[0].nbytes / step.nbytes for step in steps]
        axes.fill_between((2, 100), 4, 100, color=stage.COLORS[2], alpha=0.15)
        axes.plot(faster, smaller, "o-", color=color, ms=14)
        for number, step in enumerate(steps, start=1):
            place = faster[number - 1], smaller[number - 1]
            axes.annotate(str(number), place, ha="center", va="center", color="white", fontsize=9)
            size, took = f"{step.nbytes / 1000:.1f} kB", f"{1000 * step.seconds:.2f} ms"
            told.append(f"{number} {step.name}: {step.accuracy:.2%}, {size}, {took}")
        axes.set_title("\n".join(told), loc="left", fontsize=10)
        axes.set(xscale="log", yscale="log", xlim=(0.7, 16), ylim=(0.7, 32))
        axes.set(xlabel="times faster", ylabel="times smaller")
        axes.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        axes.set_yticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
        axes.minorticks_off()


MILESTONE = Milestone(
    year=2018,
    name="mlperf",
    title="MLPerf: smaller and faster, measured",
    draw=draw,
    train=READ,
    trainings={GPT: REVERSE},
    gates=tuple(
        Gate(name, at_least, at_most, measure)
        for name, least in ((CNN, 0.95), (GPT, 0.99))
        for at_least, at_most, measure in (
            (least, 1.0, "accuracy"),
            (0.0, 0.01, "accuracy lost"),
            (0.0, 0.25, "of the bytes"),
            (0.0, 0.5, "of the time"),
        )
    ),
    picture=picture,
)

if __name__ == "__main__":
    stage.main(MILESTONE)
