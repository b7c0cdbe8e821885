import torch


def flatten_map(prediction, per_anchor):
    return prediction.permute(dims=(0, 2, 3, 1)).reshape(shape=(prediction.shape[0], -1, per_anchor))


def flatten_maps(predictions, per_anchor):
    return torch.cat(tensors=[flatten_map(prediction=p, per_anchor=per_anchor) for p in predictions], dim=1)
