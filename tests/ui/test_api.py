"""The API on a real server: each endpoint, wrong arguments, and the examples in docs/python.md."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from ganopt.runs import manager
from ganopt.ui.api import check_number
from ganopt.ui.common import optional_number, optional_text

ENDPOINTS = {"/generate", "/best", "/map", "/walk", "/find", "/compare", "/pair", "/fid", "/lab", "/cost", "/train"}
DOCUMENT = (Path(__file__).parents[2] / "docs/python.md").read_text()
SECTION = DOCUMENT.partition("## From a program")[2].partition("\n## ")[0]
SERVED = "http://127.0.0.1:7860"  # there
TINY = {"network": "big/64", "side": 32, "settings": {"batch": 4}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def address(folder, three_models, thin_inception, launch_page):
    """The address of a page with three tiny models."""
    settings = {name: str(folder / name) for name in ("GANOPT_RUNS", "GANOPT_CACHE", "GRADIO_TEMP_DIR")}
    page = launch_page(GANOPT_CHECKPOINTS=three_models, GANOPT_INCEPTION=thin_inception, **settings)
    return page.local_url.rstrip("/")


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


@pytest.fixture(scope="module")
def archive(folder, draw_faces):
    """A zip file of sixty drawn faces."""
    with zipfile.ZipFile(folder / "faces.zip", "w") as file:
        for path in draw_faces(folder / "faces", 60):
            file.write(path, path.name)
    return handle_file(folder / "faces.zip")


def is_png(path: str) -> bool:
    with Image.open(path) as image:
        return image.format == "PNG"


def test_all_endpoints_have_documentation_and_defaults(client):
    found = client.view_api(return_format="dict", print_info=False)
    assert set(found["named_endpoints"]) == ENDPOINTS and not found["unnamed_endpoints"]
    for endpoint in found["named_endpoints"].values():
        assert endpoint["description"].endswith(".") and len(endpoint["description"]) > 50
        assert endpoint["returns"]
        for parameter in endpoint["parameters"]:
            assert parameter["parameter_has_default"] and parameter["type"], parameter
            assert re.fullmatch("[a-z_]+", parameter["parameter_name"]) and "param" not in parameter["parameter_name"]


def test_generate(client):
    pictures, facts, archive = client.predict("cats-student", "3, 5", 0.5, api_name="/generate")
    assert [picture["caption"] for picture in pictures] == ["seed 3", "seed 5"]
    assert all(is_png(picture["image"]) for picture in pictures) and "2 faces" in facts
    with zipfile.ZipFile(archive) as file:
        assert file.namelist() == ["seed-0003.png", "seed-0005.png", "sheet.png"]


def test_map(client):
    pictures = client.predict(x=7, spacing=0.5, api_name="/map")
    assert len(pictures) == 25 and all(is_png(picture["image"]) for picture in pictures)
    [face], *_ = client.predict(seeds="7", api_name="/generate")
    assert Path(pictures[12]["image"]).read_bytes() == Path(face["image"]).read_bytes()


def test_walk(client):
    film, pictures = client.predict(first=1, last=9, frames=3, api_name="/walk")
    with Image.open(film) as image:
        assert image.format == "WEBP" and image.n_frames == 4
    [_, end], *_ = client.predict(seeds="1, 9", api_name="/generate")
    assert Path(pictures[-1]["image"]).read_bytes() == Path(end["image"]).read_bytes()


def test_compare(client):
    models = ["cats-teacher", "dogs-transfer"]
    facts, sheet, known, pictures = client.predict(models, "0-1, 1", api_name="/compare")
    assert (
        "4 faces" in facts
        and facts.endswith(" Repeated seeds are drawn once.")
        and is_png(sheet)
        and known[0][0] == "Cats, <teacher>"
    )
    assert [re.sub(r"[\d.]+$", "", each["caption"]) for each in pictures] == [
        "seed ",
        "seed 0 · L1 ",
        "seed ",
        "seed 1 · L1 ",
    ]


def test_pair(client):
    pictures, sentence = client.predict("cats-teacher", "cats-student", 4, api_name="/pair")
    assert [each["caption"] for each in pictures] == ["cats-teacher", "cats-student", "difference"]
    assert all(is_png(each["image"]) for each in pictures) and "Cosine" in sentence


def test_fid(client, archive):
    arguments = {"models": ["cats-teacher"], "count": 50, "against": "cats-student"}
    found = client.predict(**arguments, upload=archive, upload_as_reference=True, api_name="/fid")
    rows = [dict(zip(found["headers"], row, strict=True)) for row in found["rows"]]
    assert found["status"].startswith("Done") and rows[-1]["Pictures of"] == "cats-teacher" and rows[-1]["n"] == "50"
    assert float(rows[-1]["fid50"]) > 0 and float(rows[-1]["FID to teacher"]) > 0
    assert Path(found["csv"]).read_text().startswith("Pictures of,n,fid50")


def test_cost(client):
    message = client.predict(minutes=1, **TINY, api_name="/cost")
    assert re.fullmatch(r"A step takes [\d.e-]+ s, so 1 minutes are about [\d,]+ steps, .*GB of .*\.", message)


def test_train(client, archive, folder):
    more = folder / "more.zip"
    more.write_bytes((folder / "faces.zip").read_bytes())
    with zipfile.ZipFile(more, "a") as file:
        file.writestr("notes.txt", "hi")
    message, name = client.predict(minutes=5, name="mine", files=[handle_file(more)], **TINY, api_name="/train")
    assert name == "mine" and message == "'mine' has been started. It uses 60 pictures. Left out: 1 .txt."
    manager.stop(folder / "GANOPT_RUNS", "mine")


@pytest.mark.parametrize(
    ("name", "arguments", "fragment"),
    [
        ("generate", {"model": "../../etc/passwd"}, "Unknown model"),
        ("generate", {"model": "user/repository"}, "Unknown model"),
        ("generate", {"model": 3}, "'model' is not valid"),
        ("best", {}, "not known where the eyes of cats-teacher's faces are"),  # it was trained on drawings
        ("best", {"model": "cats-teecher"}, "Unknown model"),
        ("best", {"seeds": "0-256"}, "more than 256 seeds"),
        ("best", {"count": 65}, "'count' must be a number from 1 to 64"),
        ("generate", {"seeds": None}, "'seeds' is not valid"),
        ("generate", {"seeds": "5-2"}, "runs backwards"),
        ("generate", {"scale": "wild"}, "'scale' is not valid"),
        ("generate", {"scale": float("nan")}, "'scale' is not valid"),
        ("generate", {"scale": 2.01}, "'scale' must be a number from 0 to 2"),
        ("map", {"spacing": 0}, "'spacing' must be a number"),
        ("walk", {"frames": 10**9}, "'frames' must be a number"),
        ("walk", {"first": -1}, "is not a seed"),
        ("compare", {"models": []}, "0 models cannot be compared"),
        ("compare", {"models": "cats-teacher"}, "'models' is not valid"),
        ("pair", {"seed": 2**32}, "is too large"),
        ("fid", {"models": ["nobody"]}, "Unknown model"),
        ("fid", {"models": []}, "Unknown reference ''"),
        ("fid", {"reference": "/etc"}, "Unknown reference"),
        ("fid", {"upload": {"path": "/etc/passwd"}}, "must be uploaded first"),
        ("fid", {"upload": {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}}, "must be uploaded first"),
        ("cost", {"minutes": float("nan")}, "'minutes' is not valid"),
        ("cost", {"settings": {"source": "x"}}, "Unknown setting 'source'"),
        ("cost", {"settings": {"batch": "many"}}, "--batch is 'many'; it must be a whole number"),
        ("train", {"method": "magic"}, "Unknown method"),
        ("train", {"name": "../x"}, "A run's name may have"),
        ("train", {"data": "sample:nobody"}, "nobody"),
        ("train", {"method": "transfer", "origin": "/etc/passwd"}, "Unknown model"),
        ("train", {"files": [{"path": "/etc/passwd"}]}, "must be uploaded first"),
    ],
)
def test_a_wrong_argument_gives_a_sentence(address, name, arguments, fragment):
    event, answer = call(f"{address}/gradio_api/call/v2/{name}", arguments)
    assert event == "error" and fragment in answer["error"] and answer["error"].endswith("."), answer
    assert len(answer["error"]) < 500 and "\n" not in answer["error"]


@pytest.mark.parametrize("data", [[], ["cats-teacher"], ["cats-teacher", "0", 1, 1]])
def test_a_wrong_number_of_values_is_refused(address, data):
    event, answer = call(f"{address}/gradio_api/call/generate", {"data": data})
    assert event == "error" and "takes 3 values" in answer["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call/v2/generate", b'{"surplus": 1}'),
        ("call/generate", b'{"data": NaN}'),
        ("call/generate", b"{"),
        ("call/v2/nothing", b"{}"),
        ("call/nothing", b'{"data": []}'),
    ],
)
def test_an_unreadable_body_is_refused(address, path, body):
    request = urllib.request.Request(f"{address}/gradio_api/{path}", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 422 and json.load(caught.value)["detail"].endswith(".")


def test_a_full_disk_is_a_sentence(address, small_disk, monkeypatch, capfd):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(small_disk("64k")))
    event, answer = call(f"{address}/gradio_api/call/v2/generate", {"seeds": "0-63"})
    assert event == "error" and "server's disk is full" in answer["error"]
    assert "Traceback" not in capfd.readouterr().err


def test_plain_http_works_and_returns_file_urls(address):
    event, answer = call(f"{address}/gradio_api/call/generate", {"data": ["cats-teacher", "8", 1]})
    pictures, facts, archive = answer
    assert event == "complete" and facts.startswith("0.")
    with urllib.request.urlopen(pictures[0]["image"]["url"]) as response, Image.open(response) as image:
        assert image.size == (32, 32)
    with urllib.request.urlopen(archive["url"]) as response:
        assert response.read(2) == b"PK"


def test_the_client_in_the_documentation_runs(address):
    [lines] = re.findall("```python\n(.*?)```", SECTION, re.DOTALL)
    assert SERVED in lines
    names: dict = {}
    exec(lines.replace(SERVED, address), names)
    assert all(is_png(face["image"]) for face in names["faces"]) and len(names["faces"]) == 4


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_in_the_documentation_runs(address):
    [lines] = re.findall("```bash\n(.*?)```", SECTION, re.DOTALL)
    done = subprocess.run(["bash", "-ec", lines.replace(SERVED, address)], capture_output=True, text=True, check=True)
    assert "event: complete" in done.stdout and '"caption": "seed 3"' in done.stdout


def call(url: str, body: dict) -> tuple[str, object]:
    """The last event of a call, and its data, with the standard library only."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        name = json.load(response)["event_id"]
    with urllib.request.urlopen(f"{url}/{name}") as response:
        *_, event, data = filter(None, response.read().decode().splitlines())
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_large_numbers_are_written_out(refuses):
    with refuses("from 0 to 4294967295."):
        check_number("seed", -1, 0, 2**32 - 1)
    assert optional_number(optional_text(2**32 - 1), "Seed") == 2**32 - 1
    assert optional_text(1e-4) == "0.0001" and optional_text(0.1) == "0.1"
