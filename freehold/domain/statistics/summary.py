"""All measures of one set of rows."""

from freehold.domain.statistics.accuracy import accuracy, baseline_accuracy, net_accuracy
from freehold.domain.statistics.calibration import calibration_error
from freehold.domain.statistics.estimate import LEVEL
from freehold.domain.statistics.figures import Measures
from freehold.domain.statistics.loss import log_loss
from freehold.domain.statistics.ranking import auc
from freehold.domain.statistics.rows import Scored


def measure(rows: Scored, threshold: float = 0.5, level: float = LEVEL) -> Measures:
    """Figures that cannot be had say why; nothing raises."""
    return Measures(
        rows=rows.rows,
        positives=rows.positives,
        auc=auc(rows, level),
        log_loss=log_loss(rows, level),
        accuracy=accuracy(rows, threshold, level),
        baseline_accuracy=baseline_accuracy(rows, level),
        net_accuracy=net_accuracy(rows, threshold, level),
        calibration_error=calibration_error(rows, level=level),
    )
