import torch

MAP_SIZES = [(56, 56), (28, 28), (14, 14)]
ANCHOR_SCALES = [[16, 24, 32], [48, 64, 96], [96, 128, 192]]


def centres(rows, columns, image_size):
    y = (torch.arange(rows, dtype=torch.float64) + 0.5) * image_size / rows
    x = (torch.arange(columns, dtype=torch.float64) + 0.5) * image_size / columns
    return torch.cartesian_prod(y, x).reshape(-1, 2).flip(dims=(1,))


def anchors_of_map(rows, columns, scales, image_size):
    points = centres(rows=rows, columns=columns, image_size=image_size)
    side = torch.tensor(data=[float(s) for s in scales], dtype=torch.float64)
    points = points.repeat_interleave(repeats=len(side), dim=0)
    half = side.repeat(rows * columns).unsqueeze(dim=1) / 2
    return torch.cat(tensors=(points - half, points + half), dim=1).to(dtype=torch.float32)


def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    return [anchors_of_map(rows=size[0], columns=size[1], scales=scales, image_size=image_size)
            for size, scales in zip(feature_map_sizes, anchor_scales)]
