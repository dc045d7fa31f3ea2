"""Muon and the uncorrected Adam: by hand, beside PyTorch's, and their state."""

import copy
import json
import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from firth.families.gpt import GPT  # noqa: E402
from firth.optimizers import MOMENTUM, Muon, UncorrectedAdam, muon_groups, orthogonalised  # noqa: E402
from firth.runs import _read_optimizer, _write_optimizer  # noqa: E402

SMALL = GPT(n_layers=2, dim=32, n_heads=2, n_positions=16, context_length=16, block_optimizer="muon")


def polynomial(value: float) -> float:
    """What the iterations make of a singular value."""
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    return value


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3)])
def test_orthogonalising_changes_singular_values_alone(shape):
    """Of U S V', the polynomial of each singular value over the root of the sum of their squares."""
    matrices = torch.randn(5, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    values = values / values.norm(dim=1, keepdim=True)
    due = left @ torch.diag_embed(values.clone().apply_(polynomial)) @ right
    torch.testing.assert_close(orthogonalised(matrices), due)


def test_muon_by_hand():
    """A diagonal stays diagonal; the first mean is .05 g, and .0975 g is followed, whose length does not matter."""
    weight = nn.Parameter(torch.eye(2, dtype=torch.float64))
    groups = [{"params": [weight], "weight_decay": 0.1, "n_parts": 1}]
    muon = Muon(groups, lr=0.5, betas=(0.9, 0.99), eps=1e-8, muon_rate=3.0)
    weight.grad = torch.diag(torch.tensor([3.0, -4.0], dtype=torch.float64))
    muon.step()
    length = 0.5 * 3.0 * 0.2 * math.sqrt(2)
    due = [1 - 0.5 * 0.1 - length * polynomial(0.6), 1 - 0.5 * 0.1 + length * polynomial(0.8)]
    torch.testing.assert_close(weight.detach(), torch.diag(torch.tensor(due, dtype=torch.float64)))
    assert muon.state[weight]["mean"][0, 0].item() == pytest.approx(0.05 * 3)
    assert abs(polynomial(0.6) - 1) < 0.3


def test_parts_are_matrices_of_their_own():
    generator = torch.Generator().manual_seed(1)
    parts = torch.randn(3, 4, 5, dtype=torch.float64, generator=generator)
    gradients = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=generator)
    merged, apart = nn.Parameter(parts.reshape(12, 5).clone()), [nn.Parameter(part.clone()) for part in parts]
    shared = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "muon_rate": 1.0}
    one = Muon([{"params": [merged], "n_parts": 3}], **shared)
    three = Muon([{"params": apart, "n_parts": 1}], **shared)
    for gradient in gradients:
        merged.grad = gradient.reshape(12, 5).clone()
        for parameter, of_part in zip(apart, gradient, strict=True):
            parameter.grad = of_part.clone()
        one.step()
        three.step()
    torch.testing.assert_close(merged.view(3, 4, 5).detach(), torch.stack([x.detach() for x in apart]))


def test_it_follows_pytorchs():
    """Whose products are of bf16, whence the tolerance."""
    generator = torch.Generator().manual_seed(1)
    ours, theirs = (nn.Parameter(torch.zeros(8, 16)) for _ in range(2))
    muon = Muon([{"params": [ours], "n_parts": 1}], lr=0.1, betas=(0.9, 0.99), eps=1e-8, muon_rate=1.0)
    other = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        ours.grad = theirs.grad = torch.randn(8, 16, generator=generator)
        muon.step()
        other.step()
    torch.testing.assert_close(ours, theirs, atol=0.01, rtol=0.02)


def test_the_others_take_steps_of_adamw():
    """Tables, biases, norms: as without Muon, to the bit."""
    gradients = torch.Generator().manual_seed(1)
    networks = [SMALL.network(40, 0) for _ in range(2)]
    optimizers = [SMALL.optimizer(networks[0]), replace(SMALL, block_optimizer="adam").optimizer(networks[1])]
    for _ in range(3):
        for ours, theirs in zip(*(network.parameters() for network in networks), strict=True):
            ours.grad = torch.randn(ours.shape, generator=gradients)
            theirs.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for (name, ours), theirs in zip(networks[0].named_parameters(), networks[1].parameters(), strict=True):
        is_of_muon = name.startswith("blocks.") and ours.ndim == 2
        assert torch.equal(ours, theirs) != is_of_muon


def test_groups_hold_every_parameter_once():
    network = SMALL.network(40, 0)
    groups = muon_groups(network, 0.1)
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in network.parameters())
    merged = [group for group in groups if group["n_parts"] == 3]
    assert [parameter.shape for group in merged for parameter in group["params"]] == [(96, 32)] * 2
    assert all(group["weight_decay"] == 0 for group in groups if any(p.ndim == 1 for p in group["params"]))


def test_its_state_goes_through_a_checkpoint_to_the_bit(tmp_path):
    """As `runs.Run` writes it: safetensors and JSON."""
    gradients = torch.Generator().manual_seed(1)
    network = SMALL.network(40, 0)

    def step(optimizer):
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=gradients)
        optimizer.step()

    optimizer = SMALL.optimizer(network)
    for _ in range(3):
        step(optimizer)
    told = json.loads(json.dumps(_write_optimizer(tmp_path / "optimizer.safetensors", optimizer.state_dict())))
    weights, drawn = copy.deepcopy(network.state_dict()), gradients.get_state()
    for _ in range(3):
        step(optimizer)
    due = copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)
    gradients.set_state(drawn)
    resumed = SMALL.optimizer(network)
    resumed.load_state_dict(_read_optimizer(tmp_path / "optimizer.safetensors", told))
    for _ in range(3):
        step(resumed)
    assert all(torch.equal(due[name], value) for name, value in network.state_dict().items())
    for group, before in zip(resumed.param_groups, optimizer.param_groups, strict=True):
        assert {name: group[name] for name in group if name != "params"} == {
            name: before[name] for name in before if name != "params"
        }


def test_uncorrected_adam_by_hand():
    """Two steps with the gradients 1 and 2: means .1 and .29, squares .001 and .004999."""
    weight = nn.Parameter(torch.tensor([[5.0]], dtype=torch.float64))
    still = nn.Parameter(torch.ones(1, dtype=torch.float64))
    groups = [{"params": [weight], "weight_decay": 0.01}, {"params": [still], "weight_decay": 0.0}]
    adam = UncorrectedAdam(groups, lr=0.1, betas=(0.9, 0.999), eps=1e-6)
    due = 5.0
    for gradient, mean, square in ((1.0, 0.1, 0.001), (2.0, 0.29, 0.004999)):
        weight.grad = torch.full_like(weight, gradient)
        adam.step()
        due -= 0.1 * (mean / (math.sqrt(square) + 1e-6) + 0.01 * due)
        assert weight.item() == pytest.approx(due, rel=1e-12)
    assert still.item() == 1.0  # it has no gradient


def test_uncorrected_adam_is_torchs_after_many_steps():
    """The correction is what they differ in: with it undone in the rate, and none needed late."""
    ours, theirs = (nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2))
    uncorrected = UncorrectedAdam([{"params": [ours]}], lr=0.1, betas=(0.9, 0.99), eps=1e-30)
    adamw = torch.optim.AdamW([theirs], lr=0.1, betas=(0.9, 0.99), eps=1e-30, weight_decay=0.0)
    for step in range(1, 6):
        ours.grad = theirs.grad = torch.tensor([1.0, -2.0, float(step)], dtype=torch.float64)
        adamw.param_groups[0]["lr"] = 0.1 * (1 - 0.9**step) / math.sqrt(1 - 0.99**step)
        uncorrected.step()
        adamw.step()
        torch.testing.assert_close(ours, theirs)
