"""What this assignment asks: tasks, checks and their points, probes, figures, known mistakes."""

from .. import KIT
from ..engine.assignment import Assignment
from . import report
from .hints import HINTS
from .tasks import TASKS

ASSIGNMENT = Assignment(
    package=__name__,
    title="Multi-scale detection, and heatmaps against regression",
    problems=("problem1", "problem2"),
    tasks=TASKS,
    hints=HINTS,
    rules_file=KIT / "handout" / "rules.md",
    solution=KIT / "solution",
    methods={
        "mining": ("DetectionLoss().hard_negative_mining", "loss", "pos_mask", "neg_mask"),
        "detection_loss": ("DetectionLoss(num_classes={num_classes})", "predictions", "targets",
                           "anchors"),
        "heatmaps": ("KeypointDataset(folder, file{options}).generate_heatmap", "keypoints",
                     "height", "width"),
        "collated": ("collate_fn", "batch"),
    },
    unfilled=report.unfilled,
    libraries=frozenset({"torch", "numpy", "PIL", "matplotlib", "mpl_toolkits", "tqdm"}),
)
