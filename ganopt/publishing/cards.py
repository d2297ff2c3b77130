"""Model cards (README.md on the Hub), made of the facts in a model's file, the catalogue and results.json."""

import re
from pathlib import Path
from typing import Any

import huggingface_hub

from ganopt.models import weights, zoo
from ganopt.models.catalogue import Entry, catalogue, read_json
from ganopt.models.checkpoint_files import checkpoint, on_hub
from ganopt.models.networks import parameters_of

LICENCES = ("apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0")
MEASURED = ("reference", "reference_hash", "kid", "precision", "recall", "swd", "diversity", "arithmetic", "device")
Facts = dict[str, object]


def of_model(name: str, path: Path, repository: str) -> str:
    """The card of one model, from its file, the catalogue and results.json, for its repository."""
    metadata = weights.read_metadata(path)
    recipe = weights.read_recipe(metadata, name)
    data = Path(str(recipe.pop("data", ""))).name  # a path on the user's disk is private
    recipe.pop("device", None)
    for number, critic in enumerate(recipe.pop("critics", ()), start=1):
        recipe[f"critic {number}"] = ", ".join(f"{name} {value}" for name, value in critic.items())
    entry, seen = zoo.in_catalogue(name, local=True), weights.images_seen(path.parent)
    architecture = weights.read_architecture(metadata, name)
    facts: Facts = {"generator": architecture}
    facts |= {"stored": f"as a difference to {metadata['source']}" if "source" in metadata else "whole"}
    facts |= {"parameters": parameters_of(str(architecture)), "side of the pictures, in pixels": architecture.side}
    if entry:
        facts |= _origin(entry)
    else:
        facts |= {"trained on": data or "not recorded", "licence of the data and the model": "not recorded"}
        facts |= {"pictures seen in training": "not recorded" if seen is None else seen}
    sections = {"Model": facts, "Training": recipe, "Measured": {} if on_hub() and not entry else _measured(name)}
    title, notes = (entry.title, entry.notes) if entry else (repository, "Trained with ganopt.")
    parts = [_front(entry.licence if entry else ""), f"# {title}", notes]
    parts += [_table(heading, rows) for heading, rows in sections.items()]
    code = (
        "from ganopt import draw, latents, load, to_image\n"
        f'generator = load("{repository}")\n'
        'to_image(draw(generator, latents([0]))[0]).save("face.png")\n'
    )
    return _joined([*parts, f"## Use\n\n```python\n{code}```"])


def of_checkpoints(repository: str) -> str:
    """The card of a repository with all shipped models: a table of facts and measurements for each."""
    parts = [
        _front("cc-by-nc-4.0"),
        "# The weights of ganopt",
        "Compact GANs for animal faces. The licence of each file and its reason are in [LICENSE](LICENSE).",
    ]
    for name, entry in catalogue().items():
        facts: Facts = {"file": entry.file, "bytes": entry.bytes, "SHA-256": entry.sha256, "role": entry.role}
        facts |= {"generator": entry.architecture, "parameters": parameters_of(entry.architecture)}
        facts |= {"stored": f"as a difference to {entry.source}" if entry.source else "whole"}
        facts |= {"critic": entry.critic.file} if entry.critic else {}
        parts += [_table(f"{entry.title}: {name}", facts | _origin(entry) | _measured(name)), entry.notes]
    use = f"pip install ganopt\nGANOPT_HUB={repository} ganopt generate --seeds 0-15"
    return _joined([*parts, f"## Use\n\nWith the package installed from its repository:\n\n```bash\n{use}\n```"])


def _front(licence: str) -> str:
    """The card's metadata."""
    licence_id = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-") or "unknown"
    named: dict[str, Any] = {} if licence_id in (*LICENCES, "unknown") else {"license_name": licence_id}
    front = huggingface_hub.ModelCardData(
        license="other" if named else licence_id,
        library_name="ganopt",
        tags=["gan", "animal-faces", "unconditional-image-generation"],
        pipeline_tag="unconditional-image-generation",
        **named,
    )
    return f"---\n{front.to_yaml()}\n---"


def _origin(entry: Entry) -> Facts:
    return {
        "trained on": entry.trained_on,
        "licence of the data and the model": entry.licence,
        "pictures seen in training": entry.images,
    }


def _measured(name: str) -> Facts:
    """The latest FID of a model in results.json, with its protocol and the floor, that of real pictures."""
    records = read_json(checkpoint("results.json")).get("records")
    chosen: Facts = {}
    found = {each.get("name"): each for each in records or () if isinstance(each, dict) and each.get("kind") == "fid"}
    if record := found.get(name):
        chosen = {f"fid{record.get('count')}": record.get("fid")} | {key: record.get(key) for key in MEASURED}
        floor = found.get(f"floor-{record.get('reference')}", {})
        if all(floor.get(key) == record.get(key) for key in ("count", "reference_hash")):
            chosen["the same of real pictures"] = floor.get("fid")
    return {key: value for key, value in chosen.items() if isinstance(value, (int, float, str))}


def _table(heading: str, facts: Facts) -> str:
    """A section with a table of facts; empty without any."""
    rows = [f"| {name} | {_cell(value)} |" for name, value in facts.items()]
    return "\n".join([f"## {heading}", "", "| | |", "| --- | --- |", *rows]) if rows else ""


def _joined(parts: list[str]) -> str:
    return "\n\n".join(filter(None, parts)) + "\n"


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
