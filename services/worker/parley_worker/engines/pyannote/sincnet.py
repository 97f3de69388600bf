"""The first layer of the segmentation model, once per batch of windows instead of once per window.

Ten windows overlap at any moment, and the 80 filters of 251 samples of this layer cost more than the other convolutions
together. The layer is linear, and the normalisation before it only scales and shifts a window. So it can run over the
whole audio of a batch, and scale and shift its output. The results are the same up to rounding.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv1d, leaky_relu


def share_first_layer(model: Any) -> None:
    """Let the windows of a batch share the first layer of a segmentation model; models without SincNet stay as is."""
    sincnet = getattr(model, "sincnet", None)
    if sincnet is not None:
        sincnet.forward = partial(_forward, sincnet)


def _forward(sincnet: Any, windows: Tensor) -> Tensor:
    """Return what SincNet.forward returns for windows of shape (batch, 1, samples)."""
    outputs = _first_layer(sincnet, windows)
    for number, (pool, norm) in enumerate(zip(sincnet.pool1d, sincnet.norm1d, strict=True)):
        convolved = outputs if number == 0 else sincnet.conv1d[number](outputs)
        outputs = leaky_relu(norm(pool(convolved)))
    return outputs


def _first_layer(sincnet: Any, windows: Tensor) -> Tensor:
    step = _step(windows, sincnet.stride)
    if step is None:
        return torch.abs(sincnet.conv1d[0](sincnet.wav_norm1d(windows)))
    filters = sincnet.conv1d[0].filterbank.filters()
    samples = windows.shape[2] + (len(windows) - 1) * step
    audio = windows.as_strided((1, 1, samples), (samples, samples, 1), windows.storage_offset())
    filtered = conv1d(audio, filters, stride=sincnet.stride)[0]
    frames = (windows.shape[2] - filters.shape[2]) // sincnet.stride + 1
    gain, offset = _scaling(sincnet.wav_norm1d, windows)
    own = filtered.unfold(1, frames, step // sincnet.stride).permute(1, 0, 2)
    scaled = torch.empty(own.shape, device=own.device)  # in the memory layout that pooling needs, which saves a copy
    torch.mul(own, gain[:, :, None], out=scaled)
    return scaled.add_((offset * filters.sum(dim=2).T)[:, :, None]).abs_()


def _step(windows: Tensor, stride: int) -> int | None:
    """Return the samples between window starts if the windows are overlapping views of one waveform, else None.

    pyannote.audio makes such views on a CPU, which torch's strides show; a copy on a graphics card is not a view.
    """
    step = windows.stride(0)
    overlapping = len(windows) > 1 and 0 < step < windows.shape[2] and windows.stride(2) == 1
    return step if overlapping and step % stride == 0 else None


def _scaling(norm: Any, windows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gain and the offset that the instance norm applies to each window, both of shape (batch, 1)."""
    variance, mean = torch.var_mean(windows, dim=2, correction=0)
    gain = norm.weight / torch.sqrt(variance + norm.eps)
    return gain, norm.bias - mean * gain
