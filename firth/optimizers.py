"""What takes the steps of GPT and BERT where PyTorch has nothing of the kind."""

import math
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from firth.blocks import decayed_and_not
from firth.devices import chosen_precision

COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that takes singular values towards 1: Jordan et al. 2024, "Muon: an optimizer for hidden layers
in neural networks" (kellerjordan.github.io/posts/muon)."""
N_ITERATIONS: Final = 5
MOMENTUM: Final = 0.95
LENGTH: Final = 0.2
"""Root of the mean square of the updates, as Adam's have it: Liu et al. 2025 (arXiv 2502.16982), section 2.2."""


def orthogonalised(matrices: Tensor) -> Tensor:
    """(K, M, N) -> (K, M, N): about U V' for each U S V', singular values being between .7 and 1.2.

    X <- X / |X|, then N_ITERATIONS times  A = X X';  X <- a X + (b A + c A A) X
    """
    a, b, c = COEFFICIENTS
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(N_ITERATIONS):
        gram = x @ x.mT  # (K, M, M), M the shorter side
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


class Muon(torch.optim.Optimizer):
    """Muon for the groups whose `n_parts` is not 0, AdamW for the others.

        m <- .95 m + .05 g
        w <- w - rate (muon_rate .2 sqrt(max(rows, columns)) orthogonalised(.95 m + .05 g) + decay w)

    Jordan et al. 2024, with the length of the updates and the decay of Liu et al. 2025 (arXiv 2502.16982), equation 4,
    so that one rate serves both. A weight of n parts is n matrices, one below the other: query, key and value.
    Orthogonalised in the type that the device multiplies fast; means and weights keep theirs.
    """

    def __init__(self, groups: Any, lr: float, betas: tuple[float, float], eps: float, muon_rate: float) -> None:
        """Groups of parameters, each with its `weight_decay` and `n_parts`."""
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0, "n_parts": 0, "muon_rate": muon_rate}
        super().__init__(groups, defaults)
        for group in self.param_groups:  # where PyTorch looks, when a state is loaded, for the device of its steps
            group["fused"] = all(weight.device.type in ("cpu", "cuda") for weight in group["params"])

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients that there are."""
        of_shape: dict[torch.Size, list[tuple[Tensor, Tensor, float]]] = {}  # lying: no more rows than columns
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not group["n_parts"]:
                self._adam(group, weights)
                continue
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight] = {"mean": torch.zeros_like(weight)}
                mean = self.state[weight]["mean"].lerp_(weight.grad, 1 - MOMENTUM)
                followed = weight.grad.lerp(mean, MOMENTUM)
                length = group["lr"] * group["muon_rate"] * LENGTH
                for part, of_part in zip(*(x.chunk(group["n_parts"]) for x in (weight, followed)), strict=True):
                    lying = (part.mT, of_part.mT) if part.shape[0] > part.shape[1] else (part, of_part)
                    of_shape.setdefault(part.shape if lying[0] is part else part.mT.shape, []).append((*lying, length))
        for shape, parts in of_shape.items():
            followed = torch.stack([of_part for _, of_part, _ in parts])
            updates = orthogonalised(followed.to(_fast(followed))).to(followed.dtype)
            for (part, _, length), update in zip(parts, updates, strict=True):
                part.add_(update, alpha=-length * math.sqrt(shape[1]))

    def _adam(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        """AdamW of PyTorch, its state kept here."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {
                    "step": torch.zeros((), device=weight.device),
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
        if not weights:
            return
        states = [self.state[weight] for weight in weights]
        beta1, beta2 = group["betas"]
        adamw(
            weights,
            [weight.grad for weight in weights if weight.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=group["fused"],
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def _fast(weights: Tensor) -> torch.dtype:
    """The type to orthogonalise in: bf16 where it is fast, else that of the weights."""
    fast = chosen_precision(weights.device).dtype
    return fast if weights.dtype == torch.float32 and fast == torch.bfloat16 else weights.dtype


class UncorrectedAdam(torch.optim.Optimizer):
    """Adam with decoupled decay as BERT's authors released it, without the correction of its means' first steps.

        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        w <- w - rate (m / (sqrt(v) + epsilon) + decay w)

    Loshchilov & Hutter 2019 (arXiv 1711.05101), algorithm 2, divides m by 1 - beta1^t and v by 1 - beta2^t. Without
    that the first update is (1 - beta1) / sqrt(1 - beta2) times as long: 3.2 times with .9 and .999, which falls to
    1 within some thousand steps; the warm-up covers them.
    """

    def __init__(self, groups: Any, lr: float, betas: tuple[float, float], eps: float) -> None:
        """Groups of parameters, each with its `weight_decay`."""
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients that there are."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            gradients = [weight.grad for weight in weights]
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight] = {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
            means = [self.state[weight]["mean"] for weight in weights]
            squares = [self.state[weight]["square"] for weight in weights]
            beta1, beta2 = group["betas"]
            torch._foreach_lerp_(means, gradients, 1 - beta1)
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
            roots = torch._foreach_sqrt(squares)
            torch._foreach_add_(roots, group["eps"])
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_addcdiv_(weights, means, roots, -group["lr"])


def optimizer_of(given: Any, network: nn.Module) -> torch.optim.Optimizer:
    """What takes the steps of GPT and BERT, as their hyperparameters say; matrices alone decay.

    Args:
        given: Its `block_optimizer`, `adam` (GPT's is always corrected), `beta1`, `beta2`, `epsilon`, `weight_decay`.
        network: Of that family.
    """
    shared: dict[str, Any] = {"lr": given.highest_rate, "betas": (given.beta1, given.beta2), "eps": given.epsilon}
    if given.block_optimizer == "muon":
        return Muon(muon_groups(network, given.weight_decay), **shared, muon_rate=given.muon_rate)
    groups = decayed_and_not(network, given.weight_decay)
    if getattr(given, "adam", "corrected") == "uncorrected":
        return UncorrectedAdam(groups, **shared)
    is_fused = all(weight.device.type in ("cpu", "cuda") for weight in network.parameters())
    return torch.optim.AdamW(groups, **shared, fused=is_fused)


def muon_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters as groups for `Muon`: the blocks' matrices by it, tables, other matrices and vectors by AdamW."""
    wanted = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    of_blocks = {name for name, parameter in wanted if name.startswith("blocks.") and parameter.ndim > 1}
    merged = {name for name in of_blocks if name.endswith("qkv.weight")}
    others = [(name, parameter) for name, parameter in wanted if name not in of_blocks]
    return [
        {"params": [p for name, p in wanted if name in of_blocks - merged], "n_parts": 1, "weight_decay": weight_decay},
        {"params": [p for name, p in wanted if name in merged], "n_parts": 3, "weight_decay": weight_decay},
        {"params": [p for _, p in others if p.ndim > 1], "n_parts": 0, "weight_decay": weight_decay},
        {"params": [p for _, p in others if p.ndim <= 1], "n_parts": 0, "weight_decay": 0.0},
    ]
