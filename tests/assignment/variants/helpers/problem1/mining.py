import torch


def hardest(loss, candidates, count):
    indices = torch.nonzero(input=candidates, as_tuple=False).flatten()
    order = torch.argsort(input=loss[indices], descending=True, stable=True)
    mask = torch.zeros(size=loss.shape, dtype=torch.bool, device=loss.device)
    mask[indices[order[:count]]] = True
    return mask
