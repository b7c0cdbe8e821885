"""What every network of the assignment must do, whatever its layers are."""

from ...engine.compare import Wrong, entries

MAX_PARAMETERS = 50_000_000


def usable(answer, output: str) -> None:
    """Finite outputs that depend on the image and on saved weights, repeatable, not too large."""
    finite, same, loaded, dependent, connected, parameters = entries(
        answer, ("finite", "same_in_eval", "same_when_loaded", "dependent", "connected",
                 "parameters"), "the answer")
    if not finite:
        raise Wrong(f"a {output} holds nan or infinity.")
    if not same:
        raise Wrong("two passes over the same images in evaluation mode differ.")
    if not loaded:
        raise Wrong("a new network that loads the state_dict() of this one answers otherwise: some "
                    "layers are not in it. Layers in a plain list or dict are neither trained nor "
                    "saved; keep them in nn.ModuleList, nn.ModuleDict or as attributes.")
    for index, (depends, found) in enumerate(zip(dependent, connected)):
        if not found:
            raise Wrong(f"{output} {index} passes no gradient on to the image: it does not depend "
                        "on it, or something on the way is detached.")
        if not depends:
            raise Wrong(f"{output} {index} does not depend on the image: the gradient there is 0.")
    if parameters > MAX_PARAMETERS:
        raise Wrong(f"the network has {parameters:,} parameters; {MAX_PARAMETERS:,} are allowed.")
