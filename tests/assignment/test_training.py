"""Checks of training: right in an odd way, and wrong in every way that a rule names.

The functions below run in this process, through the probes, on the stored public questions.
"""

import copy
import re
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from autograder.assignment import ASSIGNMENT
from autograder.assignment.probes import PROBES
from autograder.engine.check import Judgement
from autograder.engine.compare import Wrong
from autograder.engine.sandbox import child, wire

pytestmark = pytest.mark.slow

BFLOAT16 = torch.autocast("cpu", dtype=torch.bfloat16)


@pytest.fixture
def said(public):
    """`said(number, function)`: what a check says about a function, None where it passes."""
    def judge(number, function):
        check, reference = ASSIGNMENT.by_number[number], public.by_number[number]
        question = reference.question
        inputs = wire.unpack(wire.pack(question.inputs), child._tensor)
        torch.manual_seed(0)
        value = PROBES[question.probe](lambda path: function, **inputs)
        answer = wire.unpack(wire.pack(value, child._array))
        try:
            check.run(answer, reference.expected, question, Judgement(check))
        except Wrong as wrong:
            return str(wrong)
        return None

    return judge


# --- right in an odd way -----------------------------------------------------------------------


def train_in_bfloat16(model, dataloader, criterion, optimizer, device, anchors):
    """Under autocast, clipped, with gradients of zeros, and passes for nothing in between."""
    optimizer.zero_grad(set_to_none=False)
    history = []
    for images, targets in dataloader:
        model.train()
        with BFLOAT16:
            losses = criterion(model(images), targets, anchors)
        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(losses["loss_total"]).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=False)
        history.append(torch.stack([*losses.values()]).detach())
        with torch.no_grad():
            model.eval()(images)
    return dict(zip(losses, torch.stack(history).mean(dim=0)), batches=len(history))


def train_by_closure(model, dataloader, criterion, optimizer, device, anchors):
    """Losses come out of a closure, and the means in a dict of a dict, rounded."""
    model, sums = nn.DataParallel(model).train(), {}

    def closure(images, targets):
        model.zero_grad()
        losses = criterion(model(images.to(device)), targets, [a.to(device) for a in anchors])
        losses["loss_total"].backward()
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0) + loss.item()
        return losses["loss_total"]

    for batch in dataloader:
        optimizer.step(partial(closure, *batch))
    return {"train": {name: round(value / len(dataloader), 4) for name, value in sums.items()}}


def validate_a_copy(model, dataloader, criterion, device, anchors):
    """The copy is in evaluation mode, and the model stays as it was."""
    net, totals = copy.deepcopy(model).eval(), []
    for images, targets in dataloader:
        with BFLOAT16:
            totals.append(criterion(net(images), targets, anchors)["loss_total"].item())
    return {"val_loss": sum(totals) / len(totals), "all": None}


@torch.inference_mode()
def validate_twice(model, dataloader, criterion, device, anchors):
    """Twice over the loader, in tensors, back in training mode afterwards."""
    model.train(False)
    runs = [[criterion(model(images), targets, anchors) for images, targets in dataloader]
            for _ in range(2)]
    model.train()
    return {name: torch.stack([losses[name] for losses in runs[1]]).mean() for name in runs[0][0]}


def fit_best(model, train_loader, val_loader, num_epochs=30):
    """AdamW, clipped, cosine, bfloat16; the weights of the best epoch are restored."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_epochs)
    log, best = {"train_loss": [], "val_loss": []}, None
    for _ in range(num_epochs):
        model.train()
        losses = []
        for images, targets in train_loader:
            with BFLOAT16:
                loss = nn.functional.mse_loss(model(images).float(), targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            losses.append(loss.detach())
        schedule.step()
        log["train_loss"].append(torch.stack(losses).mean())
        model.eval()
        with torch.no_grad(), BFLOAT16:
            errors = [(model(images) - targets).square() for images, targets in val_loader]
        log["val_loss"].append(torch.cat(errors).mean())
        if log["val_loss"][-1] <= min(log["val_loss"]):
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return log


class History(dict):
    """Counts epochs."""


def fit_shuffled(model, train_loader, val_loader, num_epochs=30):
    """Passes to warm up, batches of its own, a low rate with weight decay that first rises."""
    batches = DataLoader(train_loader.dataset, train_loader.batch_size, shuffle=True)
    for images, _ in list(batches)[:3]:
        model(images).sum().backward()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4, weight_decay=1e-4, amsgrad=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 8))
    history, criterion = History(train_loss=[], val_loss=[], rates=[]), nn.MSELoss(reduction="sum")
    for _ in range(num_epochs):
        total = 0
        optimizer.zero_grad()
        for images, targets in batches:
            loss = criterion(model.train()(images), targets)
            (loss / targets.numel()).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            total += loss.item()
        history["train_loss"].append(total)
        with torch.no_grad():
            pairs = [(model.eval()(images), targets) for images, targets in val_loader]
        history["val_loss"].append(round(sum(criterion(*p).item() for p in pairs)
                                         / sum(p[0].numel() for p in pairs), 4))
        history["rates"].append(schedule.get_last_lr()[0])
    return history


@pytest.mark.parametrize(("function", "numbers"), [
    (train_in_bfloat16, ("1.11.1", "1.11.2")),
    (train_by_closure, ("1.11.1", "1.11.2")),
    (validate_a_copy, ("1.11.3",)),
    (validate_twice, ("1.11.3",)),
    (fit_best, ("2.8.1", "2.8.2", "2.8.3")),
    (fit_shuffled, ("2.8.1", "2.8.2", "2.8.3")),
], ids=lambda value: getattr(value, "__name__", " "))
def test_right_in_an_odd_way(function, numbers, said):
    assert [said(number, function) for number in numbers] == [None] * len(numbers)


# --- wrong -------------------------------------------------------------------------------------


def epoch(name="loss_total", training=True, clear=True, every=1, copied=False):
    """A `train_epoch` with one thing otherwise; `every` so many batches it makes a step."""
    def train_epoch(model, dataloader, criterion, optimizer, device, anchors):
        net = copy.deepcopy(model) if copied else model
        net.train(training)
        for number, (images, targets) in enumerate(dataloader, 1):
            criterion(net(images), targets, anchors)[name].backward()
            if number % every == 0:
                optimizer.step()
                if clear:
                    optimizer.zero_grad()
        return {}

    return train_epoch


class Halved(torch.optim.Adam):
    """Halves its learning rate at every step."""

    def step(self, closure=None):
        super().step(closure)
        self.param_groups[0]["lr"] /= 2


def fit(training=True, clear=True, on_validation=False, measured=True, copied=False, rate=1e-3,
        targets=lambda y: y, images=lambda x: x, every=1, part=(0, None), seen=False, epochs=99,
        optimizers=torch.optim.Adam, mean=True, power=1, told=1.0):
    """A training of problem 2 with one thing otherwise."""
    def train(model, train_loader, val_loader, num_epochs):
        log = {"train_loss": [], "val_loss": []}
        net = copy.deepcopy(model) if copied else model
        optimizer = optimizers([*net.parameters()][slice(*part)], lr=rate)
        for number in range(num_epochs):
            net.train(training or not number)
            batches = [*train_loader, *(val_loader if on_validation else ())]
            for place, (x, y) in enumerate(batches if number < epochs else (), 1):
                nn.functional.mse_loss(net(images(x)), targets(y)).backward()
                if place % every == 0:
                    optimizer.step()
                    if clear:
                        optimizer.zero_grad()
            for x, _ in val_loader if seen else ():
                net(x)
            net.train(not measured)
            with torch.no_grad():
                losses = [nn.functional.mse_loss(net(x), y).item() ** power for x, y in val_loader]
            log["train_loss"].append(told / (1 + number))
            log["val_loss"].append(sum(losses) / (len(losses) if mean else len(val_loader.dataset)))
        return log

    return train


def validation(training=False, step=False):
    """A `validate` with one thing otherwise."""
    def validate(model, dataloader, criterion, device, anchors):
        model.train(training)
        losses = [criterion(model(images), targets, anchors)["loss_total"]
                  for images, targets in dataloader]
        if step:
            sum(losses).backward()
            torch.optim.Adam(model.parameters()).step()
        return {"loss_total": (sum(losses) / len(losses)).item()}

    return validate


@pytest.mark.parametrize(("number", "function", "sentence"), [
    ("1.11.1", epoch(), None),
    ("1.11.1", epoch(training=False), r"^the model was not in training mode \(model.train\(\)\)"),
    ("1.11.1", epoch(clear=False), "^gradients of earlier batches were still there .*zero_grad"),
    ("1.11.1", epoch(clear=False, training=False), "^the model was not in training mode"),
    ("1.11.1", epoch(every=8), "^the optimizer should make one step per batch, 48 in all; the "
                               "weights have moved as 6 would"),
    ("1.11.1", epoch(every=2), "48 in all; the weights have moved as 24 would"),
    ("1.11.1", epoch("loss_obj"), "^over six epochs .* first those that loss_cls teaches"),
    ("1.11.1", epoch(copied=True), "^the model that was passed in has the weights that it had"),
    ("1.11.3", validation(), None),
    ("1.11.3", validation(training=True), "^validate changed the batch-norm statistics .* eval"),
    ("1.11.3", validation(step=True), "^validate changed the weights of the model"),
    ("2.8.1", fit(), None),
    ("2.8.1", fit(training=False), "^the model was not in training mode .* in every training step"),
    ("2.8.2", fit(clear=False), "^gradients of earlier batches were still there"),
    ("2.8.1", fit(optimizers=Halved), "^weights have moved in the first steps and hardly any more"),
    ("2.8.1", fit(on_validation=True), "^a weight has changed that only validation images can"),
    ("2.8.1", fit(images=lambda x: 2 * x - 1), "or on training images that were changed before"),
    ("2.8.2", fit(copied=True), "^the model that was passed in has the weights that it had"),
    ("2.8.1", fit(rate=1e-6), "^weights have not moved as Adam .* has moved by 1e-06 per batch"),
    ("2.8.2", fit(rate=1e-2), "^weights have not moved as Adam .* has moved by 0.009"),
    ("2.8.2", fit(optimizers=torch.optim.SGD), "^weights have not moved as Adam moves them"),
    ("2.8.1", fit(epochs=2), "^weights have not moved as Adam .* in all epochs"),
    ("2.8.1", fit(targets=lambda y: y.roll(1, 0)), "^a weight has moved as the targets of other"),
    ("2.8.2", fit(every=2), "^a weight has moved on which the pushes of two batches in a row"),
    ("2.8.1", fit(part=(0, 1)), "^some parameters of the model have hardly moved"),
    ("2.8.2", fit(part=(-2, None)), "^some parameters of the model have hardly moved"),
    ("2.8.3", fit(seen=True), "^batch norm has learned statistics of validation images"),
    ("2.8.3", fit(), None),
    ("2.8.3", fit(training=False), None),
    ("2.8.3", fit(measured=False), r"but val_loss ends with .* in training mode\?"),
    ("2.8.3", fit(told=0.0), "^train_loss is 0, 0, 0 and so on: no epoch has a mean squared error"),
    ("2.8.3", fit(power=0.5), "Is it the root of the error"),
    ("2.8.3", fit(mean=False), "Is a sum over batches divided by the number of images"),
    ("2.8.3", fit(copied=True), "^the model that was passed in fits the training set no better"),
])
def test_a_wrong_training_is_told(number, function, sentence, said):
    found = said(number, function)
    assert (found is None) if sentence is None else re.search(sentence, found), found
