"""Q-learning on the frozen lake, beside gymnasium's."""

import numpy as np
import pytest

from ganopt.lab.frozen_lake import GOAL, HOLE, MAPS, make_lake
from ganopt.lab.registry import find_experiment

EXPERIMENT = find_experiment("q-learning")


def last(text: str):
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(text))
    return frame


class TestLake:
    @pytest.mark.parametrize("slippery", [False, True])
    @pytest.mark.parametrize("name", MAPS)
    def test_its_moves_are_those_of_gymnasium(self, name, slippery):
        gymnasium = pytest.importorskip("gymnasium")
        theirs = gymnasium.make("FrozenLake-v1", map_name=name, is_slippery=slippery).unwrapped
        lake = make_lake(name, slippery, 0, 0)
        assert [row.decode() for row in theirs.desc.ravel()] == [*lake.letters]
        for state, actions in enumerate(lake.outcomes()):
            for action, ends in enumerate(actions):
                inside = lake.letters[state] not in HOLE + GOAL
                expected = {(end, float(inside and lake.letters[end] == GOAL)) for end in ends}
                assert {(end, reward) for _, end, reward, _ in theirs.P[state][action]} == expected

    @pytest.mark.parametrize(("name", "steps", "success"), [("4x4", 100, 0.740), ("8x8", 200, 0.863)])
    def test_the_success_of_the_best_policy_is_exact(self, name, steps, success):
        lake = make_lake(name, True, 0, 0)
        assert lake.limit == steps
        assert lake.success(lake.best_policy(0.99), steps) == pytest.approx(success, abs=5e-4)

    def test_success_is_what_playing_gives(self):
        lake, chance = make_lake("4x4", True, 0, 0), np.random.default_rng(0)
        policy, outcomes, won = lake.best_policy(0.99), lake.outcomes(), 0
        for _ in range(4000):
            state = 0
            for _ in range(20):
                state = chance.choice(outcomes[state][policy[state].argmax()])
            won += lake.letters[state] == GOAL
        assert won / 4000 == pytest.approx(lake.success(policy, 20), abs=0.03)

    def test_a_random_map_can_be_crossed_and_repeats(self):
        lakes = [make_lake("random", False, 7, seed) for seed in range(10)]
        assert all(lake.side == 7 and 12 <= lake.shortest() <= 48 for lake in lakes)
        assert lakes[3] == make_lake("random", False, 7, 3) and len({lake.rows for lake in lakes}) == 10


class TestLearning:
    @pytest.mark.parametrize("seed", range(10))
    def test_4x4_takes_6_steps_and_its_values_are_powers_of_the_discount(self, seed):
        frame = last(f"seed={seed}")
        assert frame.figures["steps of the test walk"].measured == 6
        assert all(figure.is_right for figure in frame.figures.values())

    def test_the_values_along_the_way(self):
        frame = last("episodes=3000")
        board, table = frame.pictures["Map and table"].panels
        values, [way, _] = 1 / 0.75 * table.marks[0].values.max(1), board.marks[-2:]
        states = [int(row) * 4 + int(column) for column, row in way.points]
        assert values[states[:-1]] == pytest.approx(0.99 ** np.arange(5, -1, -1), abs=0.01)

    def test_8x8_needs_more_than_1000_episodes(self):
        figures = last("map=8x8,episodes=5000").figures
        assert figures["steps of the test walk"].measured == 14
        assert figures["value of the start"].measured == pytest.approx(0.8775, abs=1e-3)
        assert last("map=8x8,ties=first").figures["the test walk reaches the goal (1: yes)"].measured == 0

    @pytest.mark.parametrize("seed", range(3))
    def test_a_slippery_lake_comes_within_5_points_of_the_best(self, seed):
        [figure] = last(f"slippery=true,episodes=5000,seed={seed}").figures.values()
        assert figure.exact == pytest.approx(0.740, abs=5e-4)
        assert figure.is_right and figure.measured > 0.69

    def test_epsilon_is_0_368_after_the_article_s_1000_episodes(self):
        assert "epsilon has come to 0.368" in last("ties=first").said
