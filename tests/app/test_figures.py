"""The figures of the Evaluate page: every number of a result is in its figure, and its words say the same."""

import torch

from fmnist.calibration import at_coverage, coverage, reliability
from fmnist.curves import precision_recall, roc
from ui.evaluation import figures

TRUTH = torch.tensor([0, 0, 1, 1])
LIKELY = torch.zeros(4, 10)
LIKELY[:, 0] = torch.tensor([0.9, 0.4, 0.6, 0.1])
LIKELY[:, 1] = 1 - LIKELY[:, 0]


def test_a_roc_curve_is_drawn_as_it_was_computed() -> None:
    curve = roc(LIKELY, TRUTH, 0)
    figure, alt = figures.roc(curve, "T-shirt/top")
    assert (list(figure.data[1].x), list(figure.data[1].y)) == (curve.x.tolist(), curve.y.tolist())
    assert curve.area == 0.75  # three of the four pairs stand in the right order
    assert "area 0.7500" in figure.layout.title.text
    assert alt == "ROC curve of T-shirt/top against all other classes; the area under it is 0.7500."


def test_a_precision_recall_curve_is_drawn_as_it_was_computed() -> None:
    curve = precision_recall(LIKELY, TRUTH, 0)
    figure, alt = figures.precision_recall(curve, "T-shirt/top")
    assert (list(figure.data[0].x), list(figure.data[0].y)) == (curve.x.tolist(), curve.y.tolist())
    assert f"{curve.area:.4f}" in alt


def test_a_class_without_an_image_has_an_empty_curve_and_no_area() -> None:
    for chart in (figures.roc(roc(LIKELY, TRUTH, 7), "Sneaker"), figures.precision_recall(precision_recall(LIKELY, TRUTH, 7), "Sneaker")):
        assert len(chart.figure.data[-1].x) == 0
        assert "unknown" in chart.alt


def test_reliability_leaves_out_the_bins_without_an_image() -> None:
    before = reliability(LIKELY, TRUTH, bins=10)  # confidences 0.9, 0.6, 0.6, 0.9; right, wrong, wrong, right
    figure, alt = figures.reliability(before)
    line = figure.data[1]
    assert [round(x, 6) for x in line.x] == [0.6, 0.9]
    assert (list(line.y), list(line.customdata)) == ([0.0, 1.0], [2, 2])
    assert alt == "Reliability diagram: calibration error 35.00%."  # half of 0.6, half of 0.1


def test_before_and_after_stand_side_by_side_with_names() -> None:
    before, after = reliability(LIKELY, TRUTH), reliability(LIKELY.sqrt().log().softmax(1), TRUTH)
    assert [line.name for line in figures.reliability(before, after).figure.data] == ["perfect", "as it is", "with temperature"]
    bars = figures.confidence(before, after).figure
    assert [sum(bar.y) for bar in bars.data] == [4, 4]
    assert bars.layout.showlegend
    assert not figures.confidence(before).figure.layout.showlegend


def test_the_mark_on_the_coverage_is_the_point_that_the_words_name() -> None:
    sure, right = torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([True, True, False, False])
    figure, alt = figures.coverage(coverage(sure, right), at_coverage(sure, right, 0.75))
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([0.25, 0.5, 0.75, 1.0], [1.0, 1.0, 2 / 3, 0.5])
    assert (figure.data[1].x, figure.data[1].y) == ((0.75,), (2 / 3,))
    assert alt == "Coverage against accuracy: it answers 75.0% of the images and is right on 66.67% of those."


def test_errors_that_are_shared_have_a_bar_for_each_number_of_models() -> None:
    figure, alt = figures.shared_errors([5, 0, 2])
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([1, 2, 3], [5, 0, 2])
    assert alt == "Images by the number of models that are wrong about them: 5 by 1, 0 by 2, 2 by 3."
