"""Our FID against pytorch-fid's, as commands, in one run, alternating: the same number, and how much sooner.

    python -m tests.bench.fid --data FOLDER --inception FILE [--model cats-teacher] [--rounds 1] [--pairs 3]

FOLDER holds test/cat, test/dog and train/cat, FILE the weights of pytorch-fid. Three pairs of 500 PNG files: faces of
the model against cats, other cats against them, dogs against cats. pytorch-fid sees both folders of a pair; ours
too, and for the first pair also the faces against the reference that it comes with, from their folder and drawn by
itself; in float32, and where the machine has units for it also in bfloat16. Then the distance alone, and the floor that
the arithmetic sets: the operations of Inception over the speed of a matrix product on this machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pytorch_fid.fid_score import calculate_frechet_distance

from ganopt.data import image_folder
from ganopt.metrics import features, references
from ganopt.metrics.extraction import extract
from ganopt.metrics.fid import fit, frechet_distance
from ganopt.models.devices import computes_bfloat16

COUNT = 500
OPERATIONS = 2 * 5.711e9  # of Inception for a picture of 299x299: two for each of its multiplications


def write_pngs(source: Path, target: Path) -> None:
    """500 pictures of a folder, evenly taken."""
    target.mkdir()
    files = image_folder.find(source)
    for index in range(COUNT):
        with Image.open(source / files[index * len(files) // COUNT]) as image:
            image.convert("RGB").save(target / f"{index:04}.png")


def run(arguments: list[str], **environment: str) -> tuple[str, float]:
    """What a command prints, and its seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-m", *arguments]
    text = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True).stdout
    return text, time.perf_counter() - start


def seconds_of(function, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def compare_commands(folder: Path, options: argparse.Namespace) -> None:
    home = folder / "torch/hub/checkpoints"
    home.mkdir(parents=True)
    (home / "pt_inception-2015-12-05-6726825d.pth").symlink_to(options.inception.resolve())
    pngs = {name: str(folder / name) for name in ("faces", "cats", "other-cats", "dogs")}
    for name, source in (("cats", "test/cat"), ("other-cats", "train/cat"), ("dogs", "test/dog")):
        write_pngs(options.data / source, folder / name)
    run(["ganopt", "generate", "--model", options.model, "--seeds", f"0-{COUNT - 1}", "--out", pngs["faces"]])
    (folder / "faces/sheet.png").unlink()
    caches = (str(folder / f"cache-{number}") for number in range(1000))
    for _ in range(options.rounds):
        for pair in (("faces", "cats"), ("other-cats", "cats"), ("dogs", "cats"))[: options.pairs]:
            paths = [pngs[name] for name in pair]
            theirs, slow = run(["pytorch_fid", *paths, "--device", "cpu"], TORCH_HOME=str(folder / "torch"))
            for precision in precisions():
                command = ["ganopt", "fid", "--precision", precision, "--json", "--results", ""]
                ours, fast = run([*command, *paths], GANOPT_CACHE=next(caches))
                report(" against ".join(pair), theirs, slow, "both folders", ours, fast)
                if pair == ("faces", "cats"):
                    drawn = ["--model", options.model, "--repeats", "1"]
                    for kind, faces in (("cached reference", [pngs["faces"]]), ("cached reference, drawn", drawn)):
                        ours, fast = run([*command, *faces, "--reference", "cats"], GANOPT_CACHE=next(caches))
                        report(" against ".join(pair), theirs, slow, kind, ours, fast)


def precisions() -> tuple[str, ...]:
    return ("float32", "bfloat16") if computes_bfloat16(torch.device("cpu")) else ("float32",)


def report(pair: str, theirs: str, slow: float, kind: str, ours: str, fast: float) -> None:
    record = json.loads(ours)["records"][-1]
    expected, value = float(theirs.split()[-1]), record["fid"]
    print(
        f"{pair}: pytorch-fid {expected:.4f} in {slow:.1f} s; ours, {kind}, {record['arithmetic']}, {value:.4f} "
        f"({100 * (value / expected - 1):+.3f} %) in {fast:.1f} s: {slow / fast:.2f} times faster",
        flush=True,
    )


def compare_distance() -> None:
    first, second = (references.load(name)[0].rows for name in ("cats", "dogs"))
    moments = [(x.mean(0), np.cov(x, rowvar=False)) for x in (first.double().numpy(), second.double().numpy())]
    arguments = [value for pair in moments for value in pair]
    expected = calculate_frechet_distance(*arguments)
    value = frechet_distance(fit(first), fit(second))
    slow = seconds_of(lambda: calculate_frechet_distance(*arguments), 1)
    fast = seconds_of(lambda: frechet_distance(fit(first), fit(second)), 5)
    print(f"distance alone: {expected:.6f} in {slow:.2f} s, ours {value:.6f} in {fast:.3f} s: {slow / fast:.0f} times")


def show_floor(precision: str) -> None:
    device = torch.device("cpu")
    extractor = features.load_extractor(device, precision)
    a = torch.rand(2048, 2048, dtype=extractor.network.get_buffer("Mixed_7c:stem:weight").dtype)
    floor = OPERATIONS * seconds_of(lambda: a @ a, 20) / (2 * 2048**3)
    pictures = torch.randint(0, 256, (64, 3, 128, 128), dtype=torch.uint8)
    batches = pictures.split(extractor.batch)
    spent = seconds_of(lambda: list(extract(batches, extractor.network, device)), 5) / len(pictures)
    print(
        f"a picture, {extractor.precision}: {1000 * spent:.0f} ms; its convolutions as they are defined, at the speed "
        f"of a matrix product, {1000 * floor:.0f} ms, of which that is {spent / floor:.2f} times"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--inception", type=Path, required=True)
    parser.add_argument("--model", default="cats-teacher")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=3, help="only the first of the pairs")
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for precision in precisions():
        show_floor(precision)
    compare_distance()
    with tempfile.TemporaryDirectory() as folder:
        compare_commands(Path(folder), options)


if __name__ == "__main__":
    main()
