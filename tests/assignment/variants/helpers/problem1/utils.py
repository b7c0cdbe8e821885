"""Everything lives in small modules; this file only re-exports."""
from anchoring import ANCHOR_SCALES, MAP_SIZES, generate_anchors
from boxes import box_area, compute_iou, decode_boxes, encode_boxes
from matching import BACKGROUND, match_anchors_to_targets
from suppression import nms

__all__ = ["ANCHOR_SCALES", "BACKGROUND", "MAP_SIZES", "box_area", "compute_iou", "decode_boxes", "encode_boxes",
           "generate_anchors", "match_anchors_to_targets", "nms"]
