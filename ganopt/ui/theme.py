"""Colours, type and spacing, for light and dark; system fonts, so nothing is downloaded."""

import gradio as gr

THEME = gr.themes.Base(
    primary_hue="teal",
    secondary_hue="teal",
    neutral_hue="slate",
    radius_size="md",
    font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "monospace"],
).set(
    body_background_fill="*neutral_50",
    body_background_fill_dark="*neutral_950",
    block_background_fill="white",
    block_background_fill_dark="*neutral_900",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_400",
    block_label_text_color="*neutral_600",
    block_title_text_color="*neutral_700",
    block_title_text_weight="600",
    input_border_width="1px",
    input_border_width_dark="1px",
    input_border_color="*neutral_300",
    input_border_color_dark="*neutral_600",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
    link_text_color_hover="*primary_800",
    link_text_color_hover_dark="*primary_200",
    link_text_color_visited="*primary_700",
    link_text_color_visited_dark="*primary_300",
    link_text_color_active="*primary_700",
    link_text_color_active_dark="*primary_300",
    button_border_width="1px",
    button_border_width_dark="1px",
    button_large_text_weight="600",
    button_primary_border_color="*primary_700",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    button_primary_text_color="white",
    button_secondary_background_fill="white",
    button_secondary_background_fill_hover="*neutral_100",
    button_secondary_background_fill_dark="*neutral_800",
    button_secondary_background_fill_hover_dark="*neutral_700",
    button_secondary_border_color="*neutral_300",
    button_secondary_border_color_dark="*neutral_600",
    button_secondary_text_color="*neutral_800",
    button_secondary_text_color_dark="*neutral_100",
    slider_color="*primary_600",
    slider_color_dark="*primary_500",
)

CSS = """
.gradio-container {
  width: 100% !important; max-width: 1280px !important; margin: 0 auto !important; box-sizing: border-box;
}
:root { --color-accent: var(--primary-700); }
.dark { --color-accent: var(--primary-300); }
:focus-visible { outline: 2px solid var(--color-accent) !important; outline-offset: 2px !important; }
.dark input[type=range] { --neutral-200: var(--neutral-600); }
input[type=range]::-webkit-slider-thumb { border: 2px solid var(--slider-color); } /* or white on white */
input[role=combobox] { padding-right: 28px; text-overflow: ellipsis; } /* what is chosen ends before the arrow */
#header h1 { margin-bottom: 0; }
:is(#header, #footer) p { color: var(--body-text-color-subdued); font-size: .9rem; }
#facts, #compare-facts { min-height: 3rem; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
/* examples to press, above what they fill in */
.examples { flex-direction: column; gap: 6px !important; }
.examples button { border-radius: 99px; justify-content: flex-start; padding-inline: 12px; }
/* room for what comes, so that nothing moves when it does */
#drawn:not(:has(img)) { min-height: 64rem; }
#compared-side:not(:has(img)) { min-height: 100vh; }
#heads { min-height: 5.3rem; }
#film img { min-width: 256px; min-height: 256px; object-fit: contain; }
/* captions under the faces, not on them */
.faces .grid-wrap { min-height: 0 !important; max-height: none !important; height: auto !important; }
.faces .grid-container {
  padding-top: 0 !important; grid-auto-rows: auto !important; grid-template-rows: none !important;
  grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)) !important;
}
.faces .thumbnail-item {
  background: none; display: flex; flex-direction: column; height: auto; min-height: 0; aspect-ratio: auto; border: 0;
}
.faces .thumbnail-item img { aspect-ratio: 1; border-radius: 6px; width: 100%; height: auto; }
.faces .caption-label {
  position: static; max-width: 100%; padding: 0; border: 0; background: none;
  font-size: .75rem; text-align: center; color: var(--body-text-color-subdued);
}
.faces .gallery-container:has(.preview) { min-height: 27rem; } /* a face that was clicked is larger than it was */
.faces .thumbnail-item.selected { box-shadow: none; }
.faces .thumbnail-item.selected img { outline: 3px solid var(--primary-500); outline-offset: -3px; }
.sides > * { min-width: 0 !important; }
.sides > .controls { min-width: 15rem !important; }
/* a browser gives up its own look of a bar as soon as it has a background, and is then green on grey */
progress {
  appearance: none; width: min(14rem, 40%); height: .6rem; border: 0; border-radius: 99px; overflow: hidden;
  background: var(--border-color-primary);
}
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--color-accent); }
progress::-moz-progress-bar { background: var(--color-accent); }
.bare .html-container { padding: 0 !important; }
/* a head above each column of the gallery under it */
.heads {
  display: grid; grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)); gap: 8px; padding: 0 9px;
  font-size: .75rem; line-height: 1.35; text-align: center; overflow-wrap: anywhere;
}
.heads > div { align-self: end; }
.heads > div > :first-child { font-weight: 600; }
#compared .caption-label { white-space: normal; text-wrap: balance; }
#compared-side { gap: 4px; }
#pair, .controls { position: sticky; top: 1rem; align-self: flex-start; }
#difference .image-frame, #difference img { width: 100%; object-fit: contain; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots svg { flex: 1 1 300px; min-width: 0; max-width: 480px; }
.plots circle { fill: var(--primary-600); }
.plots .front { color: var(--primary-600); }
.plots > div { flex: 1 1 300px; min-width: 0; max-width: 480px; }
.plots p { font-size: .85rem; color: var(--body-text-color-subdued); margin: 0; }
.plots .curve0 { color: var(--color-accent); stroke-linejoin: round; }
.plots .curve1 { color: #b45309; stroke-linejoin: round; }
.plots .curve2 { color: #7c3aed; }
.plots .curve3 { color: #db2777; }
.plots .curve4 { color: #2563eb; }
.dark .plots .curve1 { color: #f59e0b; }
.dark .plots :is(.curve2, .curve3, .curve4) { filter: brightness(1.6); }
#run-faces figure { margin: 0; }
#run-faces img { width: 100%; border-radius: 6px; }
#run-faces figcaption, #run-links { font-size: .85rem; color: var(--body-text-color-subdued); }
#run-weights, #fid-csv { align-self: flex-start; width: auto; }
.button-beside { align-items: flex-end; }
#train-side .wrap { gap: 6px; }
#train-side label { padding-inline: 8px; }
#run-log pre, #run-status pre {
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .75rem; max-height: 16rem; overflow-y: auto;
}
#runs .wrap { flex-direction: column; max-height: 12rem; overflow-y: auto; flex-wrap: nowrap; }
.reading { max-width: 46rem; }
#flaws .caption-label { white-space: normal; text-wrap: balance; }
.measured { overflow-x: auto; }
.measured table { display: table; width: max-content; }
.measured caption { text-align: left; font-weight: 600; padding: 4px 0; }
.measured :is(td, th) {
  padding: 4px 16px 4px 0 !important; overflow-wrap: normal; word-break: normal;
  border: 0 !important; border-bottom: 1px solid var(--border-color-primary) !important;
}
.measured :is(table, thead, tbody, tr) { border: 0 !important; }
.notes { font-size: .85rem; color: var(--body-text-color-subdued); max-width: 46rem; }
@media (max-width: 640px) {
  .sides { flex-direction: column; flex-wrap: nowrap; align-items: stretch; }
  #pair, .controls { position: static; align-self: stretch; }
  .sides > .controls { min-width: 0 !important; }
  #drawn:not(:has(img)) { min-height: 27rem; }
  #generate-row { flex-direction: column-reverse; }
  .tab-container button { padding-inline: 6px !important; font-size: .85rem; } /* all tabs are seen */
  #flaws .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
  .faces .grid-container, .heads { gap: 6px !important; }
  .heads { font-size: .65rem; }
}
"""
