"""The picture of `bench.scale`: docs/pictures/scale.svg, drawn by plotly in the browser that the other benchmarks use."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.subplots import make_subplots

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "scale.svg"
WIDTH, HEIGHT = 1_100, 760
BLUE, ORANGE, GREY = "#1f5fbf", "#c2571a", "#777777"
TITLES = (
    "Images a second by batch size",
    "Images a second by network",
    "Seconds an epoch by number of images",
    "Memory by number of images",
)


def draw(result: dict[str, Any]) -> None:
    """Write the picture of a result."""
    PICTURE.write_text(_svg(figure(result)))


def figure(result: dict[str, Any]) -> go.Figure:
    """Four panels, one for each part of a result of `bench.scale`."""
    panels = make_subplots(rows=2, cols=2, subplot_titles=TITLES, horizontal_spacing=0.13, vertical_spacing=0.16)
    panels.update_xaxes(type="log", dtick=1, gridcolor="#e6e6e6")
    panels.update_yaxes(gridcolor="#e6e6e6", rangemode="tozero", tickformat=",~r")
    panels.update_layout(width=WIDTH, height=HEIGHT, plot_bgcolor="white", paper_bgcolor="white", showlegend=False, margin_t=60)
    _batches(panels, result["batch_sizes"])
    _networks(panels, result["networks"])
    _epochs(panels, result["image_counts"])
    _memory(panels, result["memory"])
    return panels


def _batches(panels: go.Figure, rows: list[dict[str, Any]]) -> None:
    sizes = [row["batch_size"] for row in rows]
    panels.add_scatter(x=sizes, y=[row["images_per_second"] for row in rows], line_color=BLUE, row=1, col=1)
    panels.update_xaxes(title_text="images a step", tickvals=sizes, ticktext=[str(size) for size in sizes], row=1, col=1)


def _networks(panels: go.Figure, rows: list[dict[str, Any]]) -> None:
    """The width of the reference as a line, the other networks as points."""
    for widths, colour in ((True, BLUE), (False, ORANGE)):
        chosen = sorted((row for row in rows if row["network"].startswith("reference") == widths), key=lambda row: row["macs"])
        panels.add_scatter(
            x=[row["macs"] for row in chosen],
            y=[row["images_per_second"] for row in chosen],
            text=[row["network"] for row in chosen],
            textposition="top right" if widths else "bottom left",
            mode="lines+markers+text" if widths else "markers+text",
            line_color=colour,
            row=1,
            col=2,
        )
    panels.update_xaxes(title_text="multiplications an image, forward", range=[3, 9.2], tickformat="~s", row=1, col=2)
    panels.update_yaxes(type="log", dtick=1, row=1, col=2)


def _epochs(panels: go.Figure, rows: list[dict[str, Any]]) -> None:
    """What grows with the images, and what does not."""
    steps = [row["images"] / row["images_per_second"] for row in rows]
    fixed = [row["evaluation_seconds"] + row["plan_ms"] / 1_000 for row in rows]
    for name, seconds, colour in (("training steps", steps, BLUE), ("evaluation and order", fixed, ORANGE)):
        style: dict[str, Any] = {"mode": "lines+markers+text", "textposition": "bottom right", "line_color": colour}
        panels.add_scatter(x=[row["images"] for row in rows], y=seconds, text=[name], **style, row=2, col=1)
    panels.update_xaxes(title_text="training images", tickformat=",~r", row=2, col=1)
    panels.update_yaxes(type="log", dtick=1, row=2, col=1)


def _memory(panels: go.Figure, rows: list[dict[str, Any]]) -> None:
    counts = [f"{row['images']:,} images" for row in rows]
    for name, key, colour in (("images", "data_mb", GREY), ("own memory", "anonymous_mb", BLUE)):
        megabytes = [row[key] for row in rows]
        style: dict[str, Any] = {
            "text": [f"{name}<br>{value:,} MB" for value in megabytes],
            "textposition": "outside",
            "constraintext": "none",
            "marker_color": colour,
        }
        panels.add_bar(x=counts, y=megabytes, **style, row=2, col=2)
    panels.update_xaxes(type="category", row=2, col=2)


def _svg(panels: go.Figure) -> str:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_content(panels.to_html(include_plotlyjs=True))
        size = {"format": "svg", "width": WIDTH, "height": HEIGHT}
        address = page.evaluate("size => Plotly.toImage(document.querySelector('.js-plotly-plot'), size)", size)
        browser.close()
    return unquote(address.partition(",")[2])
