"""Downloading public datasets into folders that `image_folder.load` reads, one folder per class."""

import contextlib
import io
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.error import URLError

from PIL import Image
from tqdm import tqdm

from ganopt.data.colours import to_rgb
from ganopt.data.decode import head_box
from ganopt.errors import UserError
from ganopt.files import atomic_folder, cache_folder, check_empty
from ganopt.models import hub

FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)

Found = tuple[str, Callable[[], bytes]]  # a picture's class, and a function that reads its file (or raises UNREADABLE)


@dataclass(frozen=True)
class Source:
    """A public dataset and its licence."""

    title: str
    size: str  # of the download
    licence: str
    address: str
    classes: tuple[str, ...]
    pictures: Callable[[], Generator[Found]]  # downloads files as they are needed


def describe(source: Source) -> str:
    """What the user should know before the download starts."""
    return f"{source.title}\nFrom {source.address}\nDownload: {source.size}\nLicence: {source.licence}"


def check(out: Path, most: int | None = None) -> None:
    """Raise UserError, as `fetch` does, for what is wrong before the download."""
    if most is not None and most < 1:
        raise UserError(f"--most is {most}; it must be at least 1.")
    check_empty(out)


def fetch(name: str, out: Path, most: int | None = None) -> tuple[dict[str, int], int]:
    """Download a dataset of SOURCES into a new folder; returns the pictures of each class and how many were unreadable.

    `most` limits the pictures of each class; only the files needed for them are downloaded. The folder is created
    when it is complete, or not at all. Raises UserError if it exists and is not empty, and for any other failure.
    """
    check(out, most)
    source = SOURCES[name]
    counts = dict.fromkeys(source.classes, 0)
    with atomic_folder(out) as folder, contextlib.closing(source.pictures()) as found:
        skipped = _write(tqdm(found, f"Writing {name}", unit=" pictures", leave=False), folder, counts, most)
        if not any(counts.values()):
            raise UserError(f"No picture from {source.address} can be read; try again later.")
    return counts, skipped


def _write(found: Iterator[Found], folder: Path, counts: dict[str, int], most: int | None) -> int:
    """Write pictures with consecutive numbers and count them by class; returns how many could not be read."""
    skipped = 0
    for label, read in found:
        if counts[label] == most:
            continue
        try:
            content = read()
            suffix = _suffix(content)
        except UNREADABLE:
            skipped += 1
            continue
        path = folder / label / f"{counts[label]:05}{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        counts[label] += 1
        if min(counts.values()) == most:
            break
    return skipped


def _suffix(content: bytes) -> str:
    """The suffix of a picture's real format. Raises one of UNREADABLE if it is not a picture in a supported format."""
    with Image.open(io.BytesIO(content), formats=list(FORMATS)) as image:
        image.verify()
        return FORMATS.get(image.format or "", ".jpg")  # PIL calls a JPEG with several pictures MPO


def _afhq() -> Generator[Found]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UserError("AFHQ comes as parquet files; run 'pip install pyarrow' to read them.") from error
    classes = {0: "cat", 1: "dog", 2: "wild"}
    for path in hub.dataset_files("huggan/AFHQv2", ".parquet"):
        try:
            with parquet.ParquetFile(path) as table:
                for batch in table.iter_batches(16, columns=["image", "label"]):
                    for row in batch.to_pylist():
                        yield classes[row["label"]], partial(bytes, row["image"]["bytes"] or b"")
        except (OSError, ValueError, LookupError, TypeError, pyarrow.ArrowException) as error:
            raise UserError(f"{path.resolve()} is not a parquet file of AFHQ; remove it and try again.") from error


def _pets() -> Generator[Found]:
    from torchvision.datasets import OxfordIIITPet

    with _downloads("pets") as root:
        OxfordIIITPet(root, download=True)
        images, annotations = (root / "oxford-iiit-pet" / name for name in ("images", "annotations"))
        for split in ("trainval", "test"):
            for line in (annotations / f"{split}.txt").read_text().splitlines():
                name, _, species, _ = line.split()
                box = annotations / "xmls" / f"{name}.xml"
                if box.exists():
                    yield {"1": "cat", "2": "dog"}[species], partial(_head, images / f"{name}.jpg", box)


def _mnist() -> Generator[Found]:
    from torchvision.datasets import MNIST

    with _downloads("mnist") as root:
        digits = MNIST(root, download=True)
        for pixels, label in zip(digits.data, digits.targets.tolist(), strict=True):
            yield "0123456789"[label], partial(_png, Image.fromarray(pixels.numpy()))


@contextlib.contextmanager
def _downloads(name: str) -> Iterator[Path]:
    """A temporary folder for torchvision's downloads. Failures of the download are raised as UserError."""
    parent = cache_folder() / "downloads"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as root:
            yield Path(root)
    except Exception as error:  # torchvision does not catch the errors of its libraries
        if isinstance(error, RuntimeError) and "corrupted" not in str(error):  # no mirror answered
            error = URLError(str(error))
        raise hub.server_error(error, SOURCES[name].address, name, parent) from error


def _head(path: Path, annotation: Path) -> bytes:
    with Image.open(path) as image:  # the box is in the coordinates of the file, before its EXIF rotation
        box = head_box(annotation.read_text("utf-8"), image.width, image.height)
        return _png(to_rgb(image).crop(box))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


SOURCES = {
    "afhq": Source(
        title="15,803 faces of cats, dogs and wild animals, 512x512: AFHQ v2 (Choi et al. 2020, StarGAN v2)",
        size="7.0 GB in files of 0.5 GB, kept in the cache of huggingface_hub",
        licence="CC BY-NC 4.0, for non-commercial purposes only",
        address="https://huggingface.co/datasets/huggan/AFHQv2",
        classes=("cat", "dog", "wild"),
        pictures=_afhq,
    ),
    "pets": Source(
        title="3,700 heads of cats and dogs, cropped from photographs: Oxford-IIIT Pet (Parkhi et al. 2012)",
        size="0.8 GB, removed after the heads are cropped",
        licence="CC BY-SA 4.0",
        address="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        classes=("cat", "dog"),
        pictures=_pets,
    ),
    "mnist": Source(
        title="60,000 handwritten digits, 28x28: the training set of MNIST (LeCun, Cortes and Burges)",
        size="12 MB, removed after the digits are written",
        licence="CC BY-SA 3.0",
        address="http://yann.lecun.com/exdb/mnist/",
        classes=tuple("0123456789"),
        pictures=_mnist,
    ),
}
