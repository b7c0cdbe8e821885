import numpy as np


def bbox_length(points):
    return np.linalg.norm(x=points.max(axis=1) - points.min(axis=1), axis=1)


def torso_length(points):
    return np.linalg.norm(x=points[:, 0] - (points[:, 3] + points[:, 4]) / 2, axis=1)


LENGTHS = {"bbox": bbox_length, "torso": torso_length}
