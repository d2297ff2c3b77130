"""From requests for runs to recipes within the page's limits."""

import dataclasses
import functools
import zipfile

import pytest

from ganopt.models import zoo
from ganopt.runs import manager
from ganopt.runs.queue import LOCK, lock_file
from ganopt.runs.status import Run
from ganopt.training.methods import METHODS, registry
from ganopt.ui import access, requests, run_summary
from ganopt.ui.requests import PRESETS, RunRequest

TINY = {"network": "big/64", "side": 32}
private_recipe = functools.partial(requests.make_recipe, public=False)
public_recipe = functools.partial(requests.make_recipe, public=True)


@pytest.fixture(autouse=True)
def environment(three_models, monkeypatch, tmp_path):
    """The three tiny models, and no settings."""
    monkeypatch.setenv("GANOPT_CHECKPOINTS", str(three_models))
    monkeypatch.delenv("GANOPT_TRAIN_MINUTES", raising=False)
    monkeypatch.setenv("GANOPT_RUNS", str(tmp_path / "runs"))


def test_each_preset_is_a_recipe():
    made = {text: private_recipe(request) for text, request in PRESETS.items() if request.method != "transfer"}
    scratch, student = made.values()
    assert scratch.method == "r1" and scratch.generator == "big/4@32"
    assert [critic.architecture for critic in scratch.critics] == ["plain-critic/2@32"]
    assert scratch.data == "sample:cats-teacher" and (scratch.minutes, scratch.batch) == (2, 32)
    assert student.method == "distill" and not student.needs_pictures and student.side == 32  # that of its teacher


def test_a_transfer_has_the_networks_of_its_source_and_our_tuned_settings():
    made = private_recipe(
        RunRequest("transfer", 20, "pictures", "cats-teacher", more={"freeze_g": 0, "freeze_d": None})
    )
    assert made.method == "transfer" and (made.critics[0].loss, made.freeze_g, made.freeze_d) == ("r1", 0, 0)
    assert (
        made.preview_every == 100
        and private_recipe(dataclasses.replace(PRESETS["Transfer from cats to dogs"])).preview_every == 20
    )


def test_my_pets_are_transferred_with_both_critics_and_frequent_previews():
    cats, dogs = (PRESETS[f"My pets, starting from the {animals}"] for animals in ("cats", "dogs"))
    assert dogs == dataclasses.replace(cats, origin="dogs-transfer")
    made = private_recipe(dataclasses.replace(cats, data="pictures"))
    assert made.source == "cats-teacher" and made.minutes == 5
    assert (made.preview_every, made.save_every) == (5, 20)  # ten previews in three minutes, and soon faces to draw
    assert [(critic.kind, critic.weight) for critic in made.critics] == [("critic", 1.0), ("projected", 0.5)]


@pytest.mark.parametrize(
    ("has_units", "method", "expected"),
    [
        (False, "r1", ("float32", False)),
        (True, "r1", ("bfloat16", True)),
        (True, "dcgan", ("bfloat16", True)),
        (True, "wgan-gp", ("bfloat16", False)),  # gradients of gradients
    ],
)
def test_a_run_is_in_the_precision_that_this_machine_computes_quickly(has_units, method, expected, monkeypatch):
    monkeypatch.setattr(registry, "computes_bfloat16", lambda device: has_units)
    request = RunRequest(method, 2, "pictures", **TINY)
    made = private_recipe(request)
    assert (made.precision, made.channels_last) == expected
    monkeypatch.setattr(registry, "computes_bfloat16", lambda device: not has_units)
    assert run_summary.request_of(made) == (request, [])  # again on another machine, whose precision may differ


@pytest.mark.parametrize(
    ("run_request", "fragments"),
    [
        (RunRequest("magic", 1, **TINY), ("Unknown method 'magic'",)),
        (RunRequest("r1", -1, "pictures", **TINY), ("minutes",)),
        (RunRequest("r1", None, "pictures", **TINY), ("minutes",)),
        (RunRequest("r1", 1, "pictures", network="tiny"), ("Unknown network",)),
        (RunRequest("r1", 1, "pictures", **TINY, more={"batch": 1}), ("--batch",)),
        (RunRequest("transfer", 1, "pictures"), ("model to start from",)),
        (RunRequest("transfer", 1, "pictures", "run:gone"), ("run:gone",)),
        (RunRequest("transfer", 1, "pictures", "cats-teacher", more={"freeze_g": 4}), ("layers",)),
        (RunRequest("distill", 1, "pictures", "nobody"), ("nobody",)),
        (
            RunRequest("distill", 1, "", "cats-teacher", "big/64", more={"alpha": 0.0, "lr_d": 1e-3}),
            ("--lr-d", "there is no critic"),
        ),
    ],
)
def test_an_invalid_request_is_one_sentence(run_request, fragments, refuses):
    with refuses(*fragments):
        private_recipe(run_request)


def test_uploaded_pictures_without_effect_are_refused(refuses, tmp_path):
    student = RunRequest("distill", 1, "", "cats-teacher", network="big/64", more={"alpha": 0.0})
    with refuses("uploaded pictures have no effect at --alpha 0"):
        requests.start(student, [tmp_path / "cat.png"], "", False)


def test_a_model_without_a_critic_is_refused_as_a_source(refuses, three_models, monkeypatch, tmp_path):
    entries = zoo.catalogue()
    entries["cats-student"] = dataclasses.replace(entries["cats-student"], critic=None)
    monkeypatch.setattr(zoo, "catalogue", lambda: entries)
    with refuses("has no critic"):
        private_recipe(RunRequest("transfer", 1, "pictures", "cats-student"))


def test_any_kind_can_be_a_second_critic(refuses):
    for request in (RunRequest("r1", 1, "pictures", **TINY), RunRequest("transfer", 1, "pictures", "cats-teacher")):
        plain, both = (private_recipe(dataclasses.replace(request, second_critic=each)) for each in ("", "projected"))
        assert len(plain.critics) == 1 and both.critics[0] == plain.critics[0]
        assert [(critic.kind, critic.weight) for critic in both.critics[1:]] == [("projected", 0.5)]
    other = private_recipe(RunRequest("r1", 1, "pictures", **TINY, second_critic="critic")).critics[1]
    assert (other.architecture, other.weight, other.loss) == ("critic/32@32", 0.5, "r1")
    student = RunRequest("distill", 1, "pictures", "cats-teacher", network="big/64", more={"alpha": 0.3})
    assert len(private_recipe(dataclasses.replace(student, second_critic="projected")).critics) == 2
    with refuses("Without pictures there is no critic"):
        private_recipe(dataclasses.replace(student, more={"alpha": 0.0}, second_critic="projected"))


def test_the_second_critic_is_a_setting_of_the_api(refuses):
    arguments = ("r1", 1, "pictures", "", "big/64", 32)
    assert requests.from_api(*arguments, {"second_critic": True, "batch": 4}).second_critic == "projected"
    assert requests.from_api(*arguments, {"second_critic": "critic"}).second_critic == "critic"
    assert not requests.from_api(*arguments, None).second_critic
    for wrong in ("yes", 1, None, ["projected"]):
        with refuses("second_critic", "projected"):
            requests.from_api(*arguments, {"second_critic": wrong})


def test_a_private_page_has_no_limits():
    assert access.limits(public=False) == "" and access.most_minutes(public=False) is None
    assert private_recipe(RunRequest("r1", 600, "a folder", network="big", side=128, more={"batch": 64})).batch == 64


def test_a_public_page_limits_time_batch_and_network_and_says_so(refuses):
    text = access.limits(public=True)
    assert access.most_minutes(public=True) == 5 and "public" in text and "5 min" in text
    assert public_recipe(RunRequest("r1", 5, "sample:cats-teacher", **TINY)).minutes == 5
    for request, fragment in (
        (RunRequest("r1", 6, "sample:cats-teacher", **TINY), "5 min"),
        (RunRequest("r1", 5, "sample:cats-teacher", **TINY, more={"batch": 64}), "at most 32 pictures"),
        (RunRequest("r1", 5, "sample:cats-teacher", **TINY, more={"live_fids": 9}), "at most 8 times"),
        (RunRequest("r1", 5, "sample:cats-teacher", network="big", side=64), "M parameters"),
        (RunRequest("r1", 5, "/etc", **TINY), "cannot read folders on the server; upload pictures instead"),
        (RunRequest("r1", 5, "hub:cat/faces", **TINY), "cannot read datasets; upload pictures instead"),
    ):
        with refuses(fragment):
            public_recipe(request)


def test_a_setting_turns_training_off_or_allows_more(refuses, monkeypatch):
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "0")
    assert "switched off" in access.limits(public=True) == access.limits(public=False)
    with refuses("switched off"):
        public_recipe(RunRequest("r1", 1, "sample:cats-teacher", **TINY))
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "60")
    access.check_minutes(60, public=True)
    for public in (True, False):
        with refuses("60 min"):
            access.check_minutes(61, public)
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "inf")
    assert "any time" in access.limits(public=True)
    monkeypatch.setenv("GANOPT_TRAIN_MINUTES", "")
    assert access.most_minutes(public=True) == 5
    for wrong in ("an hour", "nan", "-1"):
        monkeypatch.setenv("GANOPT_TRAIN_MINUTES", wrong)
        with refuses("GANOPT_TRAIN_MINUTES"):
            access.most_minutes(public=True)


def test_a_resumed_run_must_be_within_the_limits(refuses, tmp_path):
    run = Run("a", tmp_path, "stopped", 5, 80, 2.0)
    made = private_recipe(RunRequest("r1", 4, "sample:cats-teacher", **TINY))
    assert requests.resumed_budget(run, made, None, True) is None and requests.resumed_budget(run, made, 3, True) == 5
    assert requests.resumed_budget(run, dataclasses.replace(made, batch=64), 60, False) == 62
    for more, fragment in ((6, "5 min"), (0, "minutes of the run are missing")):
        with refuses(fragment):
            requests.resumed_budget(run, made, more, True)
    with refuses("minutes of the run are missing"):  # the original budget is spent
        requests.resumed_budget(dataclasses.replace(run, status="finished"), made, None, True)
    with refuses("5 min"):
        requests.resumed_budget(run, dataclasses.replace(made, minutes=60), None, True)
    with refuses("32 pictures"):
        requests.resumed_budget(run, dataclasses.replace(made, batch=64), None, True)


def test_a_public_queue_is_limited(refuses, tmp_path):
    locks = []
    for number in range(4):
        (tmp_path / "runs" / str(number)).mkdir(parents=True)
        locks.append(lock_file(tmp_path / "runs" / str(number) / LOCK))
    with refuses("4 runs"):
        public_recipe(RunRequest("r1", 5, "sample:cats-teacher", **TINY))
    locks.pop().close()
    assert public_recipe(RunRequest("r1", 5, "sample:cats-teacher", **TINY))
    for lock in locks:
        lock.close()


def test_a_teacher_without_a_critic_is_imitated_without_feature_term(monkeypatch):
    entries = zoo.catalogue()
    entries["cats-student"] = dataclasses.replace(entries["cats-student"], critic=None)
    monkeypatch.setattr(zoo, "catalogue", lambda: entries)
    without, with_critic = (
        private_recipe(RunRequest("distill", 1, "", name, **TINY, more={"alpha": 0.0}))
        for name in ("cats-student", "cats-teacher")
    )
    assert (without.feature, without.inherit_critic, without.critics[0].architecture) == (
        0,
        False,
        "plain-critic/32@32",
    )
    assert (with_critic.feature, with_critic.inherit_critic) == (1, True)
    judged = private_recipe(RunRequest("distill", 1, "pictures", "cats-teacher", **TINY))
    assert (judged.feature, judged.pixel, judged.alpha) == (0, "mse", 0.3)


def test_how_many_pictures_a_run_uses_is_said_before_its_start(draw_faces, tmp_path, refuses):
    faces = draw_faces(tmp_path / "faces", 20)
    said = "A run will use these {} pictures, without those that cannot be read."
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for path in faces[:17]:
            archive.write(path, path.name)
        archive.writestr("notes.txt", "no picture")
    assert requests.pictures_text("", [tmp_path / "some.zip"], public=True) == said.format(17)
    assert requests.pictures_text("", faces[:3], public=True) == said.format(3)
    assert requests.pictures_text(str(tmp_path / "faces"), [], public=False) == said.format(20)
    assert requests.pictures_text(str(tmp_path / "faces"), [], public=True) == ""
    assert requests.pictures_text("hub:cat/faces", [], public=False) == ""
    (tmp_path / "text.zip").write_text("no zip file")
    with refuses("text.zip is damaged"):
        requests.pictures_text("", [tmp_path / "text.zip"], public=True)


def test_pictures_that_were_left_out_are_named_with_the_reason(draw_faces, tmp_path, monkeypatch):
    monkeypatch.setattr(manager, "_launch", lambda *_: None)
    faces = draw_faces(tmp_path / "faces", 20)
    faces[3].write_text("no picture")
    request = RunRequest("r1", 1, **TINY, more={"batch": 4})
    said, _ = requests.start(request, faces, "with a damaged one", public=True)
    assert said.startswith("'with a damaged one' has been started. It uses 19 pictures. Skipped 00003.png: ")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_recipe(method):
    made = private_recipe(RunRequest(method, 1, "pictures", "cats-teacher", **TINY))
    assert made.method == method
