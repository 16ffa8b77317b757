"""FLOPs of products as PyTorch counts them: multiplications and additions, no bias, no softmax."""

import numpy as np

# Each row: N, C / groups, KH, KW, out / groups, H, W, groups, stride, padding, dilation.
CONVOLUTIONS = [
    (1, 3, 3, 3, 8, 9, 9, 1, 1, 0, 1),
    (2, 4, 5, 3, 6, 11, 10, 1, 2, 1, 1),
    (3, 2, 3, 3, 2, 8, 8, 4, 1, 1, 1),
    (1, 1, 3, 3, 1, 9, 12, 6, 1, 2, 2),
]
PRODUCTS = [(1, 2, 3, 4), (5, 7, 6, 2), (3, 1, 9, 8)]  # batch, M, K, N
ATTENTIONS = [(1, 2, 3, 5, 4, 6), (2, 3, 7, 7, 8, 8)]  # batch, heads, L, S, E, D


def arrays():
    """`convolutions`, `products` and `attentions`: the FLOPs of each case."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import conv2d, scaled_dot_product_attention
    from torch.utils.flop_counter import FlopCounterMode

    def counted(work, *inputs):
        with FlopCounterMode(display=False) as counter:
            work(*inputs)
        return counter.get_total_flops()

    found = {"convolutions": [], "products": [], "attentions": []}
    for n, c, kh, kw, out, h, w, groups, *how in CONVOLUTIONS:
        x, weight = torch.ones(n, c * groups, h, w), torch.ones(out * groups, c, kh, kw)
        found["convolutions"].append(counted(conv2d, x, weight, None, *how, groups))
    for b, m, k, n in PRODUCTS:
        one, other = torch.ones(b, m, k), torch.ones(b, k, n)
        found["products"].append(counted(torch.matmul, one, other))
    for b, h, length, keys, e, d in ATTENTIONS:
        sizes = ((length, e), (keys, e), (keys, d))
        qkv = [torch.ones(b, h, *size) for size in sizes]
        with sdpa_kernel(SDPBackend.MATH):  # of the fused kernel on CPUs it counts nothing
            found["attentions"].append(counted(scaled_dot_product_attention, *qkv))
    return {name: np.array(counts) for name, counts in found.items()}
