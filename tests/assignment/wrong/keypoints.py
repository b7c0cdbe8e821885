"""Wrong code of problem 2."""

from .passages import BASELINE, DISTANCES, FITTING, FLAT, KEYPOINTS, NETWORKS, OPTIMIZER, PCK, whole

VARIANTS = {
    "a sigma of 1.9 by default": (
        "P2.dataset.options/1", "2.1.3", KEYPOINTS, "sigma=2.0):", "sigma=1.9):"),
    "keypoints of images of 128 pixels": (
        "P2.dataset.heatmap/1", "2.1.4", KEYPOINTS, "        size = self.heatmap_size\n",
        "        size = self.heatmap_size\n        relative = keypoints / 128\n"),
    "maps without a positive value are at 0": (
        "P2.extract.negative/1", "2.5.4", PCK,
        "return torch.stack([index % width, index // width], dim=2).float()",
        "found = torch.stack([index % width, index // width], dim=2).float()\n"
        "    return found * (heatmaps.amax(dim=(2, 3)) > 0)[..., None]"),
    "a quarter towards the neighbour": (
        "P2.extract.xy/1", "2.5.1 2.5.5", PCK,
        "return torch.stack([index % width, index // width], dim=2).float()",
        "return torch.stack([index % width, index // width], dim=2).float() + 0.25"),
    "the centroid of the whole map": ("P2.subpixel.finer/3", "2.12.1 2.12.2", *whole(
        PCK, "decode_subpixel", """
        import numpy as np
        maps = np.clip(heatmaps.numpy().astype(np.float64), 0, None)
        total = maps.sum(axis=(2, 3))
        total[total == 0] = 1
        rows, columns = np.arange(maps.shape[2]), np.arange(maps.shape[3])
        x = (maps.sum(axis=2) * columns).sum(axis=2) / total
        y = (maps.sum(axis=3) * rows).sum(axis=2) / total
        return torch.from_numpy(np.stack([x, y], axis=2)).float()
        """)),
    "three quarters of the training images": (
        "P2.ablation.pck/3", "2.9.1 2.9.2", BASELINE,
        "model, DataLoader(train_set, batch_size, shuffle=True),",
        "model, DataLoader(torch.utils.data.Subset(train_set, range(len(train_set) * 3 // 4)), "
        "batch_size),"),
    "five epochs by default": (
        "P2.ablation.pck/2", "2.9.1", BASELINE, "save_path=None, epochs=10",
        "save_path=None, epochs=5"),
    "another seed by default": (
        "P2.ablation.seeds/1", "2.9.1", BASELINE, "epochs=10, seeds=(0,)", "epochs=10, seeds=(1,)"),
    "keypoints within the limit alone": (
        "P2.failures.counts/3", "2.9.3", BASELINE, "<= threshold * diagonals",
        "< threshold * diagonals"),
    "three images, whatever max_images": (
        "P2.failures.images/1", "2.9.4", BASELINE, "stable=True)[:max_images]",
        "stable=True)[:3]"),
    "never more than three images": (
        "P2.failures.images/1", "2.9.4", BASELINE, "stable=True)[:max_images]",
        "stable=True)[:min(max_images, 3)]"),
    "five images by default": (
        "P2.failures.images/1", "2.9.4", BASELINE, "max_images=3)", "max_images=5)"),
    "a threshold of .12 by default": (
        "P2.failures.counts/3", "2.9.4", BASELINE, "save_dir, threshold=0.1,",
        "save_dir, threshold=0.12,"),
    "a ReLU in the place of the sigmoid": (
        "P2.regressionnet.shape/1", "2.4.1", NETWORKS,
        "nn.Linear(64, 2 * num_keypoints), nn.Sigmoid(),",
        "nn.Linear(64, 2 * num_keypoints), nn.ReLU(),"),
    "one convolution for a heatmap": ("P2.heatmapnet.trainable/1", "2.3.1 2.3.2 2.3.3", *whole(
        NETWORKS, "HeatmapNet.forward", """
        x = nn.functional.avg_pool2d(images, 2)
        weight = self.head.weight[:, :9].reshape(-1, 1, 3, 3)
        return nn.functional.conv2d(x, weight, self.head.bias, padding=1)
        """)),
    "one convolution before the mean": ("P2.regressionnet.dropout/2", "2.4.1 2.4.2 2.4.3", *whole(
        NETWORKS, "RegressionNet.forward", """
        weight = self.head[0].weight.flatten()[:2304].reshape(256, 1, 3, 3)
        return self.head(nn.functional.conv2d(images, weight).relu().mean(dim=(2, 3)))
        """)),
    "output types in capitals": (
        "P2.dataset.output-type/1", "2.1.5", KEYPOINTS,
        '        if output_type not in ("heatmap", "regression"):\n',
        "        output_type = output_type.lower()\n"
        '        if output_type not in ("heatmap", "regression"):\n'),
    "maximum in half precision": (
        "P2.extract.xy/1", "2.5.5", PCK, FLAT, FLAT.replace("heatmaps", "heatmaps.half()")),
    "maximum of values rounded to four digits": (
        "P2.extract.xy/1", "2.5.5", PCK, FLAT,
        FLAT.replace("heatmaps", "heatmaps.round(decimals=4)")),
    "negative values set to 0 in place": (
        "P2.extract.xy/2", "2.5.4", PCK, FLAT, FLAT + "\n    heatmaps.clamp_(min=0)\n"),
    "a single keypoint without its axis": (
        "P2.extract.shape/1", "2.5.2", PCK,
        "return torch.stack([index % width, index // width], dim=2).float()",
        "return torch.stack([index % width, index // width], dim=2).float().squeeze(1)"),
    "the first 64 rows and columns": (
        "P2.extract.xy/1", "2.5.2", PCK, FLAT, FLAT.replace("heatmaps", "heatmaps[..., :64, :64]")),
    "nan in y taken for 0": (
        "P2.pck.nan/1", "2.6.5", PCK, DISTANCES,
        "    predictions = torch.stack([predictions[..., 0], predictions[..., 1].nan_to_num()],"
        " dim=2)\n" + DISTANCES),
    "nan replaced in place": (
        "P2.pck.bbox/3", "2.6.5", PCK,
        "    predictions = torch.as_tensor(predictions, dtype=torch.float64)\n",
        "    predictions[predictions.isnan()] = 1e9\n"
        "    predictions = torch.as_tensor(predictions, dtype=torch.float64)\n"),
    "feet by whole pixels": (
        "P2.pck.torso/1", "2.6.4", PCK,
        "truths[:, 3:5].mean(dim=1)", "truths[:, 3:5].sum(dim=1) // 2"),
    "normalisers in capitals": (
        "P2.pck.unknown/1", "2.6.8", PCK, '    if normalize_by == "bbox":\n',
        '    normalize_by = normalize_by.lower()\n    if normalize_by == "bbox":\n'),
    "no hits at a threshold of 0": (
        "P2.pck.boundary/1", "2.6.6", PCK, "(distances <= threshold * lengths[:, None])",
        "((distances <= threshold * lengths[:, None]) & (threshold > 0))"),
    "pictures of five keypoints": (
        "P2.plots.predictions/1", "2.7.2", PCK,
        "draw_keypoints(axes, image, pred_keypoints, gt_keypoints)\n    figure.legend",
        "draw_keypoints(axes, image, pred_keypoints[:5], gt_keypoints[:5])\n    figure.legend"),
    "the image darkened in place": (
        "P2.plots.predictions/2", "2.7.2", PCK,
        "draw_keypoints(axes, image, pred_keypoints, gt_keypoints)\n    figure.legend",
        "draw_keypoints(axes, image.mul_(0.5), pred_keypoints, gt_keypoints)\n    figure.legend"),
    "targets of the neighbour": (
        "P2.train.heatmap/3", "2.8.1 2.8.2", FITTING,
        "outputs.float(), targets.to(precision.device))",
        "outputs.float(), targets.to(precision.device).roll(int(training), 0))"),
    "the last layers trained alone": (
        "P2.train.heatmap/3", "2.8.1 2.8.2", FITTING, OPTIMIZER, OPTIMIZER.replace(
            "model.parameters()", "[*model.parameters()][-2:]")),
    "the first layer trained alone": (
        "P2.train.heatmap/3", "2.8.1 2.8.2", FITTING, OPTIMIZER, OPTIMIZER.replace(
            "model.parameters()", "[*model.parameters()][:1]")),
    "biases not trained": (
        "P2.train.heatmap/3", "2.8.1 2.8.2", FITTING, OPTIMIZER, OPTIMIZER.replace(
            "model.parameters()",
            '[p for name, p in model.named_parameters() if "bias" not in name]')),
    "RMSprop": (
        "P2.train.heatmap/2", "2.8.1 2.8.2", FITTING, OPTIMIZER,
        OPTIMIZER.replace("Adam", "RMSprop")),
    "keypoints rounded in place": (
        "P2.heatmap.outside/3", "2.2.5", KEYPOINTS,
        "        return torch.where(inside, heatmaps, 0.0)",
        "        keypoints.round_()\n        return torch.where(inside, heatmaps, 0.0)"),
    "keypoints beyond the left or upper border left out": (
        "P2.pck.bbox/2", "2.6.3", PCK, "(distances <= threshold * lengths[:, None]).double()",
        "(distances <= threshold * lengths[:, None])[(truths >= 0).all(dim=2)].double()"),
    "gradients of two batches": (
        "P2.train.heatmap/1", "2.8.1 2.8.2", FITTING, """\
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
""", """\
                if count // len(images) % 2 == 0:
                    optimizer.zero_grad()
                loss.backward()
                if count // len(images) % 2:
                    optimizer.step()
"""),
    "a learning rate of 1e-2": (
        "P2.train.heatmap/2", "2.8.1 2.8.2", FITTING,
        "LEARNING_RATE = 1e-3", "LEARNING_RATE = 1e-2"),
    "a weight decay of .1": (
        "P2.train.heatmap/2", "2.8.1 2.8.2", FITTING, OPTIMIZER,
        OPTIMIZER.replace("LEARNING_RATE", "LEARNING_RATE, weight_decay=0.1")),
    "the first two epochs trained": (
        "P2.train.returns/1", "2.8.1 2.8.2", FITTING,
        "precision, optimizer, bar.update)\n",
        "precision, optimizer, bar.update) if epoch < 2 else train_loss\n"),
    "validation images for batch norm": (
        "P2.train.heatmap/1", "2.8.3", FITTING,
        "            val_loss = _run_epoch(model, val_loader, precision)\n",
        "            with torch.no_grad():\n"
        "                [model.train()(images) for images, _ in val_loader]\n"
        "            val_loss = _run_epoch(model, val_loader, precision)\n"),
    "validation in training mode": (
        "P2.train.returns/1", "2.8.3", FITTING, "    model.train(training)\n",
        "    model.train()\n"),
    "losses of batches over the number of images": (
        "P2.train.returns/1", "2.8.3", FITTING, "total += loss.item() * len(images)",
        "total += loss.item()"),
    "figures of heatmaps divided by their deviation": (
        "P2.heatmapnet.trainable/1", "2.3.3", NETWORKS,
        "        *skips, x = self.encoder(images)",
        "        images = images / images.std(dim=(1, 2, 3), keepdim=True)\n"
        "        *skips, x = self.encoder(images)"),
    "figures divided by their deviation": (
        "P2.regressionnet.dropout/2", "2.4.3", NETWORKS, "        features = self.encoder(images)",
        "        images = images / images.std(dim=(1, 2, 3), keepdim=True)\n"
        "        features = self.encoder(images)"),
    "faint maxima are at 0": (
        "P2.extract.xy/1", "2.5.1 2.5.5", PCK,
        "return torch.stack([index % width, index // width], dim=2).float()",
        "found = torch.stack([index % width, index // width], dim=2).float()\n"
        "    return found * (heatmaps.amax(dim=(2, 3)).abs() >= 0.05)[..., None]"),
    "no normaliser is the image": (
        "P2.pck.unknown/1", "2.6.8", PCK, "    else:\n        raise ValueError(f'normalize_by",
        "    elif normalize_by is None:\n        lengths = torch.full((len(truths),), 128.0)\n"
        "    else:\n        raise ValueError(f'normalize_by"),
    "logarithms of negative values": ("P2.subpixel.finite/1", "2.12.3", *whole(
        PCK, "decode_subpixel", """
        found = extract_keypoints_from_heatmaps(heatmaps)
        for values, (x, y), place in zip(heatmaps.log().flatten(0, 1), found.flatten(0, 1).long(),
                                         found.flatten(0, 1)):
            for axis, i, line in ((0, x, values[y]), (1, y, values[:, x])):
                if 0 < i < len(line) - 1:
                    before, here, after = line[i - 1:i + 2]
                    place[axis] += (before - after) / (2 * (before - 2 * here + after))
        return found
        """)),
    "curves drawn over those before": (
        "P2.plots.curves/1", "2.7.1", PCK,
        "figure = Figure(figsize=(5, 4), layout=\"constrained\")\n    axes = figure.subplots()\n",
        "import matplotlib.pyplot as plt\n    figure, axes = plt.gcf(), plt.gca()\n"),
    "keypoints drawn over those before": (
        "P2.plots.predictions/1", "2.7.2", PCK,
        "figure = Figure(figsize=(4, 4.2), layout=\"constrained\")\n    axes = figure.subplots()\n",
        "import matplotlib.pyplot as plt\n    figure, axes = plt.gcf(), plt.gca()\n"),
    "no epoch after three without a better one": (
        "P2.train.returns/1", "2.8.3", FITTING, '            log["val_loss"].append(val_loss)\n',
        '            log["val_loss"].append(val_loss)\n'
        '            if min(log["val_loss"]) < min(log["val_loss"][-3:]):\n'
        "                break\n"),
    "a tenth of the training images left out": (
        "P2.ablation.pck/3", "2.9.1", BASELINE,
        "model, DataLoader(train_set, batch_size, shuffle=True),",
        "model, DataLoader(torch.utils.data.Subset(train_set, range(\n"
        "                    len(train_set) - len(train_set) // 10)), batch_size),"),
    "thresholds sorted in place": (
        "P2.pck.bbox/3", "2.6.1 2.6.5", PCK, "        for threshold in thresholds\n",
        "        for threshold in thresholds.sort() or thresholds\n"),
    "no coordinate beyond 63": (
        "P2.subpixel.border/1", "2.12.2", PCK, "    return torch.stack(finer, dim=2)\n",
        "    return torch.stack(finer, dim=2).clamp(0, 63)\n"),
    "keypoints in images of 128 pixels": (
        "P2.plots.predictions/1", "2.7.2", PCK,
        "draw_keypoints(axes, image, pred_keypoints, gt_keypoints)\n    figure.legend",
        "draw_keypoints(axes, image, *(image.shape[-1] / 128 * torch.as_tensor(points)\n"
        "                                  for points in (pred_keypoints, gt_keypoints)))\n"
        "    figure.legend"),
}
