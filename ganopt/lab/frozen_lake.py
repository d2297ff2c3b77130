"""The frozen lake of gymnasium's FrozenLake-v1: its maps, its moves, and the exact success of a policy."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEFT, DOWN, RIGHT, UP = range(4)
START, HOLE, GOAL = "S", "H", "G"
MAPS = {
    "4x4": ("SFFF", "FHFH", "FFFH", "HFFG"),
    "8x8": ("SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG"),
}
FROZEN = 0.8  # share of frozen states on a random map


@dataclass(frozen=True)
class Lake:
    """A square map; states are its squares, row by row. An episode ends in a hole, at the goal, or after `limit` steps.

    On a slippery lake, a move goes where it is meant to, or to either side of that, with a third each.
    """

    rows: tuple[str, ...]
    slippery: bool

    @property
    def side(self) -> int:
        """States in a row."""
        return len(self.rows)

    @property
    def letters(self) -> str:
        """The letters of all states."""
        return "".join(self.rows)

    @property
    def limit(self) -> int:
        """The environment's limit on steps."""
        return 100 if self.side <= 4 else 200

    def outcomes(self) -> list[list[tuple[int, ...]]]:
        """For each state and action, the equally likely next states. Holes and the goal are never left."""
        side, letters = self.side, self.letters

        def move(state: int, action: int) -> int:
            if letters[state] in HOLE + GOAL:
                return state
            row, column = divmod(state, side)
            row += (action == DOWN) - (action == UP)
            column += (action == RIGHT) - (action == LEFT)
            return min(max(row, 0), side - 1) * side + min(max(column, 0), side - 1)

        turns = (-1, 0, 1) if self.slippery else (0,)
        return [
            [tuple(move(state, (action + turn) % 4) for turn in turns) for action in range(4)]
            for state in range(side * side)
        ]

    def success(self, policy: np.ndarray, steps: int) -> float:
        """The exact probability that a policy, probabilities (states, 4), is at the goal after `steps` steps."""
        moves = np.zeros((self.side**2, self.side**2))
        for state, actions in enumerate(self.outcomes()):
            for action, ends in enumerate(actions):
                np.add.at(moves[state], list(ends), policy[state, action] / len(ends))
        return float(np.linalg.matrix_power(moves, steps)[0, self.letters.index(GOAL)])

    def best_policy(self, discount: float) -> np.ndarray:
        """The policy with the largest discounted reward, (states, 4), by value iteration."""
        ends, goal = np.array(self.outcomes()), np.array([letter == GOAL for letter in self.letters])
        inside = np.array([letter not in HOLE + GOAL for letter in self.letters])
        q, before = np.zeros((self.side**2, 4)), None
        while before is None or np.abs(q - before).max() > 1e-10:
            before = q
            q = inside[:, None] * (goal[ends] + discount * q.max(1)[ends]).mean(2)
        return np.eye(4)[q.round(9).argmax(1)]

    def shortest(self) -> int:
        """The steps of the shortest way to the goal if nothing is slippery."""
        calm, reached, steps = Lake(self.rows, False).outcomes(), {0}, 0
        while self.letters.index(GOAL) not in reached:
            reached |= {end for state in reached for [end] in calm[state]}
            steps += 1
        return steps


def make_lake(name: str, slippery: bool, side: int, seed: int) -> Lake:
    """The lake of a name in MAPS, or "random": a map of this side on which the goal can be reached."""
    if name in MAPS:
        return Lake(MAPS[name], slippery)
    chance = random.Random(seed)
    while True:
        letters = ["F" if chance.random() < FROZEN else HOLE for _ in range(side * side)]
        letters[0], letters[-1] = START, GOAL
        rows = tuple("".join(letters[row * side : (row + 1) * side]) for row in range(side))
        if _can_be_crossed(rows):
            return Lake(rows, slippery)


def _can_be_crossed(rows: Sequence[str]) -> bool:
    calm, reached, found = Lake(tuple(rows), False).outcomes(), {0}, {0}
    while found:
        found = {end for state in found for [end] in calm[state]} - reached
        reached |= found
    return len(rows) ** 2 - 1 in reached
