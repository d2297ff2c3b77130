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
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
    button_primary_text_color="white",
    slider_color="*primary_600",
    slider_color_dark="*primary_500",
)

CSS = """
.gradio-container {
  width: 100% !important; max-width: 1280px !important; margin: 0 auto !important; box-sizing: border-box;
}
#header h1 { margin-bottom: 0; }
#footer { opacity: .7; font-size: .85rem; }
#facts { min-height: 3rem; }
#film img { min-width: 256px; min-height: 256px; object-fit: contain; }
/* captions under the faces, not on them */
.faces .grid-wrap { min-height: 0 !important; max-height: none !important; height: auto !important; }
.faces .grid-container {
  padding-top: 0 !important; grid-auto-rows: auto !important; grid-template-rows: none !important;
  grid-template-columns: repeat(var(--grid-cols), minmax(0, 1fr)) !important;
}
.faces .thumbnail-item {
  display: flex; flex-direction: column; height: auto; min-height: 0; aspect-ratio: auto; border: 0;
}
.faces .thumbnail-item img { aspect-ratio: 1; border-radius: 6px; width: 100%; height: auto; }
.faces .caption-label {
  position: static; max-width: 100%; padding: 0; border: 0; background: none;
  font-size: .75rem; text-align: center; opacity: .8;
}
.faces .thumbnail-item.selected { box-shadow: none; }
.faces .thumbnail-item.selected img { outline: 3px solid var(--primary-500); outline-offset: -3px; }
.sides > * { min-width: 0 !important; }
#fid-table { --font-mono: var(--font); }
#fid-status progress { accent-color: var(--primary-600); width: min(16rem, 40%); }
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
#pair { position: sticky; top: 1rem; align-self: flex-start; }
#difference .image-frame, #difference img { width: 100%; object-fit: contain; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots svg { flex: 1 1 300px; min-width: 0; max-width: 560px; }
.plots circle { fill: var(--primary-600); }
.plots .front { color: var(--primary-600); }
.plots > div { flex: 1 1 300px; min-width: 0; max-width: 560px; }
.plots p { font-size: .85rem; opacity: .8; margin: 0; }
.plots .curve0 { color: var(--primary-600); stroke-linejoin: round; }
.plots .curve1 { color: #d97706; stroke-linejoin: round; }
#run-faces figure { margin: 0; }
#run-faces img { width: 100%; border-radius: 6px; }
#run-faces figcaption, #run-links { font-size: .85rem; opacity: .8; }
#run-status progress { accent-color: var(--primary-600); width: min(12rem, 40%); }
#run-log pre, #run-status pre {
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .75rem; max-height: 16rem; overflow-y: auto;
}
#runs .wrap { flex-direction: column; max-height: 12rem; overflow-y: auto; flex-wrap: nowrap; }
.reading { max-width: 46rem; }
#flaws .caption-label { white-space: normal; text-wrap: balance; }
.measured { overflow-x: auto; }
.measured table { display: table; width: max-content; }
.measured :is(td, th) { padding: 4px 8px !important; overflow-wrap: normal; word-break: normal; }
@media (max-width: 640px) {
  .sides { flex-direction: column; flex-wrap: nowrap; align-items: stretch; }
  #generate-row { flex-direction: column-reverse; }
  #fid-table { max-width: calc(100vw - 4rem); overflow-x: auto; }
  .tab-container button { padding-inline: 6px !important; font-size: .85rem; } /* all tabs are seen */
  #flaws .grid-container { grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
  .faces .grid-container, .heads { gap: 6px !important; }
  .heads { font-size: .65rem; }
}
"""
