"""Competing units beside scikit-learn's k-means and nearest centroid, and MiniSom."""

import itertools
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from ganopt.lab.encoders.objects import FACES, FIRST_SEED, drawn
from ganopt.lab.points import blobs, read_csv
from ganopt.lab.registry import find_experiment
from ganopt.lab.units import competition as competing
from ganopt.lab.units.atlas import Faces
from ganopt.models import zoo
from ganopt.models.latents import latents
from ganopt.models.sampling import draw

EXPERIMENT = find_experiment("kohonen")


def last(text: str):
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse(text))
    return frame


class TestClusters:
    @pytest.mark.parametrize("seed", range(3))
    def test_wta_reaches_the_inertia_of_k_means_from_the_same_objects(self, seed):
        cluster = pytest.importorskip("sklearn.cluster")
        objects, _ = blobs(300, np.random.default_rng(seed))
        units = objects[np.random.default_rng(seed + 9).choice(300, 6, False)].copy()
        theirs = cluster.KMeans(6, init=units, n_init=1).fit(objects)
        ours = competing.inertia(objects, competing.k_means(objects, units))
        assert ours == pytest.approx(theirs.inertia_, rel=1e-3)
        order = np.random.default_rng(seed)
        for rate in np.geomspace(0.3, 0.01, 20):
            for index in order.permutation(300):
                competing.winner_takes_all(units, objects[index], rate)
        assert competing.inertia(objects, units) <= 1.02 * theirs.inertia_

    def test_a_constant_rate_adds_what_is_known(self):
        chance, rate = np.random.default_rng(0), 0.2
        objects, unit, squares = chance.standard_normal((20_000, 1)), np.zeros((1, 1)), []
        for x in objects:
            squares.append(competing.winner_takes_all(unit, x, rate))
        assert np.mean(squares[100:]) == pytest.approx(1 + rate / (2 - rate), rel=0.03)

    def test_wta_never_chooses_far_units_and_wtm_cures_it(self):
        name = "units that no object chooses"
        assert last("kind=WTA,data=blobs,start=far").figures[name].measured >= 3
        cured = last("kind=WTM,data=blobs,start=far").figures[name]
        assert cured.measured == 0 and cured.is_right

    def test_the_running_estimate_starts_with_the_mean(self):
        config = EXPERIMENT.parse("kind=WTA,data=blobs")
        frame = next(EXPERIMENT.frames(config))
        [(_, estimate)] = frame.series["Running estimate of Q / N"]["Q / N"]
        objects, _ = blobs(config.objects, np.random.default_rng(0))
        units = frame.pictures["Units and objects"].panels[0].marks[-1].points
        assert estimate == pytest.approx(competing.inertia(objects, units) / len(objects))


def test_a_step_of_each_kind_by_hand():
    x, start = np.array([1.0, 0.0]), np.array([[0.0, 0.0], [4.0, 0.0]])
    assert competing.winner_takes_all(units := start.copy(), x, 0.5) == 1
    assert units.tolist() == [[0.5, 0], [4, 0]]
    competing.winner_takes_most(units := start.copy(), x, 0.5, 2.0)
    assert units == pytest.approx(np.array([[0.5, 0], [4 - 0.5 * np.exp(-1) * 3, 0]]))
    classes = np.array([0, 1])
    assert competing.lvq1(units := start.copy(), classes, x, 0, 0.5) == 1 and units[0, 0] == 0.5
    assert competing.lvq1(units := start.copy(), classes, x, 1, 0.5) == -1 and units[0, 0] == -0.5
    competing.map_step(units := start.copy(), competing.grid_of(1, 2), x, 0.5, 1.0, "Gaussian")
    assert units == pytest.approx(np.array([[0.5, 0], [4 - 0.5 * np.exp(-0.5) * 3, 0]]))


@pytest.mark.parametrize("seed", range(2))
def test_lvq_beats_the_nearest_centroid_where_classes_have_several_clusters(seed):
    figures = last(f"kind=LVQ1,data=blobs,units=4,seed={seed}").figures
    neighbours = pytest.importorskip("sklearn.neighbors")
    objects, labels = blobs(400, np.random.default_rng(seed))
    theirs = neighbours.NearestCentroid().fit(objects, labels).score(objects, labels)
    assert figures["accuracy of the nearest centroid"].measured == pytest.approx(theirs)
    assert figures["accuracy"].measured > theirs + 0.2 and figures["accuracy"].is_right


class TestMap:
    def test_its_quantisation_error_is_that_of_minisom(self):
        minisom = pytest.importorskip("minisom")
        config = EXPERIMENT.parse("data=blobs,epochs=10,side=6")
        objects, _ = blobs(400, np.random.default_rng(0))
        ours = last(EXPERIMENT.format(config)).figures["quantisation error"].measured
        som = minisom.MiniSom(6, 6, 2, config.radius, config.rate, random_seed=0)
        som.random_weights_init(objects)
        som.train(objects, 4000, random_order=True)
        assert ours <= 1.05 * som.quantization_error(objects)
        weights, grid = som.get_weights().reshape(36, 2), competing.grid_of(6, 6)
        assert competing.quantisation_error(objects, weights) == pytest.approx(som.quantization_error(objects))
        assert competing.topographic_error(objects, weights, grid) == pytest.approx(som.topographic_error(objects))

    def test_each_of_three_settings_changes_the_map(self):
        maps = [last(f"epochs=3,{text}").figures for text in ("", "kernel=bubble", "start_seed=1", "order_seed=1")]
        errors = [figures["quantisation error"].measured for figures in maps]
        assert all(one != other for one, other in itertools.combinations(errors, 2))

    def test_distortions_both_ways(self):
        line = np.linspace(0, 1, 100)[:, None] * np.ones(2)
        grid = competing.grid_of(10, 1)
        faithful = competing.distortions(line, line[5::10], grid, 3)
        shuffled = competing.distortions(line, line[5::10][[0, 4, 8, 2, 6, 1, 5, 9, 3, 7]], grid, 3)
        assert faithful == (0, 0) and min(shuffled) > 0.05


class TestCsv:
    def test_votes_with_their_party(self, tmp_path):
        (tmp_path / "votes.csv").write_text("republican,n,y,?\ndemocrat,y,n,y\ndemocrat,y,n,n\n")
        values, labels, names = read_csv(str(tmp_path / "votes.csv"))
        assert values.shape == (3, 3) and labels.tolist() == [1, 0, 0] and names == ["column 2", "column 3", "column 4"]
        assert values.mean(0) == pytest.approx(0) and values[1, 0] > 0 > values[0, 0]
        frame = last(f"csv={tmp_path / 'votes.csv'},epochs=2,side=3")
        assert len(frame.pictures["Readings of the map"].panels) == 4

    @pytest.mark.parametrize(
        ("text", "fragment"), [("", "or there are none"), ("1,2\n3\n", "different"), ("a\nb\n", "no column")]
    )
    def test_a_wrong_file_is_a_sentence(self, tmp_path, refuses, text, fragment):
        (tmp_path / "x.csv").write_text(text)
        with refuses(fragment):
            read_csv(str(tmp_path / "x.csv"))
        with refuses("cannot be read as CSV"):
            read_csv(str(tmp_path / "none.csv"))


@pytest.fixture(scope="module")
def atlas_frames():
    return [*EXPERIMENT.frames(EXPERIMENT.parse("data=cats and dogs,objects=80,side=3,epochs=3"))]


def test_each_node_of_an_atlas_is_the_nearest_drawn_face_and_a_link_to_it(atlas_frames):
    assert "16 of 80 faces are drawn" in atlas_frames[0].said and atlas_frames[0].progress == 0
    picture, *areas = atlas_frames[-1].pictures["Atlas"].panels[0].marks
    assert len(areas) == 9 and picture.picture.shape == (96, 96, 3)
    for place, area in enumerate(areas):
        address = dict(parse_qsl(area.link))
        index = int(address["seeds"]) - FIRST_SEED
        assert 0 <= index < 80 and address["tab"] == "generate"
        assert address["model"] == FACES["cats and dogs"][index // 16 % 2]  # in turn
        row, column = divmod(place, 3)
        shown = picture.picture[row * 32 : (row + 1) * 32, column * 32 : (column + 1) * 32].astype(int)
        face = draw(zoo.load(address["model"]), latents([int(address["seeds"])])).float()
        expected = avg_pool2d(face, 4)[0].permute(1, 2, 0).numpy()
        assert np.abs(shown - expected).max() <= 1.5
        assert area.box == (column, column + 1, row + 1, row)


def test_an_atlas_is_ordered_neighbours_are_alike():
    faces = Faces("cats", torch.cat([drawn("cats-fast", FIRST_SEED + start, 32) for start in range(0, 160, 16)]))
    assert (faces.objects**2).sum(1).mean() == pytest.approx(1)
    *_, frame = EXPERIMENT.frames(EXPERIMENT.parse("data=cats,objects=160,side=5,epochs=8"))
    seeds = [int(dict(parse_qsl(area.link))["seeds"]) for area in frame.pictures["Atlas"].panels[0].marks[1:]]
    nodes = faces.objects[np.array(seeds) - FIRST_SEED].reshape(5, 5, -1)
    beside = np.sqrt(((nodes[:, 1:] - nodes[:, :-1]) ** 2).sum(-1)).mean()
    anywhere = np.sqrt(competing.squared_distances(*[nodes.reshape(25, -1)] * 2)).mean()
    assert beside < 0.9 * anywhere
