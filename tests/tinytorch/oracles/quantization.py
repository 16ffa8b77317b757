"""What PyTorch makes of ranges, of fake quantization and its gradient, and of int8 products."""

import numpy as np

RANGES = [(-1.0, 3.0), (0.0, 5.0), (-4.0, 0.0), (-0.013, 0.7), (-300.0, 2.0)]


def numbers():
    """Return x (5, 6), a gradient, scales and zero points per row, none near a rounding tie."""
    rng = np.random.default_rng(3)
    whole = rng.integers(-150, 150, (5, 6)) + rng.uniform(-0.4, 0.4, (5, 6))
    scale, zero_point = rng.uniform(0.01, 0.1, 5), rng.integers(-20, 20, 5)
    return whole * scale[:, None], rng.normal(0, 1, (5, 6)), scale, zero_point


def batches():
    """Return what the observers are shown."""
    return np.random.default_rng(5).normal(0.5, 1, (6, 7)).astype(np.float32)


def arrays():
    """`scale`, `zero_point` of RANGES; `tensor.*` and `channel.*` of `numbers`; `product`."""
    import warnings

    import torch
    from torch.ao.quantization import MinMaxObserver, MovingAverageMinMaxObserver

    warnings.simplefilter("ignore")
    settings = {"dtype": torch.qint8, "quant_min": -128, "quant_max": 127}
    frozen = {"scale": [], "zero_point": []}
    for ends in RANGES:
        observer = MinMaxObserver(**settings)
        observer(torch.tensor(ends))
        scale, zero_point = observer.calculate_qparams()
        frozen["scale"].append(scale.item())
        frozen["zero_point"].append(zero_point.item())
    kinds = {"minmax": MinMaxObserver(**settings)}
    kinds["average"] = MovingAverageMinMaxObserver(averaging_constant=0.1, **settings)
    for name, observer in kinds.items():
        for batch in batches():
            observer(torch.from_numpy(batch))
        frozen[name] = [observer.min_val.item(), observer.max_val.item()]
    x, g, scale, zero_point = (torch.from_numpy(array) for array in numbers())
    for name, make in {
        "tensor": lambda x: torch.fake_quantize_per_tensor_affine(x, 0.05, 7, -128, 127),
        "channel": lambda x: torch.fake_quantize_per_channel_affine(
            x, scale.float(), zero_point.int(), 0, -128, 127
        ),
        "bits": lambda x: torch.fake_quantize_per_tensor_affine(x, 0.5, -2, -8, 7),
    }.items():
        leaf = x.float().requires_grad_()
        y = make(leaf)
        y.backward(g.float())
        frozen[f"{name}.y"], frozen[f"{name}.g"] = y.detach().numpy(), leaf.grad.numpy()
    rng = np.random.default_rng(9)
    a, b = rng.integers(-128, 128, (32, 1200)), rng.integers(-128, 128, (1200, 16))
    a, b = torch.from_numpy(a.astype(np.int8)), torch.from_numpy(b.astype(np.int8))
    frozen["product"] = torch._int_mm(a, b).numpy()
    return {name: np.asarray(value) for name, value in frozen.items()}
