"""Exploring the latent space around a face: the map of its neighbours, and the walk to another seed."""

from typing import Any

import gradio as gr
import torch

from ganopt.models import model_cache, zoo
from ganopt.models.latents import map_position, parse_seeds
from ganopt.ui import gpu
from ganopt.ui.api import add_endpoint, as_file, as_pictures, check_number
from ganopt.ui.common import Scratch, captioned, check_session, face_gallery, show_errors
from ganopt.viz.sheets import save_animation

MIN_SCALE, MAX_SCALE = 0, 2
FEWEST_FRAMES, MOST_FRAMES = 3, 48
MIN_SPACING = 0.05
ARROWS = {"← left": (-1, 0), "↑ up": (0, -1), "↓ down": (0, 1), "→ right": (1, 0)}


def build_explore(device: torch.device, scratch: Scratch, gallery: gr.Gallery, drawn: gr.State, model: str) -> None:
    """Build the panel below a gallery. It opens when a face is clicked.

    `drawn` is the state with the content of the gallery: (seeds, model, scale). `model` is the endpoints' default.
    """
    chosen = gr.State(("", 1.0))  # model and scale of the clicked face
    centre = gr.State((0.0, 0.0))  # of the map
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
        check_session(seeds)
        seed, x_y = seeds[event.index], map_position(seeds[event.index])
        other = seeds[(event.index + 1) % len(seeds)] if len(seeds) > 1 else seed + 1
        faces = _map(model, device, *x_y, spacing, scale)
        return gr.Column(visible=True), f"## Around seed {seed}", (model, scale), x_y, faces, str(seed), str(other)

    @show_errors
    def show_map(chosen: tuple, centre: tuple[float, float], spacing: float):
        return _map(chosen[0], device, *centre, spacing, chosen[1])

    @show_errors
    def show_walk(chosen: tuple, first: str, last: str, frames: int):
        return _walk(chosen[0], device, scratch, first, last, frames, chosen[1])

    def move_to(centre: tuple[float, float], spacing: float, event: gr.SelectData):
        return model_cache.map_points(*centre, spacing)[event.index]

    private: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "draw"}
    opened = gallery.select(open_panel, [drawn, spacing], [panel, title, chosen, centre, cells, first, last], **private)
    opened.success(None, js="() => document.querySelector('#explore').scrollIntoView()")
    map_inputs = [chosen, centre, spacing]
    spacing.release(show_map, map_inputs, cells, **private)
    cells.select(move_to, [centre, spacing], centre, **private).success(show_map, map_inputs, cells, **private)
    for name, step in ARROWS.items():
        move = _mover(*step)
        arrows[name].click(move, [centre, spacing], centre, **private).success(show_map, map_inputs, cells, **private)
    button.click(show_walk, [chosen, first, last, frames], [film, strip], **private)
    _add_endpoints(model, device, scratch, cells, strip)


def _add_endpoints(model: str, device: torch.device, scratch: Scratch, cells: gr.Gallery, strip: gr.Gallery) -> None:
    """Add the endpoints of the panel, with `model` as the default. The galleries write the pictures as files."""

    def map_endpoint(
        model: str = model, x: float = 0.0, y: float = 0.0, spacing: float = 0.25, scale: float = 1.0
    ) -> list[dict]:
        """Draw the 5 x 5 faces around the point (x, y) of the map, where integer points are the seeds x + 100 y.

        Neighbours have the distance `spacing`. Returns PNG files, row by row.
        """
        zoo.check_offered([model])
        check_number("spacing", spacing, MIN_SPACING, 1)
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        return as_pictures(cells, _map(model, device, x, y, spacing, scale))

    def walk_endpoint(
        model: str = model, first: int = 0, last: int = 1, frames: int = 24, scale: float = 1.0
    ) -> tuple[dict, list[dict]]:
        """Draw a walk from one seed to another: an animated WebP file, and its frames as PNG files."""
        zoo.check_offered([model])
        check_number("frames", frames, FEWEST_FRAMES, MOST_FRAMES)
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        path, faces = _walk(model, device, scratch, str(first), str(last), frames, scale)
        return as_file(path), as_pictures(strip, faces)

    add_endpoint("map", map_endpoint, "draw")
    add_endpoint("walk", walk_endpoint, "draw")


def _map(model: str, device: torch.device, x: float, y: float, spacing: float, scale: float) -> list:
    """The faces around a point of the map, as the value of a gallery."""
    faces = gpu.face_map(model, device, x, y, spacing, scale)
    return captioned(faces.pictures, [""] * len(faces.pictures))


def _walk(
    model: str, device: torch.device, scratch: Scratch, first: str, last: str, frames: int, scale: float
) -> tuple[str, list]:
    """The path of the film of a walk, and its frames as the value of a gallery."""
    start, end = (parse_seeds(text, 1)[0] for text in (first, last))
    faces = gpu.walk(model, device, start, end, frames, scale)
    path = scratch.path("walk.webp")
    save_animation(faces.pictures, path)
    return str(path), captioned(faces.pictures, [f"{index + 1}" for index in range(frames)])


def _map_part() -> tuple[gr.Gallery, dict[str, gr.Button], gr.Slider]:
    """The faces of the map, the arrow buttons by name, and the slider for the spacing."""
    gr.Markdown("### Map of neighbouring faces\nClick a face to move there.")
    cells = face_gallery("Map of faces", "map", model_cache.MAP_CELLS)
    with gr.Row():
        arrows = {name: gr.Button(name, size="sm", min_width=60) for name in ARROWS}
    spacing = gr.Slider(
        MIN_SPACING, 1, 0.25, step=0.05, label="Distance between neighbours", info="At 1, each cell is a seed"
    )
    return cells, arrows, spacing


def _walk_part() -> tuple[gr.Textbox, gr.Textbox, gr.Slider, gr.Button, gr.Image, gr.Gallery]:
    """Both seeds, the number of frames, the button, the film and its frames."""
    gr.Markdown("### Walk to another seed\nSpherical interpolation between the two latents.")
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
    return lambda centre, spacing: (centre[0] + right * spacing, centre[1] + down * spacing)
