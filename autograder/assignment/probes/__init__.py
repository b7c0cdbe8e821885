"""What a question can ask of a submission. Each probe is `probe(student, **inputs) -> value`.

A probe sets the scene (files, stand-in models, loaders), calls the student's code and returns plain
values; it judges nothing. The references are built by the same probes, asked of the solution.
"""

from .accuracy import (
    detector_detections,
    keypoint_predictions,
    validated_detector,
    validated_keypoints,
    weights_load,
)
from .apart import networks_apart
from .baseline import ablation, failure_cases
from .data import annotated_items, collated, heatmaps, keypoint_items, output_types
from .features import feature_maps
from .functions import detection_loss, mining
from .networks import network, network_output
from .pictures import pictures, scale_performance, scale_pictures
from .training import train_epoch, train_keypoints, training_log, trainings, validate

PROBES = {
    probe.__name__: probe
    for probe in (
        ablation, annotated_items, collated, detection_loss, detector_detections, failure_cases,
        feature_maps, heatmaps, keypoint_items, keypoint_predictions, mining, network,
        network_output, networks_apart, output_types, pictures, scale_performance, scale_pictures,
        train_epoch, train_keypoints, training_log, trainings, validate, validated_detector,
        validated_keypoints, weights_load,
    )
}
