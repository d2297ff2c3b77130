"""Colours, fonts and spacing for light and dark mode. System fonts are used, so nothing is downloaded."""

from pathlib import Path

import gradio as gr

THEME = gr.themes.Base(
    primary_hue="teal",
    secondary_hue="teal",
    neutral_hue="slate",
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
    button_primary_border_color="*primary_700",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    button_secondary_background_fill="white",
    button_secondary_background_fill_hover="*neutral_100",
    button_secondary_background_fill_dark="*neutral_800",
    button_secondary_border_color="*neutral_300",
    button_secondary_text_color="*neutral_800",
    button_secondary_text_color_dark="*neutral_100",
    slider_color="*primary_600",
    slider_color_dark="*primary_500",
)

STYLES = Path(__file__).with_name("theme.css")  # spacing, and everything that Gradio's theme has no variables for
