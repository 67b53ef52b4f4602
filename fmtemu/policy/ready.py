"""Ready-made policies."""

from __future__ import annotations

from fmtemu.formats import GroupInt, PerChannel, PerTensor, PerToken
from fmtemu.policy.policy import Policy
from fmtemu.policy.rule import Rule


def _products(name: str, operands: object, gradients: object = None) -> Policy:
    """Operands of every product in ``operands``; gradients in ``gradients``, by default the same."""
    gradient = Rule(gradients or operands, role="grad_output", direction="backward")
    return Policy((gradient, Rule(operands, role=("input", "weight", "kv_cache"))), name=name)


def _pure(name: str, quantizer: str) -> Policy:
    """Every number in one format, and so the optimizer's."""
    return Policy(Rule(quantizer), name=name)


def _stochastic(name: str, fmt: str, *roles: str) -> Policy:
    """Operands in a block format to nearest, but for ``roles`` in the backward products: these are rounded
    stochastically."""
    stochastic = Rule(f"{fmt} | stochastic(16)", role=roles, direction="backward")
    return Policy((stochastic, Rule(fmt, role=("input", "weight", "kv_cache"))), name=name)


#: The policies that as_policy knows by name.
#:
#: fp8_hybrid: E4M3 forward, E5M2 gradients, one scale per tensor (Micikevicius et al. 2022, "FP8 formats for deep
#: learning"). mxfp8: MXFP8 E4M3 for all operands (Mishra et al. 2025, "Recipes for pre-training LLMs with MXFP8").
#: mxfp4: to nearest forward, both backward operands stochastic (Tseng et al. 2025, "Training LLMs with MXFP4");
#: nvfp4: gradients alone are (NVIDIA 2025, "Pretraining large language models with NVFP4"); both without the
#: Hadamard transforms and the layers of higher precision of their sources. int8:
#: weights per output channel, activations per token, gradients per tensor.
#: fixed_point: all numbers of the forward pass in 8.8 bits, gradients in 16-bit integers with a scale per tensor
#: (dynamic fixed point, Courbariaux et al. 2015, "Training deep neural networks with low precision multiplications").
#: lns8: operands in logarithms with a power of two per tensor as scale (Zhao et al. 2022, "LNS-Madam").
#: w4a8: 4-bit weights in groups of 128 with float16 scales, 8-bit activations per token, forward only.
READY: dict[str, Policy] = {
    "fp8_hybrid": _products("fp8_hybrid", PerTensor("e4m3fn"), PerTensor("e5m2")),
    "mxfp8": _products("mxfp8", "mxfp8_e4m3"),
    "mxfp4": _stochastic("mxfp4", "mxfp4", "grad_output", "input", "weight", "kv_cache"),
    "nvfp4": _stochastic("nvfp4", "nvfp4", "grad_output"),
    "int8": Policy(
        (
            Rule(PerChannel("int8"), role="weight"),
            Rule(PerToken("int8"), role=("input", "kv_cache")),
            Rule(PerTensor("int8"), role="grad_output"),
        ),
        name="int8",
    ),
    "w4a8": Policy(
        (
            Rule(GroupInt(4, 128), role="weight", direction="forward"),
            Rule(PerToken("int8"), role=("input", "kv_cache"), direction="forward"),
        ),
        name="w4a8",
    ),
    "bfloat16_pure": _pure("bfloat16_pure", "bfloat16"),
    "fixed_point": Policy(
        (
            Rule(PerTensor("int16"), role=("grad_output", "parameter_gradient"), direction="backward"),
            Rule("q8.8", direction="forward"),
            Rule("q8.8", role=("input", "weight", "kv_cache"), direction="backward"),
        ),
        name="fixed_point",
    ),
    "posit16": _pure("posit16", "posit16"),
    "lns8": _products("lns8", PerTensor("lns8", "e8m0fnu")),
}
