"""The page's address: what the open tab shows, so that a link, Back and Forward show it again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr

from ganopt.ui.common import QUIET, Event
from ganopt.viz import pens

Parameters = dict[str, str]
SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
DOWNLOADS = (
    Path(__file__)
    .with_name("page_downloads.js")
    .read_text(encoding="utf-8")
    .replace("@@light@@", str([*pens.LIGHT]))
    .replace("@@ink@@", pens.INK)
    .replace("@@paper@@", pens.PAPER)
)
COPY = "() => ganopt.copyLink()"
NAMED = ("lab", "preset")  # an experiment of the Lab, a preset of the tab Train
TABS = ("generate", "live", "compare", "train", "fid", "lab", "about")


@dataclass(frozen=True)
class Address:
    """The address of a page, as its tabs read and write it."""

    demo: gr.Blocks
    query: gr.Textbox  # of the address, since the page was loaded or Back or Forward was pressed
    arrived: Event  # after which it is read
    tabs: gr.Tabs
    named: dict[str, gr.Button]  # pressed when the address has a parameter of that name

    def read(self, handler: Callable[[Parameters], Any], outputs: Any) -> Event:
        """Call a handler with the address's parameters when the page is loaded, and after Back or Forward."""
        return self._read_on(self.arrived.success, handler, outputs)

    def read_named(self, name: str, handler: Callable[[Parameters], Any], outputs: Any) -> None:
        """The same, only for an address with a parameter of `NAMED`: many outputs double the time of loading a page."""
        press = f"document.getElementById('{name}-linked').click()"
        js = f"query => {{ if (new URLSearchParams(query).get('{name}')) {press}; }}"
        self.arrived.success(None, self.query, None, js=js, api_visibility="private")
        self._read_on(self.named[name].click, handler, outputs)

    def _read_on(self, event: Any, handler: Callable[[Parameters], Any], outputs: Any) -> Event:
        call, mode = (lambda query: handler(parse(query))), "always_last"  # also of two quick steps back
        return event(call, self.query, outputs, trigger_mode=mode, **QUIET)


def build_address(demo: gr.Blocks, tabs: gr.Tabs) -> Address:
    """Build the invisible parts that read the address, and open the tab in it."""
    query = gr.Textbox(visible=False, label="query")
    back = gr.Button(visible="hidden", elem_id="back")  # pressed by the script
    named = {name: gr.Button(visible="hidden", elem_id=f"{name}-linked") for name in NAMED}
    for script in (SCRIPT, DOWNLOADS):
        demo.load(None, js=script, api_visibility="private")
    arrived = gr.on([demo.load, back.click], None, None, query, js="() => location.search", api_visibility="private")
    address = Address(demo, query, arrived, tabs, named)
    # without a link, the tab that a quick visitor has opened meanwhile stays open
    address.read(lambda parameters: gr.Tabs(selected=tab_of(parameters)) if parameters else gr.skip(), tabs)
    return address


def show_after(event: Event, tab: str, link: gr.Textbox) -> Event:
    """After an event, write a tab's `link` into the address, if the tab is open, or else when it is opened."""
    return event.success(None, link, js=f"query => ganopt.shown('{tab}', query)", api_visibility="private")


def query_of(tab: str, **parameters: object) -> str:
    """The query for the content of a tab."""
    return urlencode({"tab": tab} | parameters)


def parse(query: str | None) -> Parameters:
    """The parameters in a query; the last of several with the same name."""
    return dict(parse_qsl((query or "").removeprefix("?"), keep_blank_values=True))


def tab_of(parameters: Parameters) -> str:
    """The tab that an address is about, also in a link without its name."""
    named = next((tab for tab in TABS if tab in parameters), TABS[0])
    return parameters["tab"] if parameters.get("tab") in TABS else named
