"""Mistakes in the ablation and in the failure cases: task 2.9."""

from . import mistake

TARGET = 'target = {key: variant[key] for key in ("heatmap_size", "sigma")}'
MODEL = 'HeatmapNet(skip=variant["skip"], heatmap_size=variant["heatmap_size"])'
VALUES = "threshold: sum(values) / len(values) for threshold, values in scores.items()"
RANKED = "ranked = per_image.argsort(descending=True, stable=True)[:max_images].tolist()"
MEASURED = "            pck = evaluate"
SCORED = "            predictions, truths = evaluate"
LOADER = "DataLoader(train_set, batch_size, shuffle=True)"
SAVED = '            figure.savefig(Path(save_dir) / f"failure_{case}_{index}.png", dpi=120)\n'

MISTAKES = [
    mistake(
        "ablation-one-sigma", "trains every variant on targets of the same sigma",
        "Rows that say otherwise then compare chance with chance. Give the dataset the sigma of "
        "the variant.",
        "P2.ablation.pck/2",
        [(TARGET, TARGET.replace('("heatmap_size", "sigma")', '("heatmap_size",)'))]),
    mistake(
        "ablation-always-skip", "builds every network with skip connections",
        "The row without them then measures the default once more. Pass skip on.",
        "P2.ablation.pck/2", [(MODEL, MODEL.replace('skip=variant["skip"], ', ""))]),
    mistake(
        "ablation-trains-on", "trains the network of the seed before on",
        "The second seed then starts where the first has ended, and is better for that. Build a "
        "new network for each training.",
        "P2.ablation.pck/2",
        [("model = " + MODEL, f"model = {MODEL} if seed == seeds[0] else model")]),
    mistake(
        "ablation-default-epochs", "does not pass the number of epochs on",
        "Each training then takes its own default, whatever was asked for. Pass epochs as "
        "num_epochs.",
        "P2.ablation.pck/2", [(", num_epochs=epochs,", ",")]),
    mistake(
        "ablation-trains-on-val", "trains on validation images",
        "They then no longer tell how well a variant does on new images. Train on the images of "
        "train alone, and measure on those of val.",
        "P2.ablation.pck/3", [(LOADER, LOADER.replace("train_set", "train_set + val_set"))]),
    mistake(
        "ablation-truth-from-heatmaps", "reads the true keypoints back from the heatmaps",
        "They are then rounded to the pixels of the map, like the predictions, and a coarse map "
        "looks exact. Take the true keypoints from a dataset of coordinates.",
        "P2.ablation.pck/4", [(
            "            pck = evaluate",
            "            scale = 128 / variant[\"heatmap_size\"]\n"
            "            truths = torch.cat([evaluate.extract_keypoints_from_heatmaps("
            "maps[None])\n                                for _, maps in val_set]) "
            "* scale\n            pck = evaluate")]),
    mistake(
        "ablation-measured-on-train", "measures PCK on the training images",
        "A network that has learned them by heart then looks best. Measure on the images of val.",
        "P2.ablation.pck/4", [(
            'val_points = KeypointDataset(*split_paths(data_dir, "val")',
            'val_points = KeypointDataset(*split_paths(data_dir, "train")')]),
    mistake(
        "ablation-in-heatmap-pixels", "compares heatmap pixels with image pixels",
        "Every prediction then lies in the upper left part of the image. Multiply by image size / "
        "map size.",
        "P2.ablation.pck/4", [(
            MEASURED, '            predictions *= variant["heatmap_size"] / 128\n' + MEASURED)]),
    mistake(
        "failures-in-heatmap-pixels", "compares heatmap pixels with image pixels in failure cases",
        "HeatmapNet then seems to be wrong nearly always. Multiply by image size / map size.",
        "P2.failures.counts/3", [(
            "    diagonals = (truths",
            "    from_heatmap = from_heatmap / 2\n    diagonals = (truths")]),
    mistake(
        "ablation-relative-truths", "compares predictions in pixels with targets from 0 to 1",
        "Hardly any prediction is then near its target. Multiply the targets of the dataset by the "
        "image size.",
        "P2.ablation.pck/4", [(MEASURED, "            truths /= 128\n" + MEASURED)]),
    mistake(
        "ablation-scale-fixed", "multiplies by 2 whatever the size of the heatmap",
        "That is right for maps of 64 x 64 alone. Multiply by image size / map size.",
        "P2.ablation.pck/4", [(
            "extract_keypoints_from_heatmaps(output) * scale",
            "extract_keypoints_from_heatmaps(output) * 2")]),
    mistake(
        "ablation-in-training-mode", "measures networks in the mode that training has left",
        "In training mode batch norm uses the batch that it is measured on. Call model.eval() "
        "first.",
        "P2.ablation.pck/4",
        [("    model.eval()\n    predictions, truths =", "    predictions, truths =")]),
    mistake(
        "ablation-without-eval", "measures each variant in training mode",
        "Batch norm then uses the batch that it is measured on. Call model.eval() first.",
        "P2.ablation.pck/4", [(SCORED, "            model.eval = model.train\n" + SCORED)]),
    mistake(
        "ablation-first-batch", "measures PCK on the first batch of val alone",
        "A few images say little. Go through the whole loader, and measure once at the end.",
        "P2.ablation.pck/4", [(MEASURED, "            predictions, truths = ("
                               "every[:batch_size] for every in (predictions, truths))\n"
                               + MEASURED)]),
    mistake(
        "ablation-changes-pile-up", "changes DEFAULT_VARIANT itself, so that the changes pile up",
        "Then more than one thing differs from the second change on. Change a copy of it.",
        "P2.ablation.pck/2", [("variant = DEFAULT_VARIANT | change", "variant = DEFAULT_VARIANT\n"
                               "        variant |= change")]),
    mistake(
        "ablation-without-pck", "gives losses in the place of PCK",
        "A lower loss on another target says nothing. Give PCK, which is measured in the same "
        "pixels for all variants.",
        "P2.ablation.pck/1", [('"pck": {threshold', '"loss": {threshold')]),
    mistake(
        "ablation-not-seeded", "does not seed the trainings",
        "Nobody can repeat them, and a difference may come from other first weights. Call "
        "seed_everything before you build the network.",
        "P2.ablation.seeds/1", [("            seed_everything(seed)\n", "")]),
    mistake(
        "ablation-seeded-once", "seeds once, or once for each variant, and not for each training",
        "The trainings then belong to no seed of the list. Call seed_everything before every "
        "training.",
        "P2.ablation.seeds/1", [(
            "            seed_everything(seed)\n",
            "            _ = seed_everything(seed) if seed == seeds[0] else None\n")]),
    mistake(
        "ablation-seeds-sorted", "sorts the PCK of the seeds",
        "Which value belongs to which seed is then lost. Keep the order of seeds.",
        "P2.ablation.seeds/2", [(
            '"pck_per_seed": scores,',
            '"pck_per_seed": {t: sorted(v) for t, v in scores.items()},')]),
    mistake(
        "ablation-best-seed", "gives the best seed in the place of the mean",
        "The more seeds, the better every variant then looks. Give the mean.",
        "P2.ablation.seeds/3",
        [(VALUES, VALUES.replace("sum(values) / len(values)", "max(values)"))]),
    mistake(
        "ablation-last-row-saved", "saves the last row alone",
        "Each variant overwrites the one before it. Save the list of all rows.",
        "P2.ablation.seeds/4",
        [("write_json(rows, Path(save_path))", "write_json(rows[-1:], Path(save_path))")]),
    mistake(
        "failures-cases-swapped", "exchanges only_heatmap and only_regression",
        "only_heatmap means that HeatmapNet is right and RegressionNet wrong. Exchange the two.",
        "P2.failures.counts/1", [
            ('"only_heatmap": heatmap_right & ~', '"only_regression": heatmap_right & ~'),
            ('"only_regression": ~heatmap_right', '"only_heatmap": ~heatmap_right')]),
    mistake(
        "failures-whole-images", "lets an image be of a case only with all of its keypoints",
        "Images whose keypoints differ then are of no case. Decide for each keypoint.",
        "P2.failures.counts/2", [(
            "counts = occurs.sum(dim=0)",
            "counts = (occurs * occurs.all(dim=1)[:, None]).sum(dim=0)")]),
    mistake(
        "failures-threshold-ignored", "takes a threshold of .1 whatever threshold it is given",
        "The argument has no effect. Multiply the length by threshold.",
        "P2.failures.counts/3", [("<= threshold * diagonals", "<= 0.1 * diagonals")]),
    mistake(
        "failures-strict", "does not count a distance that equals the limit in failure cases",
        "PCK counts it. Compare with <=.",
        "P2.failures.counts/3", [("<= threshold * diagonals", "< threshold * diagonals")]),
    mistake(
        "failures-by-image-size", "takes the threshold times the size of the image",
        "Small figures are then judged less strictly than large ones. Take the diagonal of the box "
        "of the true keypoints, as PCK does.",
        "P2.failures.counts/3", [("<= threshold * diagonals", "<= threshold * 128")]),
    mistake(
        "failures-by-longest-side", "takes the threshold times the longer side of the figure",
        "PCK allows more. Take the diagonal of the box of the true keypoints.",
        "P2.failures.counts/3",
        [(".amin(dim=1)).norm(dim=1, keepdim", ".amin(dim=1)).amax(dim=1, keepdim")]),
    mistake(
        "failures-first-images", "pictures the first images in which a case occurs",
        "Those that show it best stay unseen. Take the images with the most keypoints of the case.",
        "P2.failures.images/2",
        [(RANKED, "ranked = per_image.nonzero().flatten()[:max_images].tolist()")]),
    mistake(
        "failures-fewest-first", "pictures the images with the fewest keypoints of the case",
        "Those that show it best stay unseen. Sort in descending order.",
        "P2.failures.images/2", [("per_image.argsort(descending=True, stable=True)", (
            "per_image.where(per_image > 0, 99).argsort(stable=True)"))]),
    mistake(
        "failures-last-of-equals", "takes the last one of images with equally many keypoints",
        "The rule says that the lower index comes first. Sort in descending order, and stably.",
        "P2.failures.images/2",
        [(RANKED, "ranked = per_image.argsort(stable=True).flip(0)[:max_images].tolist()")]),
    mistake(
        "failures-images-without-case", "pictures images in which the case does not occur",
        "Where a case is rare, pictures of other cases fill its place. Leave them out.",
        "P2.failures.images/1",
        [("images = [index for index in ranked if per_image[index] > 0]", "images = ranked")]),
    mistake(
        "failures-all-images", "pictures all images of a case",
        "max_images has no effect. Stop after that many.",
        "P2.failures.images/1", [(RANKED, RANKED.replace("[:max_images]", ""))]),
    mistake(
        "failures-not-saved", "does not save the failure cases under the names that are asked for",
        "A figure that is only shown is gone when the program ends. Save it to save_dir, as "
        "failure_<case>_<index>.png with the index of the image.",
        "P2.failures.images/3", [(SAVED, "")]),
]
