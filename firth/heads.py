"""Shallow networks that stand behind a pretrained one: from the vectors of a text to what is said of it.

    linear      scores = W x + b
    mlp         one hidden layer before that: tanh(V x + c)
    cnn         Kim 2014 (arXiv 1408.5882), section 2: filters over stretches of words, their greatest responses
    bilstm      an LSTM (Hochreiter & Schmidhuber 1997) in either direction, both side by side
    crf         the labels of a text as one chain: Lafferty et al. 2001

A text as a whole has one vector: that of its first or last position, the mean, or the greatest of each number. Of two
texts u and v, Conneau et al. 2017 (arXiv 1705.02364), section 3.1: [u, v, |u - v|, u v].

Differs from Kim 2014: no limit on the length of the output's rows. His network takes what lies beyond a text's ends as
zeros as here.

    B texts, T positions, D dim, E what is read from a position, N labels
"""

from collections.abc import Sequence
from typing import Final, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from firth.blocks import dropped
from firth.errors import UsageError
from firth.files import printable

Head = Literal["linear", "mlp", "cnn", "bilstm", "crf", "bilstm-crf"]
HEADS: Final = get_args(Head)
TextPool = Literal["cls", "last", "mean", "max"]
TEXT_POOLS: Final = get_args(TextPool)

WIDTHS: Final = (3, 4, 5)
"""Words that the filters of `CNN` see: Kim 2014, section 3.1."""


class CNN(nn.Module):
    """Filters of several widths, each centred on every position: Kim 2014, equation 2.

    Attributes:
        filters: For each width a convolution (E / n_widths, D, width).
        width: E, what comes out at a position.
    """

    def __init__(self, dim: int, n_filters: int = 100, widths: Sequence[int] = WIDTHS) -> None:
        """Filters as PyTorch draws them.

        Args:
            dim: D.
            n_filters: Of each width.
            widths: Positions that they see.
        """
        super().__init__()
        self.filters = nn.ModuleList(nn.Conv1d(dim, n_filters, width) for width in widths)
        self.width = n_filters * len(widths)

    def forward(self, hidden: Tensor, is_real: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, E); what lies behind a text's end counts as zeros, as what lies before its begin."""
        x = (hidden * is_real[..., None]).transpose(1, 2)  # (B, D, T)
        found = []
        for filters in self.filters:
            width: int = filters.kernel_size[0]  # type: ignore[index, assignment]
            found.append(filters(F.pad(x, ((width - 1) // 2, width // 2))))
        return torch.cat(found, 1).relu().transpose(1, 2)


class BiLSTM(nn.Module):
    """An LSTM in either direction over each text alone.

    Attributes:
        lstm: PyTorch's.
        width: 2 H, both directions side by side.
    """

    def __init__(self, dim: int, n_cells: int = 150) -> None:
        """Weights as PyTorch draws them, the forget gate's bias 1 (Jozefowicz et al. 2015).

        Args:
            dim: D.
            n_cells: H, of each direction.
        """
        super().__init__()
        self.lstm = nn.LSTM(dim, n_cells, batch_first=True, bidirectional=True)
        self.width = 2 * n_cells
        with torch.no_grad():
            for name, bias in self.lstm.named_parameters():
                if name.startswith("bias_hh"):
                    bias[n_cells : 2 * n_cells] = 1.0

    def forward(self, hidden: Tensor, is_real: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, 2 H), 0 behind a text's end."""
        lengths = is_real.sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
        states: Tensor = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=hidden.shape[1])[0]
        return states * is_real[..., None]


class CRF(nn.Module):
    """A chain of labels: Lafferty et al. 2001; P(y | x) = exp(score(y)) / sum over all y' of exp(score(y')).

        score(y) = begin[y_1] + sum over t of scores[t, y_t] + sum over t > 1 of steps[y_(t-1), y_t] + end[y_T]

    Attributes:
        steps: (N, N) from a label to the next.
        begin: (N,).
        end: (N,).
    """

    def __init__(self, n_labels: int) -> None:
        """Every chain as good as any other."""
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(n_labels, n_labels))
        self.begin = nn.Parameter(torch.zeros(n_labels))
        self.end = nn.Parameter(torch.zeros(n_labels))

    def nats(self, scores: Tensor, labels: Tensor, is_real: Tensor) -> Tensor:
        """(B,) -log P of each chain of labels.

        Args:
            scores: (B, T, N).
            labels: (B, T); behind a text's end any label there is.
            is_real: (B, T), True from the first position on, at least there.
        """
        return self._all(scores, is_real) - self._chain(scores, labels, is_real)

    def _chain(self, scores: Tensor, labels: Tensor, is_real: Tensor) -> Tensor:
        """(B,) the score of one chain."""
        of_labels = scores.gather(2, labels[..., None])[..., 0]  # (B, T)
        of_steps = self.steps[labels[:, :-1], labels[:, 1:]] * is_real[:, 1:]  # (B, T - 1)
        last = labels.gather(1, is_real.sum(1, keepdim=True) - 1)[:, 0]
        return self.begin[labels[:, 0]] + (of_labels * is_real).sum(1) + of_steps.sum(1) + self.end[last]

    def _all(self, scores: Tensor, is_real: Tensor) -> Tensor:
        """(B,) the logarithm of the sum over all chains: the forward algorithm."""
        total = self.begin + scores[:, 0]  # (B, N) of all chains that end here in each label
        for position in range(1, scores.shape[1]):
            on = torch.logsumexp(total[:, :, None] + self.steps, 1) + scores[:, position]
            total = torch.where(is_real[:, position, None], on, total)
        return torch.logsumexp(total + self.end, 1)

    @torch.no_grad()
    def best(self, scores: Tensor, is_real: Tensor) -> Tensor:
        """(B, T) the labels of the best chain of each text: Viterbi 1967; 0 behind its end."""
        total = self.begin + scores[:, 0]
        before = []
        for position in range(1, scores.shape[1]):
            most, label = (total[:, :, None] + self.steps).max(1)  # (B, N) each
            here = is_real[:, position, None]
            total = torch.where(here, most + scores[:, position], total)
            before.append(torch.where(here, label, torch.arange(len(self.begin), device=label.device)))
        labels = [(total + self.end).argmax(1)]
        for way in reversed(before):
            labels.append(way.gather(1, labels[-1][:, None])[:, 0])
        return torch.stack(labels[::-1], 1) * is_real

    @torch.no_grad()
    def marginals(self, scores: Tensor, is_real: Tensor) -> Tensor:
        """(B, T, N) the probability of each label at each position: the forward and the backward algorithm."""
        forward = [self.begin + scores[:, 0]]
        for position in range(1, scores.shape[1]):
            on = torch.logsumexp(forward[-1][:, :, None] + self.steps, 1) + scores[:, position]
            forward.append(torch.where(is_real[:, position, None], on, forward[-1]))
        backward = [self.end.expand_as(forward[0])]
        for position in reversed(range(1, scores.shape[1])):
            back = torch.logsumexp(self.steps + (scores[:, position] + backward[-1])[:, None], 2)
            backward.append(torch.where(is_real[:, position, None], back, backward[-1]))
        both = torch.stack(forward, 1) + torch.stack(backward[::-1], 1)
        return both.softmax(2)


class Scores(nn.Module):
    """Scores of labels from a vector: W x + b, with a hidden layer before it or not.

    Attributes:
        hidden: (H, D) and a bias, behind which tanh stands; None without.
        output: (N, D or H) and a bias, where there is one.
        dropout: Share of what the output reads that is set to 0.
    """

    def __init__(self, dim: int, n_outputs: int, *, hidden_dim: int | None, dropout: float, bias: bool = True) -> None:
        """Weights that `drawn` is to set.

        Args:
            dim: D.
            n_outputs: N.
            hidden_dim: H; None has no hidden layer.
            dropout: See above.
            bias: Whether the output has one.
        """
        super().__init__()
        self.hidden = nn.Linear(dim, hidden_dim) if hidden_dim else None
        self.output = nn.Linear(hidden_dim or dim, n_outputs, bias=bias)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., N)."""
        x = dropped(x, self.dropout if self.training else 0.0)
        if self.hidden is not None:
            x = dropped(torch.tanh(self.hidden(x)), self.dropout if self.training else 0.0)
        scores: Tensor = self.output(x)
        return scores


def pooled(hidden: Tensor, is_real: Tensor, pool: TextPool) -> Tensor:
    """(B, T, D) -> (B, D): one vector for each text.

    Args:
        hidden: Of each position.
        is_real: (B, T), True from the first position on. Of a text without any, the result is 0.
        pool: `cls` takes the first position's, `last` the last real one's, `mean` their mean, `max` the greatest of
            each number.
    """
    if pool == "cls":
        return hidden[:, 0] * is_real[:, :1]
    if pool == "last":
        last = (is_real.sum(1) - 1).clamp(min=0)[:, None, None].expand(-1, 1, hidden.shape[2])
        return hidden.gather(1, last)[:, 0] * is_real[:, :1]
    if pool == "mean":
        return (hidden * is_real[..., None]).sum(1) / is_real.sum(1, keepdim=True).clamp(min=1)
    if pool == "max":
        lowest = torch.finfo(hidden.dtype).min
        return hidden.masked_fill(~is_real[..., None], lowest).amax(1) * is_real[:, :1]
    raise UsageError(f"pool {printable(repr(pool))} asked for; of texts there are {', '.join(TEXT_POOLS)}")


def compared(first: Tensor, second: Tensor) -> Tensor:
    """(B, E), (B, E) -> (B, 4 E): [u, v, |u - v|, u v]."""
    return torch.cat([first, second, (first - second).abs(), first * second], -1)


def drawn(network: nn.Module, seed: int, *, deviation: float = 0.02) -> None:
    """Sets the parameters of linear layers, matrices normal and biases 0; all others as PyTorch draws them, by `seed`.

    LSTMs and convolutions are drawn uniformly by their fan-in, as PyTorch does; the forget gates' bias stays 1.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=deviation)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv1d):
                module.reset_parameters()
            elif isinstance(module, nn.LSTM):
                module.reset_parameters()
                with torch.no_grad():
                    for name, bias in module.named_parameters():
                        if name.startswith("bias_hh"):
                            bias[module.hidden_size : 2 * module.hidden_size] = 1.0
