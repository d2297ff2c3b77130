"""How much sooner the students draw than the teacher: one picture and 16, in one run, alternating.

    python -m tests.bench.draw [--teacher cats-teacher] [--students cats-student cats-fast] [--rounds 9]

All are copies for inference, as on the page, which nevertheless draws the faces of a `shuffle` one by one. A round
takes the median of some drawings of each model. Prints for each student the median of the rounds' ratios, with the
lowest and the highest, and the median times.
"""

import argparse
import statistics

import torch

from ganopt.models import zoo
from ganopt.training.profiling import cost_of_drawing

CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", default="cats-teacher")
    parser.add_argument("--students", nargs="+", default=["cats-student", "cats-fast"])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    models = {name: zoo.load(name) for name in [options.teacher, *options.students]}
    rounds = [{name: cost_of_drawing(model, CPU) for name, model in models.items()} for _ in range(options.rounds)]
    print(f"{torch.get_num_threads()} threads, {options.rounds} rounds")
    for name in models:
        alone = [costs[name].latency for costs in rounds]
        sixteen = [costs[name].throughput for costs in rounds]
        line = f"{name}: {1e3 * statistics.median(alone):.2f} ms alone, {statistics.median(sixteen):.0f} a second"
        if name != options.teacher:
            line += f"; alone {ratios([costs[options.teacher].latency / costs[name].latency for costs in rounds])}"
            line += f", 16 {ratios([costs[name].throughput / costs[options.teacher].throughput for costs in rounds])}"
        print(line)


def ratios(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} times sooner ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
