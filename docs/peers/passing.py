"""Casts of other libraries that break no law, and the quantizers that they are."""

from __future__ import annotations

from functools import partial

import peers.casters as by
from peers.finding import Passing

FLOAT8 = ("float8_e5m2", "float8_e4m3fn", "float8_e4m3", "float8_e3m4", "float8_e4m3fnuz", "float8_e5m2fnuz")
ML_DTYPES = (*FLOAT8, "float8_e4m3b11fnuz", "float6_e3m2fn", "float6_e2m3fn", "float4_e2m1fn", "bfloat16")
TORCH = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "bfloat16", "float16")
JAX = (*FLOAT8, "float8_e4m3b11fnuz", "float4_e2m1fn", "bfloat16", "float16")
GFLOAT = {"TowardZero": "toward_zero", "TowardNegative": "toward_negative", "TowardPositive": "toward_positive",
          "TiesToEven": "nearest_even", "TiesToAway": "nearest_away"}  # fmt: skip
APYFIXED = {"TO_ZERO": "toward_zero", "TO_NEG": "toward_negative", "TIES_EVEN": "nearest_even",
            "TIES_POS": "nearest_up", "JAM": "jam", "JAM_UNBIASED": "to_odd"}  # fmt: skip

PASSING = (
    *(
        Passing("ml_dtypes", f"x.astype({name})", partial(by.by_ml_dtypes, name),
                f"{name} | ml_dtypes | via=float32", source)
        for name in ML_DTYPES
        for source in ("float32", "float64")
    ),
    *(
        Passing("torch", f"x.to({name})", partial(by.by_torch, name), f"{name} | torch | via=float32", source)
        for name in TORCH
        for source in ("float32", "float64")
    ),
    Passing("torch", "fake_quantize_per_tensor_affine(x, 0.125, 0, -128, 127) / 0.125",
            partial(by.by_fake_quantize, 0.125), "int8", laws_left_out=("nan",)),
    *(Passing("jax", f"x.astype({name})", partial(by.by_jax, name), f"{name} | jax") for name in JAX),
    *(
        Passing("gfloat", f"round_ndarray({name}, x, {mode}, sat=True)",
                partial(by.by_gfloat, name, mode, sat=True), f"{ours} | {rounding} | saturate_all", "float64")
        for name, ours in (("ocp_e4m3", "e4m3fn"), ("ocp_e2m1", "e2m1fn"))
        for mode, rounding in GFLOAT.items()
    ),
    *(
        Passing("apytypes", f"APyFloat.from_float(x, {e}, {m})", partial(by.by_apyfloat, e, m, cast=False), spec)
        for e, m, spec in ((4, 3, "e4m3"), (5, 2, "e5m2"))
    ),
    *(
        Passing("apytypes", f"APyFixed.cast(4, 4, {mode}, SAT)", partial(by.by_apyfixed, 4, 4, mode, "SAT"),
                f"fixed<4,4> | {rounding} | saturate", laws_left_out=("infinity",))
        for mode, rounding in APYFIXED.items()
    ),
    *(
        Passing("softposit", f"posit{bits}(x)", partial(by.by_softposit, bits), f"posit<{bits},{es}>", "float64",
                ("nan", "infinity") if bits < 32 else ())
        for bits, es in ((8, 0), (16, 1), (32, 2))
    ),
    *(
        Passing("pychop", f"P3109(k=8, precision={p}, saturate={saturate})",
                partial(by.by_pychop_p3109, p, saturate=saturate),
                f"binary8p{p}se | {'SatFinite' if saturate else 'SatNone'}", "float64")
        for p in (3, 4)
        for saturate in (False, True)
    ),
    *(
        Passing("qtorch-plus", f"posit_quantize(x, {bits}, {es})", partial(by.by_qtorch_posit, bits, es),
                f"posit<{bits},{es}>", laws_left_out=("nan", "infinity"))
        for bits, es in ((6, 1), (8, 0), (8, 1), (8, 2), (16, 1))
    ),
    Passing("torchao", "nvfp4_quantize(x, 16)", by.by_torchao_nvfp4,
            "block<e2m1fn,16,e4m3fn,apply=reciprocal,lowest=0.015625>", laws_left_out=("infinity",)),
)  # fmt: skip
