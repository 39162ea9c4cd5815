"""Results in, plotly figures with their words out. No screen needed.

Colours are left to the theme where they can be, so that a figure is readable in light and dark.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from fmnist.calibration import Coverage, Kept, Reliability
    from fmnist.curves import Curve

HEIGHT = 320
FAINT = "rgba(128, 128, 128, 0.7)"  # readable on white and on black
BLUE, ORANGE = "#2f6fed", "#e4572e"  # the first two of the theme's palette


class Chart(NamedTuple):
    """A figure, and what it says for whoever does not see it."""

    figure: "Figure"
    alt: str


def roc(curve: "Curve", name: str) -> Chart:
    """How many of a class are found against how many others are taken for it."""
    figure = _figure("Others taken for it", "Its own that are found", percent_x=True, percent_y=True)
    _guide(figure, [0, 1], [0, 1], "guessing")
    figure.add_scatter(
        x=curve.x.tolist(),
        y=curve.y.tolist(),
        name=name,
        mode="lines",
        line={"color": BLUE, "width": 2},
        customdata=curve.threshold.tolist(),
        hovertemplate="threshold %{customdata:.3f}<br>found %{y:.1%}<br>others taken for it %{x:.2%}<extra></extra>",
    )
    area = _area(curve)
    return Chart(_titled(figure, f"ROC, area {area}"), f"ROC curve of {name} against all other classes; the area under it is {area}.")


def precision_recall(curve: "Curve", name: str) -> Chart:
    """How many of what is taken for a class are right, against how many of the class are found."""
    figure = _figure("Recall: its own that are found", "Precision", percent_x=True, percent_y=True)
    figure.add_scatter(
        x=curve.x.tolist(),
        y=curve.y.tolist(),
        name=name,
        mode="lines",
        line={"color": BLUE, "width": 2},
        customdata=curve.threshold.tolist(),
        hovertemplate="threshold %{customdata:.3f}<br>precision %{y:.1%}<br>recall %{x:.1%}<extra></extra>",
    )
    area = _area(curve)
    return Chart(
        _titled(figure, f"Precision and recall, average {area}"), f"Precision-recall curve of {name}; the average precision is {area}."
    )


def reliability(before: "Reliability", after: "Reliability | None" = None) -> Chart:
    """Accuracy against confidence: a calibrated model lies on the diagonal."""
    figure = _figure("Confidence", "Accuracy", percent_x=True, percent_y=True)
    _guide(figure, [0, 1], [0, 1], "perfect")
    _reliability_line(figure, before, "as it is", BLUE, "circle")
    words = f"Reliability diagram: calibration error {before.error:.2%}"
    if after:
        _reliability_line(figure, after, "with temperature", ORANGE, "diamond")
        words += f", with temperature {after.error:.2%}"
    _legend(figure)
    return Chart(_titled(figure, "Is it as right as it is sure?"), f"{words}.")


def confidence(before: "Reliability", after: "Reliability | None" = None) -> Chart:
    """How many images there are at each confidence."""
    figure = _figure("Confidence", "Images", percent_x=True)
    for found, name, color in ((before, "as it is", BLUE), (after, "with temperature", ORANGE)):
        if found:
            middles = ((found.edges[:-1] + found.edges[1:]) / 2).tolist()
            figure.add_bar(
                x=middles,
                y=found.counts.tolist(),
                name=name,
                marker={"color": color},
                hovertemplate="%{y:,} images at about %{x:.0%}<extra></extra>",
            )
    figure.update_layout(bargap=0.08)
    if after:
        _legend(figure)
    figure.update_yaxes(type="log", dtick=1, tickformat=",")
    share = float(before.counts[-1] / before.counts.sum().clamp(min=1))
    return Chart(_titled(figure, "How sure is it?"), f"Histogram of confidence: {share:.0%} of the images are in the highest bin.")


def coverage(found: "Coverage", kept: "Kept") -> Chart:
    """What it is right on when it keeps silent about the rest."""
    figure = _figure("Images that it answers", "Accuracy on those", percent_x=True, percent_y=False)
    figure.update_yaxes(tickformat=".1~%")
    figure.add_scatter(
        x=found.share.tolist(),
        y=found.accuracy.tolist(),
        mode="lines",
        line={"color": BLUE, "width": 2},
        customdata=found.threshold.tolist(),
        hovertemplate="answers %{x:.1%}<br>right on %{y:.2%} of them<br>threshold %{customdata:.3f}<extra></extra>",
    )
    words = "Coverage against accuracy"
    if kept.accuracy is not None:
        figure.add_scatter(
            x=[kept.share], y=[kept.accuracy], mode="markers", marker={"color": ORANGE, "size": 11, "symbol": "diamond"}, hoverinfo="skip"
        )
        words += f": it answers {kept.share:.1%} of the images and is right on {kept.accuracy:.2%} of those"
    return Chart(_titled(figure, "What silence is worth"), f"{words}.")


def shared_errors(counts: list[int]) -> Chart:
    """How many images are got wrong by how many of the models.

    Args:
        counts: place k: images that k + 1 models get wrong.
    """
    figure = _figure("Models that are wrong about it", "Images")
    figure.add_bar(
        x=list(range(1, len(counts) + 1)),
        y=counts,
        marker={"color": BLUE},
        hovertemplate="%{y:,} images that %{x} get wrong<extra></extra>",
    )
    figure.update_xaxes(dtick=1)
    words = ", ".join(f"{count:,} by {number}" for number, count in enumerate(counts, 1))
    return Chart(_titled(figure, "Who is wrong together?"), f"Images by the number of models that are wrong about them: {words}.")


def _area(curve: "Curve") -> str:
    return "unknown" if curve.area is None else f"{curve.area:.4f}"


def _reliability_line(figure: "Figure", found: "Reliability", name: str, color: str, symbol: str) -> None:
    there = found.counts > 0
    figure.add_scatter(
        x=found.confidence[there].tolist(),
        y=found.accuracy[there].tolist(),
        name=name,
        mode="lines+markers",
        customdata=found.counts[there].tolist(),
        line={"color": color, "width": 2},
        marker={"color": color, "size": 8, "symbol": symbol},
        hovertemplate=f"{name}<br>confidence %{{x:.1%}}<br>accuracy %{{y:.1%}}<br>%{{customdata:,}} images<extra></extra>",
    )


def _guide(figure: "Figure", x: list[float], y: list[float], name: str) -> None:
    figure.add_scatter(x=x, y=y, name=name, mode="lines", line={"color": FAINT, "width": 1, "dash": "dash"}, hoverinfo="skip")


def _figure(x: str, y: str, *, percent_x: bool = False, percent_y: bool = False) -> "Figure":
    import plotly.graph_objects as go  # half a second: only when a figure is drawn

    axis: dict[str, Any] = {"tickformat": ".0%", "range": [-0.01, 1.02]}
    figure = go.Figure(layout={"height": HEIGHT, "margin": {"l": 8, "r": 12, "t": 44, "b": 8}, "showlegend": False})
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}, hovermode="closest")
    figure.update_xaxes(title=x, automargin=True, **(axis if percent_x else {}))
    figure.update_yaxes(title=y, automargin=True, **(axis if percent_y else {}))
    return figure


def _legend(figure: "Figure") -> None:
    """Names in a line between the title and the plot."""
    figure.update_layout(showlegend=True, margin={"t": 64})


def _titled(figure: "Figure", title: str) -> "Figure":
    return figure.update_layout(title={"text": title, "font": {"size": 15}, "x": 0, "y": 0.98, "yanchor": "top"})
