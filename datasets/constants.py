"""Numbers and names that data, checks and handout share. Sizes are in pixels."""

IMAGE_SIZE = 224  # of detection images, which are square
CLASSES = ("circle", "square", "triangle")  # by label
MAP_SIZES = (56, 28, 14)  # sides of the assignment's feature maps, and the scales of their anchors
ANCHOR_SCALES = ((16, 24, 32), (48, 64, 96), (96, 128, 192))

FIGURE_SIZE = 128  # of keypoint images
KEYPOINT_NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
