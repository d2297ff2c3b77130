"""The results of the thesis, by the names of our experiments."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thesis:
    """The thesis's results for a model: FID, seconds per epoch, training memory in GB, size in MB."""

    fid: float
    epoch_seconds: float
    memory: float
    fid_to_teacher: float | None = None
    size: float = 186


THESIS = {
    "cats-thesis": Thesis(63.95, 59.5, 4.03),
    "dogs-plain": Thesis(114.58, 59.8, 4.03),
    "dogs-transfer-thesis": Thesis(127.517, 46.2, 1.45),
    "cats-kd-0.3": Thesis(65.33, 34, 1.89, 32.07, 38),
    "cats-kd-0.05": Thesis(68.69, 34, 1.89, 29.8, 38),
    "cats-kd-0.01": Thesis(68.57, 34, 1.89, 31.06, 38),
    "cats-kd-0.001": Thesis(79.38, 34, 1.89, 30.94, 38),
}
