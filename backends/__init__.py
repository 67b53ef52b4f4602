"""The array backends of fmtemu; installed as the import package fmtemu.backends."""

if __name__ != "fmtemu.backends":
    raise ImportError(
        "import fmtemu.backends, not backends: the folder is a part of the package fmtemu "
        "(install it with `pip install -e .`)"
    )
