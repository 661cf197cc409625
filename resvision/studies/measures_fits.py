"""How well a trained net fits its own images, and how much worse it does on others: the measure of overfitting."""

from resvision.studies.results import Findings
from resvision.studies.subject import Subject, mean_losses


def fits(subject: Subject, images: int) -> Findings:
    """Figures `train_loss`, `train_error`, `test_loss`, `test_error`, and the gaps `loss_gap` and `error_gap`.

    Errors are shares 0..1, of the final weights in evaluation mode, on as many images of each split, without
    augmentation; a gap is test minus training. The loss tells nets apart whose training errors are 0.
    """
    train, test = (mean_losses(subject.system, subject.batches(split, images)) for split in ("train", "test"))
    return Findings(
        {
            "train_loss": train["loss"],
            "train_error": train["error"],
            "test_loss": test["loss"],
            "test_error": test["error"],
            "loss_gap": test["loss"] - train["loss"],
            "error_gap": test["error"] - train["error"],
        }
    )
