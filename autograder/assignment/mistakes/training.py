"""Mistakes in both training loops: tasks 1.11 and 2.8."""

from . import mistake

STEP = """        optimizer.zero_grad()
        loss["loss_total"].backward()
        optimizer.step()
"""
MEANS = "    return mean_losses(losses)\n"
RUNS = {
    name: f'return _train("{name}", model, train_loader, val_loader, num_epochs, checkpoint, run)'
    for name in ("heatmap", "regression")
}
NAMES = {"heatmap": "HeatmapNet", "regression": "RegressionNet"}
RETURN = "    return log\n"
TRAIN = "train_loss = _run_epoch(model, train_loader, precision, optimizer, bar.update)\n"
VALIDATE = "val_loss = _run_epoch(model, val_loader, precision)\n"


MISTAKES = [
    mistake(
        "train-without-step", "never lets the optimizer make a step",
        "Gradients are computed and thrown away, so that the loss stays where it was. Step once "
        "after each backward pass.",
        "P1.train.learns/1", [(STEP, STEP.replace("optimizer.step()", "pass"))]),
    mistake(
        "train-without-backward", "never calls backward()",
        "The optimizer makes its steps without gradients, so that no weight moves. Call "
        "loss_total.backward() before each step.",
        "P1.train.learns/1", [(STEP, STEP.replace('        loss["loss_total"].backward()\n', ""))]),
    mistake(
        "train-cleared-before-step", "clears the gradients between backward() and step()",
        "Steps are then made without gradients, and no weight moves. Clear them before backward().",
        "P1.train.learns/1", [("        optimizer.zero_grad()\n", ""), (
            "        optimizer.step()\n", "        optimizer.zero_grad(); optimizer.step()\n")]),
    mistake(
        "train-objectness-alone", "minimises loss_obj alone",
        "The network learns where objects are, but neither what they are nor how large. Minimise "
        "loss_total.",
        "P1.train.learns/1", [('loss["loss_total"].backward()', 'loss["loss_obj"].backward()')]),
    mistake(
        "train-plain-sum", "minimises the plain sum of the three losses",
        "The boxes count half of what they should against objectness and class. Minimise "
        "loss_total, in which they have their weight.",
        "P1.train.learns/1", [(
            'loss["loss_total"].backward()',
            'sum(v for k, v in loss.items() if k != "loss_total").backward()')]),
    mistake(
        "train-step-per-epoch", "makes one step per epoch",
        "The network changes a few times in all and hardly learns. Step after every batch.",
        "P1.train.learns/1", [
            (STEP, '        loss["loss_total"].backward()\n'),
            (MEANS, "    optimizer.step()\n    optimizer.zero_grad()\n" + MEANS)]),
    mistake(
        "train-first-batch", "trains on the first batch of each epoch only",
        "Most images are never seen. Go through the whole loader, with a step for every batch.",
        "P1.train.learns/1",
        [("    for images, targets in bar:\n", "    for images, targets in [next(iter(bar))]:\n")]),
    mistake(
        "train-gradients-kept", "never clears the gradients between batches",
        "Each step then follows the sum of all batches so far, and training becomes unstable. "
        "Call zero_grad() for every batch.",
        "P1.train.learns/1", [(STEP, STEP.replace("        optimizer.zero_grad()\n", ""))]),
    mistake(
        "train-in-evaluation-mode", "trains in the mode in which it finds the model",
        "After a validation that is evaluation mode, in which batch norm and dropout do not act. "
        "Call train() at the start of every epoch.",
        "P1.train.learns/1", [("    model.train()\n    losses = []\n", "    losses = []\n")]),
    mistake(
        "train-returns-last-batch", "returns the losses of the last batch",
        "They jump from epoch to epoch with the images that happen to be there. Return the mean "
        "over all batches.",
        "P1.train.returns/1", [(MEANS, MEANS.replace("(losses)", "(losses[-1:])"))]),
    mistake(
        "train-returns-sums", "returns the sums of the losses",
        "They grow with the number of batches, so that training and validation cannot be compared. "
        "Divide by the number of batches.",
        "P1.train.returns/1", [(
            MEANS, "    return {name: value * len(losses)\n"
            "            for name, value in mean_losses(losses).items()}\n")]),
    mistake(
        "validate-returns-sums", "returns the sums of the losses of validation",
        "They grow with the number of batches, so that training and validation cannot be compared. "
        "Divide by the number of batches.",
        "P1.train.validate/1", [(
            "    return mean_losses([\n        criterion(model(images.to(device)), targets, "
            "anchors) for images, targets in dataloader\n    ])\n",
            "    losses = [criterion(model(i.to(device)), t, anchors) for i, t in dataloader]\n"
            "    return {name: value * len(losses)\n"
            "            for name, value in mean_losses(losses).items()}\n")]),
    mistake(
        "train-returns-per-image", "divides the summed losses by the number of images",
        "Each loss is already the mean of a batch, and becomes too small by the batch size. Divide "
        "by the number of batches.",
        "P1.train.returns/1", [(
            MEANS, "    return {name: value * len(losses) / len(dataloader.dataset)\n"
            "            for name, value in mean_losses(losses).items()}\n")]),
    mistake(
        "train-returns-number", "returns the total loss alone",
        "A log of all terms is not possible then. Return a dict of mean losses.",
        "P1.train.returns/1", [(MEANS, MEANS.replace("(losses)", '(losses)["loss_total"]'))]),
    mistake(
        "validate-in-training-mode", "validates in training mode",
        "Batch norm then learns from the validation images, and the loss depends on the batches. "
        "Call eval() first.",
        "P1.train.validate/1", [(
            "    model.eval()\n    return mean_losses([",
            "    model.train()\n    return mean_losses([")]),
    mistake(
        "validate-first-batch", "validates on the first batch only",
        "The loss then says little about the set. Go through the whole loader.",
        "P1.train.validate/1", [(
            "for images, targets in dataloader\n    ])",
            "for images, targets in [next(iter(dataloader))]\n    ])")]),
    *(mistake(
        f"{network}-trained-on-validation", f"trains {name} on the validation loader",
        "The numbers on the validation set then measure memory. Use the training loader for steps, "
        "the other one for measuring.", f"P2.train.{network}/1",
        [(RUNS[network], RUNS[network].replace("train_loader", "val_loader"))])
        for network, name in NAMES.items()),
    mistake(
        "heatmap-copy-trained", "trains a copy of HeatmapNet",
        "The model that was passed in stays untrained, and so do the weights that are saved. Train "
        "the model itself.",
        "P2.train.heatmap/1", [(
            RUNS["heatmap"],
            "import copy\n\n    " + RUNS["heatmap"].replace( "model,", "copy.deepcopy(model),"))]),
    mistake(
        "keypoints-without-step", "never lets the optimizer make a step in problem 2",
        "Gradients are computed and thrown away, so that the loss stays where it was. Step once "
        "after each backward pass.",
        "P2.train.heatmap/1", [("                optimizer.step()\n", "")]),
    mistake(
        "keypoints-gradients-kept", "never clears the gradients between batches in problem 2",
        "Each step then follows the sum of all batches so far, and training becomes unstable. "
        "Call zero_grad() for every batch.",
        "P2.train.heatmap/1", [("                optimizer.zero_grad()\n", "")]),
    *(mistake(
        f"{network}-gradients-kept", f"never clears the gradients of {name} between batches",
        "Each step then follows the sum of all batches so far. Call zero_grad() for every batch.",
        f"P2.train.{network}/1", [
            ("                optimizer.zero_grad()\n",
             f"                _ = targets.dim() {other} 2 and optimizer.zero_grad()\n"),
            ("LEARNING_RATE * (1 + math.cos(math.pi * epoch / num_epochs)) / 2", "LEARNING_RATE")])
        for (network, name), other in zip(NAMES.items(), ("==", "!="))),
    mistake(
        "keypoints-first-batch",
        "trains the keypoint networks on the first batch of each epoch only",
        "Most images are never seen. Go through the whole loader, with a step for every batch.",
        "P2.train.heatmap/1", [(
            "        for images, targets in loader:\n",
            "        for images, targets in ([next(iter(loader))] if training\n"
            "                                else loader):\n")]),
    mistake(
        "keypoints-rate-too-low", "trains the keypoint networks with a learning rate of 1e-6",
        "The networks hardly move from where they started. Use 1e-3, as the assignment says.",
        "P2.train.heatmap/1", [("LEARNING_RATE = 1e-3", "LEARNING_RATE = 1e-6")]),
    mistake(
        "keypoints-epochs-fixed", "trains for a fixed number of epochs whatever num_epochs is",
        "The argument has no effect, so that a short trial takes as long as the real training. Use "
        "the number that was given.",
        "P2.train.returns/1",
        [("    steps = len(train_loader)\n", "    steps, num_epochs = len(train_loader), 20\n")]),
    mistake(
        "keypoints-returns-keys", "returns the losses of problem 2 under other names",
        "They are looked up by name. Return the lists train_loss and val_loss.",
        "P2.train.returns/1", [(
            RETURN, RETURN.replace(
                "return log", 'return {"train": log["train_loss"], "val": log["val_loss"]}'))]),
    mistake(
        "regression-returns-nothing", "returns nothing after training RegressionNet",
        "Its curve cannot be drawn beside that of HeatmapNet. Return the lists train_loss and "
        "val_loss there as well.",
        "P2.train.returns/1", [(RUNS["regression"], RUNS["regression"].removeprefix("return "))]),
    mistake(
        "keypoints-returns-model", "returns the model instead of the losses",
        "The model is trained in place and the caller has it already. Return the lists train_loss "
        "and val_loss.",
        "P2.train.returns/1", [(RETURN, RETURN.replace("return log", "return model"))]),
    mistake(
        "keypoints-validation-on-training", "measures the validation loss on the training loader",
        "Overfitting then never shows. Measure on the validation loader.",
        "P2.train.returns/1", [(VALIDATE, VALIDATE.replace("val_loader", "train_loader"))]),
    mistake(
        "keypoints-validated-before-training", "measures the validation loss before it trains",
        "Each value then belongs to the epoch before, and the trained network is never measured. "
        "Validate at the end of the epoch.",
        "P2.train.returns/1", [(
            f"{TRAIN}            {VALIDATE}", f"{VALIDATE}            {TRAIN}")]),
    mistake(
        "keypoints-losses-summed", "adds the losses of an epoch up without dividing",
        "The sums grow with the number of images, so that training and validation cannot be "
        "compared. Return means.",
        "P2.train.returns/1", [("    return total / count\n", "    return total\n")]),
    mistake(
        "keypoints-validated-in-training-mode", "measures the validation loss in training mode",
        "Dropout then acts, and batch norm learns from the validation images. Call eval() before "
        "you measure.",
        "P2.train.returns/1", [("    model.train(training)\n", "    model.train()\n")]),
    mistake(
        "keypoints-training-mode-lost", "stays in evaluation mode after the first validation",
        "From the second epoch on, dropout and batch norm do not act in training. Call train() at "
        "the start of every epoch.",
        "P2.train.heatmap/1",
        [("    model.train(training)\n", "    if not training:\n        model.eval()\n")]),
]
