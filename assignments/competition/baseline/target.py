"""Time to target: train the given architecture until it reads signs that you never see.

`train(images, labels, seed)` yields weights whenever they shall be judged, and the clock stands
still meanwhile: a dict of float32 arrays as in a state dict, "0.weight" (128, 64), "0.bias" (128,),
"2.weight" (64, 128), "2.bias" (64,), "4.weight" (10, 64), "4.bias" (10,). The time is that until
96 % of the grader's images are read. images (N, 64) float32 from 0 to 1, labels (N,) int64, of ten
signs that are made up anew each time, their pixels in an order of its own.
"""

import numpy as np

import tinytorch as tt

BATCH = 32


def train(images, labels, seed):
    """Yield the weights after each epoch of plain gradient descent on shifting noise."""
    tt.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = tt.Sequential(
        tt.Linear(64, 128), tt.ReLU(), tt.Linear(128, 64), tt.ReLU(), tt.Linear(64, 10)
    )
    optimizer = tt.SGD(model.parameters(), lr=0.1, momentum=0.9)
    while True:
        noisy = images + rng.normal(0, 0.1, images.shape).astype(np.float32)
        for batch in np.array_split(rng.permutation(len(labels)), len(labels) // BATCH):
            optimizer.zero_grad()
            loss = tt.cross_entropy(model(tt.Tensor(noisy[batch])), tt.Tensor(labels[batch]))
            loss.backward()
            optimizer.step()
        yield {name: tensor.numpy() for name, tensor in model.state_dict().items()}
