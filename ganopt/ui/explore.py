"""What lies around one face: the walk to another seed, and the map of neighbouring latents."""

from typing import Any

import gradio as gr
import torch

from ganopt.models import model_cache, zoo
from ganopt.models.latents import map_position, parse_seeds
from ganopt.ui import gpu
from ganopt.ui.api import as_file, as_pictures, check_number, offer
from ganopt.ui.common import Scratch, captioned, check_known, face_gallery, show_errors
from ganopt.viz.sheets import save_animation

MIN_SCALE, MAX_SCALE = 0, 2
FEWEST_FRAMES, MOST_FRAMES = 3, 48
NEAREST = 0.05
ARROWS = {"← left": (-1, 0), "↑ up": (0, -1), "↓ down": (0, 1), "→ right": (1, 0)}


def build_explore(device: torch.device, scratch: Scratch, gallery: gr.Gallery, drawn: gr.State, model: str) -> None:
    """Build the part under a gallery that opens when one of its faces is clicked.

    `drawn` holds what the gallery shows: (seeds, model, scale). `model` is what programs get that name none.
    """
    chosen = gr.State(("", 1.0))  # model and scale of the face that was clicked
    place = gr.State((0.0, 0.0))  # the middle of the map
    with gr.Column(visible=False, elem_id="explore") as panel:
        title = gr.Markdown()
        with gr.Row():
            with gr.Column(min_width=320):
                cells, arrows, spacing = _map_part()
            with gr.Column(min_width=320):
                first, last, frames, button, film, strip = _walk_part()

    @show_errors
    def open_panel(drawn: tuple, spacing: float, event: gr.SelectData):
        seeds, model, scale = drawn
        check_known(seeds)
        seed, x_y = seeds[event.index], map_position(seeds[event.index])
        other = seeds[(event.index + 1) % len(seeds)] if len(seeds) > 1 else seed + 1
        faces = _map(model, device, *x_y, spacing, scale)
        return gr.Column(visible=True), f"## Around seed {seed}", (model, scale), x_y, faces, str(seed), str(other)

    @show_errors
    def show_map(chosen: tuple, place: tuple[float, float], spacing: float):
        return _map(chosen[0], device, *place, spacing, chosen[1])

    @show_errors
    def show_walk(chosen: tuple, first: str, last: str, frames: int):
        return _walk(chosen[0], device, scratch, first, last, frames, chosen[1])

    def go(place: tuple[float, float], spacing: float, event: gr.SelectData):
        return model_cache.map_points(*place, spacing)[event.index]

    private: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "draw"}
    opened = gallery.select(open_panel, [drawn, spacing], [panel, title, chosen, place, cells, first, last], **private)
    opened.success(None, js="() => document.querySelector('#explore').scrollIntoView()")
    map_inputs = [chosen, place, spacing]
    spacing.release(show_map, map_inputs, cells, **private)
    cells.select(go, [place, spacing], place, **private).success(show_map, map_inputs, cells, **private)
    for name, step in ARROWS.items():
        move = _mover(*step)
        arrows[name].click(move, [place, spacing], place, **private).success(show_map, map_inputs, cells, **private)
    button.click(show_walk, [chosen, first, last, frames], [film, strip], **private)
    _offer_neighbours(model, device, scratch, cells, strip)


def _offer_neighbours(model: str, device: torch.device, scratch: Scratch, cells: gr.Gallery, strip: gr.Gallery) -> None:
    """Let programs draw the map and walks, with `model` by default; the galleries make files of pictures."""

    def offered_map(
        model: str = model, x: float = 0.0, y: float = 0.0, spacing: float = 0.25, scale: float = 1.0
    ) -> list[dict]:
        """Draw the 5 x 5 faces around the point (x, y) of the map, whose whole points are the seeds x + 100 y.

        Neighbours are `spacing` apart. PNG pictures, row by row.
        """
        zoo.check_offered([model])
        check_number("spacing", spacing, NEAREST, 1)
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        return as_pictures(cells, _map(model, device, x, y, spacing, scale))

    def offered_walk(
        model: str = model, first: int = 0, last: int = 1, frames: int = 24, scale: float = 1.0
    ) -> tuple[dict, list[dict]]:
        """Draw the way from one seed to another: an animated WebP file, and its frames as PNG pictures."""
        zoo.check_offered([model])
        check_number("frames", frames, FEWEST_FRAMES, MOST_FRAMES)
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        path, faces = _walk(model, device, scratch, str(first), str(last), frames, scale)
        return as_file(path), as_pictures(strip, faces)

    offer("map", offered_map, "draw")
    offer("walk", offered_walk, "draw")


def _map(model: str, device: torch.device, x: float, y: float, spacing: float, scale: float) -> list:
    """The faces around a point of the map, as a gallery takes them."""
    faces = gpu.face_map(model, device, x, y, spacing, scale)
    return captioned(faces.pictures, [""] * len(faces.pictures))


def _walk(
    model: str, device: torch.device, scratch: Scratch, first: str, last: str, frames: int, scale: float
) -> tuple[str, list]:
    """The path of the film from one seed to another, and its frames, as a gallery takes them."""
    start, end = (parse_seeds(text, 1)[0] for text in (first, last))
    faces = gpu.walk(model, device, start, end, frames, scale)
    path = scratch.path("walk.webp")
    save_animation(faces.pictures, path)
    return str(path), captioned(faces.pictures, [f"{index + 1}" for index in range(frames)])


def _map_part() -> tuple[gr.Gallery, dict[str, gr.Button], gr.Slider]:
    """The map's faces, the arrows by their names, the distance between neighbours."""
    gr.Markdown("### The map around it\nNeighbours look alike; click one to move there.")
    cells = face_gallery("Map of faces", "map", model_cache.MAP_CELLS)
    with gr.Row():
        arrows = {name: gr.Button(name, size="sm", min_width=60) for name in ARROWS}
    spacing = gr.Slider(
        NEAREST, 1, 0.25, step=0.05, label="Distance between neighbours", info="At 1 each cell is a seed"
    )
    return cells, arrows, spacing


def _walk_part() -> tuple[gr.Textbox, gr.Textbox, gr.Slider, gr.Button, gr.Image, gr.Gallery]:
    """Both seeds, the number of frames, the button; the film and its frames."""
    gr.Markdown("### The way to another seed\nAlong the arc between the two latents.")
    with gr.Row():
        first = gr.Textbox(label="From seed", elem_id="walk-from", min_width=100)
        last = gr.Textbox(label="To seed", elem_id="walk-to", min_width=100)
        frames = gr.Slider(FEWEST_FRAMES, MOST_FRAMES, 24, step=1, label="Frames", min_width=140)
    button = gr.Button("Walk", variant="primary", elem_id="walk")
    film = gr.Image(
        label="Film",
        format="png",
        interactive=False,
        height=300,
        buttons=["download"],
        elem_id="film",
        alt_text="One face turning into another and back",
    )
    with gr.Accordion("Frames", open=False):
        strip = face_gallery("Frames", "frames", 6, enlarge=True)
    return first, last, frames, button, film, strip


def _mover(right: int, down: int):
    return lambda place, spacing: (place[0] + right * spacing, place[1] + down * spacing)
