"""The panel below a gallery: a face of its own, the map of its neighbours, and the walk to another face."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
import torch

from ganopt.models import model_cache, zoo
from ganopt.models.latents import Face, Point, face_at, format_seeds, label, parse_faces, point_of
from ganopt.models.model_cache import Faces
from ganopt.ui import gpu
from ganopt.ui.address import parse, query_of, show_after, tab_of
from ganopt.ui.api import add_endpoint, as_file, as_pictures, check_number
from ganopt.ui.common import QUIET, Event, Scratch, captioned, check_session, face_gallery, shown_picture, title_of
from ganopt.ui.explore.own_face import OwnFace, build_own_face
from ganopt.ui.messages import answer, sentence_place
from ganopt.viz.sheets import save_animation

MIN_SCALE, MAX_SCALE = 0, 2
MIN_FRAMES, MAX_FRAMES = 3, 48
MIN_SPACING = 0.05
ARROWS = {"← left": (-1, 0), "↑ up": (0, -1), "↓ down": (0, 1), "→ right": (1, 0)}
FOCUS = "() => ganopt.focusOn('#explore')"
FOCUS_IF_LINKED = "() => new URLSearchParams(location.search).has('face') && ganopt.focusOn('#explore')"


def build_explore(
    device: torch.device, scratch: Scratch, gallery: gr.Gallery, drawn: gr.State, query: gr.Textbox, model: str
) -> tuple[Callable[[Event], None], Callable[[Event], None]]:
    """Build the panel below a gallery. It opens when a face is clicked.

    `drawn` is the state with the content of the gallery: (faces, model, scale). `query` is that of the address, and
    `model` the endpoints' default. Returns functions that open the panel after an event: at the first face of the
    gallery, and at the one that the address names, if it does.
    """
    chosen = gr.State(("", 1.0, ""))  # model and scale of the clicked face, and the faces of the gallery
    centre, link = gr.State(Point()), gr.Textbox(visible=False, label="link")  # of the map
    opening_problem = sentence_place("explore-problem")  # not in the panel, which it does not open
    with gr.Column(visible=False, elem_id="explore") as panel:
        title = gr.HTML(elem_id="explored", elem_classes=["prose", "bare"])
        with gr.Row():
            with gr.Column(min_width=280):
                own = build_own_face(scratch)
            with gr.Column(min_width=320):
                cells, arrows, spacing = _map_part()
                map_problem = sentence_place("map-problem")
            with gr.Column(min_width=320):
                first, last, frames, button, film, strip = _walk_part()
                walk_problem = sentence_place("walk-problem")
    shown = [centre, cells, link, *own.outputs]
    opening = [panel, title, chosen, first, last, *shown]
    handlers = _Handlers(device, own, len(opening))

    def show_walk(chosen: tuple, first: str, last: str, frames: int) -> tuple:
        return _walk(chosen[0], device, scratch, first, last, frames, chosen[1])

    draw_on = partial(answer, concurrency_id="draw")

    def open_on(event: Any, handler: Any, inputs: list, focus: str) -> None:
        # a click during another drawing counts: the calls are answered one after the other
        opened = draw_on(event, handler, inputs, opening, opening_problem, "multiple")
        show_after(opened, "generate", link).success(None, js=focus)

    open_on(gallery.select, handlers.open_clicked, [drawn, spacing], FOCUS)
    moves: list[tuple[Any, Callable, str]] = [(spacing.release, handlers.show, "always_last")]
    moves += [(cells.select, handlers.move_to, "once")]  # the next click is on other faces
    moves += [(arrows[name].click, handlers.mover(*step), "multiple") for name, step in ARROWS.items()]
    for event, handler, mode in moves:
        moved = draw_on(event, handler, [chosen, centre, spacing], shown, map_problem, mode)
        show_after(moved, "generate", link)
    draw_on(button.click, show_walk, [chosen, first, last, frames], [film, strip], walk_problem, "always_last")
    for end, field in ((own.as_start, first), (own.as_end, last)):
        end.click(lambda centre: str(face_at(centre)), centre, field, **QUIET)
    _add_endpoints(model, device, scratch, cells, strip)
    return (
        lambda event: open_on(event.success, handlers.open_first, [drawn, spacing], FOCUS),
        lambda event: open_on(event.success, handlers.open_linked, [query, drawn, spacing], FOCUS_IF_LINKED),
    )


@dataclass(frozen=True)
class _Handlers:
    """Handlers that open the panel or move its map, with the values of all its parts."""

    device: torch.device
    own: OwnFace
    parts: int

    def show(self, chosen: tuple, centre: Point, spacing: float) -> tuple:
        """The map around a point and the face there, of a chosen (model, scale, faces of the gallery)."""
        model, scale, seeds = chosen
        drawn, face = gpu.face_map(model, self.device, centre, spacing, scale), face_at(centre)
        query = query_of("generate", model=model, seeds=seeds, scale=f"{scale:g}", face=str(face))
        values = self.own.describe(drawn.pictures[len(drawn.pictures) // 2], face, model)
        return centre, _cells(drawn), query, *values

    def move_to(self, chosen: tuple, centre: Point, spacing: float, event: gr.SelectData) -> tuple:
        return self.show(chosen, model_cache.map_points(centre, spacing)[event.index], spacing)

    def mover(self, right: int, down: int) -> Callable:
        return lambda chosen, centre, spacing: self.show(chosen, centre.moved(right * spacing, down * spacing), spacing)

    def open_at(self, drawn: tuple, face: Face, other: Face, spacing: float) -> tuple:
        """Open the panel at a face of what is drawn: (faces, model, scale). `other` is the end of the first walk."""
        faces, model, scale = drawn
        # the gallery may show another model later
        title = f"<h2>Around {html.escape(label(face))} of {html.escape(title_of(model))}</h2>"
        chosen = model, scale, format_seeds(faces)
        around = self.show(chosen, point_of(face), spacing)
        return gr.Column(visible=True), title, chosen, str(face), str(other), *around

    def open_clicked(self, drawn: tuple, spacing: float, event: gr.SelectData) -> tuple:
        check_session(drawn[0])
        return self.open_at(drawn, *_with_next(drawn[0], event.index), spacing)

    def open_first(self, drawn: tuple, spacing: float) -> tuple:
        check_session(drawn[0])
        return self.open_at(drawn, *_with_next(drawn[0], 0), spacing)

    def open_linked(self, query: str, drawn: tuple, spacing: float) -> tuple:
        """Open it at the face that the address names, if it does."""
        parameters = parse(query)
        text = parameters.get("face", "") if tab_of(parameters) == "generate" else ""
        if not text or not drawn[0]:
            return (gr.skip(),) * self.parts
        face = parse_faces(text, 1)[0]
        return self.open_at(drawn, face, drawn[0][0] if drawn[0][0] != face else 0, spacing)


def _with_next(faces: list[Face], index: int) -> tuple[Face, Face]:
    """A face of a gallery, and another one to walk to."""
    face, other = faces[index], faces[(index + 1) % len(faces)]
    if other == face:
        other = face + 1 if isinstance(face, int) else 0
    return face, other


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
        return as_pictures(cells, _cells(gpu.face_map(model, device, Point(x, y), spacing, scale)))

    def walk_endpoint(
        model: str = model, first: int = 0, last: int = 1, frames: int = 24, scale: float = 1.0
    ) -> tuple[dict, list[dict]]:
        """Draw a walk from one seed to another: an animated WebP file, and its frames as PNG files."""
        zoo.check_offered([model])
        check_number("frames", frames, MIN_FRAMES, MAX_FRAMES)
        check_number("scale", scale, MIN_SCALE, MAX_SCALE)
        path, faces = _walk(model, device, scratch, str(first), str(last), frames, scale)
        return as_file(path), as_pictures(strip, faces)

    add_endpoint("map", map_endpoint, "draw")
    add_endpoint("walk", walk_endpoint, "draw")


def _cells(faces: Faces) -> list:
    """The faces of a map, as the value of a gallery."""
    return captioned(faces.pictures, [""] * len(faces.pictures))


def _walk(
    model: str, device: torch.device, scratch: Scratch, first: str, last: str, frames: int, scale: float
) -> tuple[str, list]:
    """The path of the film of a walk, and its frames as the value of a gallery."""
    start, end = (parse_faces(text, 1)[0] for text in (first, last))
    faces = gpu.walk(model, device, start, end, frames, scale)
    path = scratch.path(f"{model}-walk-{start}-{end}.webp")
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
    """Both ends, the number of frames, the button, the film and its frames."""
    gr.Markdown("### Walk to another face\nSpherical interpolation between the two latents.")
    with gr.Row():
        first = gr.Textbox(label="From", max_lines=1, elem_id="walk-from", min_width=100)
        last = gr.Textbox(label="To", max_lines=1, elem_id="walk-to", min_width=100)
    frames = gr.Slider(MIN_FRAMES, MAX_FRAMES, 24, step=1, label="Frames")
    button = gr.Button("Walk", variant="primary", elem_id="walk")
    film = shown_picture("Film", "film", height=300, alt_text="One face turning into another and back")
    with gr.Accordion("Frames", open=False):
        strip = face_gallery("Frames", "frames", 6, enlarge=True)
    return first, last, frames, button, film, strip
