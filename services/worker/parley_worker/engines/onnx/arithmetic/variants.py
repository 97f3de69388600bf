"""The sets of instructions for which arithmetic.c is compiled, the fastest first.

hatch_build.py runs this file by itself, before the package is installed: it imports nothing of the package.
"""

from __future__ import annotations

from dataclasses import dataclass

OPTIMISED = ("-std=c11", "-O3", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math")
SAME_EVERYWHERE = "-ffp-contract=off"  # a product and a sum are rounded one by one, on every processor


@dataclass(frozen=True, slots=True)
class Variant:
    """One compilation of arithmetic.c.

    Attributes:
        name: of the instructions that make the difference, as results state it.
        machines: values of `platform.machine()`, in lower case.
        instructions: that the processor needs, as Linux names them.
        options: of the compiler.
    """

    name: str
    machines: tuple[str, ...]
    instructions: frozenset[str]
    options: tuple[str, ...]

    @property
    def file(self) -> str:
        """Name of the compiled file, beside this one."""
        return f"arithmetic-{self.name}.so"


def _x86(name: str, *instructions: str) -> Variant:
    options = [f"-m{one.replace('_', '')}" for one in instructions]
    return Variant(name, ("x86_64", "amd64"), frozenset(instructions), tuple(options))


_AVX512 = ("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl")
VARIANTS = (
    _x86("avx512_vnni", *_AVX512, "avx512_vnni"),
    _x86("avx512bw", *_AVX512),
    _x86("avx_vnni", "avx2", "fma", "avx_vnni"),
    _x86("avx2", "avx2", "fma"),
    Variant("asimddp", ("aarch64", "arm64"), frozenset({"asimddp"}), ("-march=armv8.2-a+dotprod",)),
)
