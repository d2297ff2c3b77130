"""A model as one page: what it contains, and which models it refuses."""

import json
import re

import numpy as np
import pytest
import torch

from ganopt.models import weights
from ganopt.models.networks import build_generator
from ganopt.portable.page import page
from ganopt.portable.steps import KINDS, is_drawable, program_of
from tests.portable import generators


@pytest.mark.parametrize("architecture", generators.KINDS)
def test_the_same_model_gives_the_same_page_and_the_tensors_are_within_it(architecture):
    generator = generators.lively(architecture)
    text = page(generator, "tiny", "Tiny <cats>", range(5))
    assert text == page(generator, "tiny", "Tiny <cats>", range(5))
    assert "Tiny &lt;cats&gt;" in text and "Tiny <cats>" not in text and "@@" not in text
    model = json.loads(re.search(r'id="model">(.*?)</script>', text, re.DOTALL)[1])
    sizes = {"int8": 1, "float16": 2, "float32": 4}
    ends = [each["at"] + each["length"] * sizes[each["type"]] for each in model["tensors"]]
    assert max(ends) == program_of(generator).bytes
    assert all(each["at"] % sizes[each["type"]] == 0 for each in model["tensors"])
    assert not re.search(r"""(src|href)=|https?://|import\(|fetch\(""", text.replace("link.href =", ""))


def test_weights_that_are_stored_in_8_bits_stay_8_bits(tmp_path):
    generator = generators.lively("shuffle/16@32")
    weights.save(generator, tmp_path / "a.safetensors", dtype=torch.int8)
    program = program_of(weights.load(tmp_path / "a.safetensors"))
    codes = [program.tensors[step["tensors"][0]] for step in program.steps]
    assert {tensor.dtype for tensor in codes} == {np.dtype(np.int8)}
    assert {np.abs(tensor).max() for tensor in codes} == {127}
    assert {program_of(generator).tensors[step["tensors"][0]].dtype for step in program.steps} == {np.dtype(np.float16)}


def test_a_model_with_other_layers_and_too_few_seeds_are_refused(refuses):
    with refuses("kind sle", "shuffle, big, kd, big-res or kd-res"):
        page(build_generator("sle/64@32").eval(), "sle", "sle", range(4))
    with refuses("at least four seeds"):
        page(generators.lively("big/32@32"), "tiny", "tiny", range(3))
    assert {kind for kind in KINDS if is_drawable(build_generator(f"{kind}/64@32").architecture)} == set(KINDS)
