"""Figures by hand, and against scikit-learn."""

import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from fmnist import evaluation
from fmnist.data import CLASS_NAMES
from fmnist.models import build


def test_confusion_counts_by_hand():
    matrix = evaluation.confusion_matrix(torch.tensor([0, 0, 6, 9]), torch.tensor([0, 6, 6, 7]))
    assert matrix[0, 0] == matrix[0, 6] == matrix[6, 6] == matrix[9, 7] == 1
    assert int(matrix.sum()) == 4


def test_calibration_error_by_hand():
    """Two pictures at 80 %, one right: the gap is 0.3. One at 100 %, right: no gap. Weighted: 0.3 * 2 / 3."""
    probabilities = torch.tensor([[0.8, 0.2], [0.8, 0.2], [1.0, 0.0]], dtype=torch.float64)
    assert evaluation.calibration_error(probabilities, torch.tensor([0, 1, 0])) == pytest.approx(0.2)


def test_a_perfectly_calibrated_model_has_no_calibration_error():
    probabilities = torch.tensor([[0.75, 0.25]] * 4, dtype=torch.float64)
    assert evaluation.calibration_error(probabilities, torch.tensor([0, 0, 0, 1])) == pytest.approx(0)


@pytest.mark.parametrize("case", ["random", "class never guessed", "class never there", "all right", "one image"])
def test_every_figure_equals_scikit_learn(case: str):
    generator = torch.Generator().manual_seed(0)
    scores, labels = torch.randn(300, 10, generator=generator), torch.randint(0, 10, (300,), generator=generator)
    if case == "class never guessed":
        scores[:, 3] = -8
    elif case == "class never there":
        labels[labels == 3] = 4
    elif case == "all right":
        scores[torch.arange(300), labels] = 50
    elif case == "one image":
        scores, labels = scores[:1], labels[:1]
    report, guess = evaluation.report(scores, labels), scores.argmax(1)
    assert report.confusion == confusion_matrix(labels, guess, labels=range(10)).tolist()
    assert report.accuracy == pytest.approx(float((guess == labels).double().mean()))
    assert report.loss == pytest.approx(log_loss(labels, scores.double().softmax(1), labels=range(10)), rel=1e-4, abs=1e-6)
    theirs = precision_recall_fscore_support(labels, guess, labels=range(10), zero_division=0)
    for index, name in enumerate(CLASS_NAMES):
        mine = report.per_class[name]
        assert (mine.precision, mine.recall, mine.f1, mine.support) == pytest.approx([float(figure[index]) for figure in theirs])


def test_logits_do_not_depend_on_batches_and_leave_the_model_in_its_mode():
    model = build("small").train()
    images = torch.randint(0, 256, (evaluation.BATCH + 7, 28, 28), dtype=torch.uint8)
    shares: list[float] = []
    scores = evaluation.logits(model, images, shares.append)
    assert model.training
    assert shares[-1] == 1.0
    torch.testing.assert_close(scores[-7:], evaluation.logits(model, images[-7:]), rtol=1e-4, atol=1e-5)


def test_no_image_gives_no_logits():
    assert evaluation.logits(build("linear"), torch.zeros(0, 28, 28, dtype=torch.uint8)).shape == (0, 10)
