"""Mistakes in the shape dataset and its collation: task 1.1."""

from . import mistake

BBOXES = '[a["bbox"] for a in annotations]'
BOXES = f"torch.tensor({BBOXES}, dtype=torch.float32).reshape(-1, 4)"
READ = '            image = file.convert("RGB")\n'
OWN = 'annotations = self.annotations[entry["id"]]'

MISTAKES = [
    mistake(
        "dataset-item-as-dict", "returns an item as one dict",
        "The training loop and collate_fn take an image and a target apart, and get the keys of "
        "the dict. Return the pair of the image and its target dict.",
        "P1.dataset.image/1", [('return image, {"boxes"', 'return {"image": image, "boxes"')]),
    mistake(
        "dataset-boxes-as-xywh", "reads the JSON's boxes as x, y, width and height",
        "The boxes become far too large, and many leave the image. The JSON holds two corners, x1, "
        "y1, x2 and y2, so take its numbers as they are.",
        "P1.dataset.boxes/1",
        [(BBOXES, '[[x, y, x + w, y + h] for x, y, w, h in (a["bbox"] for a in annotations)]')]),
    mistake(
        "dataset-boxes-to-xywh", "turns the JSON's corners into x, y, width and height",
        "Everything that comes later expects two corners, so that areas and overlaps come out "
        "wrong. The JSON's numbers are already in the form that is asked for.",
        "P1.dataset.boxes/1", [(
            BBOXES, '[[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in '
            '(a["bbox"] for a in annotations)]')]),
    mistake(
        "dataset-labels-from-one", "adds 1 to the category ids",
        "The background has no place in the dataset: the 1 is added in matching, and twice is once "
        "too often. Give the JSON's category_id as it is.",
        "P1.dataset.boxes/2", [('[a["category_id"] for', '[a["category_id"] + 1 for')]),
    mistake(
        "dataset-boxes-whole", "cuts the boxes to whole pixels",
        "Boxes may end within a pixel, and thin ones lose all their width. Give the JSON's numbers "
        "as they are.",
        "P1.dataset.boxes/1",
        [(BBOXES, '[[int(edge) for edge in a["bbox"]] for a in annotations]')]),
    mistake(
        "dataset-boxes-relative", "divides the boxes by the size of the image",
        "Anchors are in pixels, so that no anchor overlaps such a box. Give the JSON's numbers as "
        "they are.",
        "P1.dataset.boxes/1",
        [(BOXES, BOXES + " / torch.tensor(\n            [file.width, file.height] * 2)")]),
    mistake(
        "dataset-boxes-by-224", "divides the boxes by 224, whatever the size of the image",
        "Anchors are in pixels, so that no anchor overlaps such a box. Give the JSON's numbers as "
        "they are.",
        "P1.dataset.boxes/1", [(BOXES, BOXES + " / 224")]),
    mistake(
        "dataset-boxes-rounded", "rounds the boxes to whole pixels",
        "Boxes may end within a pixel, and thin ones lose all their width. Give the JSON's numbers "
        "as they are.",
        "P1.dataset.boxes/1", [(BOXES, BOXES + ".round()")]),
    mistake(
        "dataset-boxes-clipped", "cuts the boxes off at the border of the image",
        "The part of an object that is seen has another centre and another size than the object. "
        "Give the JSON's numbers as they are.",
        "P1.dataset.boxes/1", [(
            BOXES, BOXES + ".clamp(min=0).minimum(torch.tensor(\n"
            "            [file.width, file.height] * 2))")]),
    mistake(
        "dataset-image-reshaped", "reshapes [H, W, 3] to [3, H, W] without moving the channels",
        "The colours of a pixel become neighbours in one channel. Use permute(2, 0, 1).",
        "P1.dataset.image/2",
        [("permute(2, 0, 1)", "reshape(3, *pixels.shape[:2])")]),
    mistake(
        "dataset-pixels-centred", "gives images with values from -1 to 1",
        "The detector is graded on images in 0..1, which then look too bright to it. Leave out the "
        "mean and the standard deviation, or put them into the network.",
        "P1.dataset.image/2",
        [("torch.from_numpy(pixels).permute", "torch.from_numpy(2 * pixels - 1).permute")]),
    mistake(
        "dataset-pixels-of-imagenet", "normalises images by the mean and deviation of ImageNet",
        "The detector is graded on images in 0..1, which look too dull to it then. Divide by 255 "
        "alone, or put the rest into the network.",
        "P1.dataset.image/2", [(
            "torch.from_numpy(pixels).permute",
            "torch.from_numpy(((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])"
            ".astype(np.float32)).permute")]),
    mistake(
        "dataset-keyerror-without-objects", "knows only those images that have annotations",
        "An image without objects ends in a KeyError, although it is an item like any other. Start "
        "from the JSON's list of images, so that one without annotations has an empty list.",
        "P1.dataset.empty/1", [(
            '{image["id"]: [] for image in self.images}',
            '{a["image_id"]: [] for a in content["annotations"]}')]),
    mistake(
        "dataset-drops-empty-images", "leaves out the images that have no annotations",
        "Images without objects teach the detector what background looks like, and the items no "
        "longer line up with the JSON. Keep one item for each entry of the JSON's images.",
        "P1.dataset.empty/1", [(
            '            self.annotations[annotation["image_id"]].append(annotation)\n',
            '            self.annotations[annotation["image_id"]].append(annotation)\n'
            '        self.images = [i for i in self.images if self.annotations[i["id"]]]\n')]),
    mistake(
        "dataset-empty-boxes-flat", "gives an image without objects boxes of shape [0]",
        "A tensor made of an empty list has one dimension, and code that looks at columns 0 to 3 "
        "fails on it. Give it the shape [0, 4], the shape of a box list that happens to be empty.",
        "P1.dataset.empty/1", [("dtype=torch.float32).reshape(-1, 4)", "dtype=torch.float32)")]),
    mistake(
        "dataset-annotations-by-position", "takes the position of an image for its id",
        "Ids need not be running numbers, so that images get the objects of others, or none. Look "
        "annotations up by the id that the entry carries.",
        "P1.dataset.order/2",
        [('self.annotations[entry["id"]]', "self.annotations.get(index, [])")]),
    mistake(
        "dataset-sorted-by-id", "sorts the images by their id",
        "Item i is then another image than entry i of the JSON. Keep the order in which the images "
        "stand in the file.",
        "P1.dataset.order/1", [(
            'self.images = content["images"]',
            'self.images = sorted(content["images"], key=lambda image: image["id"])')]),
    mistake(
        "dataset-sorted-by-file-name", "sorts the images by the names of their files",
        "Item i is then another image than entry i of the JSON. Keep the order in which the images "
        "stand in the file.",
        "P1.dataset.order/1", [(
            'self.images = content["images"]',
            'self.images = sorted(content["images"], key=lambda image: image["file_name"])')]),
    mistake(
        "dataset-files-of-folder", "opens the files of the folder in their order",
        "Images and boxes then belong together by chance. The JSON's file_name says which file an "
        "entry is of.",
        "P1.dataset.order/1",
        [('self.image_dir / entry["file_name"]', "sorted(self.image_dir.iterdir())[index]")]),
    mistake(
        "dataset-file-from-id", "looks for an image in a file that is named after its id",
        "That holds by chance in the data of the course. The JSON's file_name says which file it "
        "is.",
        "P1.dataset.order/1", [('entry["file_name"]', "f\"{entry['id']:06d}.png\"")]),
    *(mistake(
        f"dataset-{word}-annotation", f"keeps the {word} annotation of an image alone",
        "All other objects of the image then count as background. An image has as many boxes as "
        "the JSON has annotations with its id.",
        "P1.dataset.boxes/1", [(OWN, f"{OWN}[{part}]")])
        for word, part in (("first", ":1"), ("last", "-1:"))),
    mistake(
        "dataset-annotations-sorted", "sorts the annotations of an image by their id",
        "Ids say nothing about the order of the objects. Keep the order in which the annotations "
        "stand in the JSON.",
        "P1.dataset.order/1", [(
            OWN, 'annotations = sorted(self.annotations[entry["id"]], key=lambda a: a["id"])')]),
    mistake(
        "dataset-pixels-to-255", "gives images with values from 0 to 255",
        "A network that is trained on such numbers answers nonsense when it is graded on images in "
        "0..1. Divide by 255, so that white is 1.0.",
        "P1.dataset.image/2", [("dtype=np.float32) / 255", "dtype=np.float32)")]),
    mistake(
        "dataset-pixels-by-brightest", "divides each colour image by its own brightest pixel",
        "A dark image then looks like a bright one, which it does not in the grading. Divide by "
        "255, whatever the image holds.",
        "P1.dataset.image/2", [(
            "dtype=np.float32) / 255",
            "dtype=np.float32)\n"
            "            pixels /= pixels.max()")]),
    mistake(
        "dataset-pixels-by-256", "divides the pixels by 256",
        "White is then a little less than 1.0, which it is in the images that grade you. Divide by "
        "255, the value of white.",
        "P1.dataset.image/2", [("dtype=np.float32) / 255", "dtype=np.float32) / 256")]),
    mistake(
        "dataset-bgr", "gives the colour channels in the order blue, green, red",
        "Colours are then swapped against those of the images that grade you. Keep PIL's order, "
        "which is red, green, blue.",
        "P1.dataset.image/2", [("dtype=np.float32) / 255", "dtype=np.float32)[..., ::-1] / 255")]),
    mistake(
        "dataset-channels-last", "gives images as [H, W, 3]",
        "Convolutions take the first dimension for the channels, and fail or mix rows with "
        "colours. Move the channels to the front.",
        "P1.dataset.image/2",
        [("torch.from_numpy(pixels).permute(2, 0, 1).contiguous()", "torch.from_numpy(pixels)")]),
    mistake(
        "dataset-transposed", "gives images as [3, W, H]",
        "The image is then mirrored against its boxes, in which x runs to the right. Rows come "
        "before columns, so move the channels alone.",
        "P1.dataset.image/2", [("permute(2, 0, 1)", "permute(2, 1, 0)")]),
    mistake(
        "dataset-resized", "resizes every image to 224 x 224",
        "The boxes stay where they were, so that they no longer lie on their objects. Leave images "
        "of other sizes as they are.",
        "P1.dataset.image/2",
        [("np.array(image, dtype", "np.array(image.resize((224, 224), Image.NEAREST), dtype")]),
    mistake(
        "dataset-resized-first", "resizes every image to 224 x 224, also that of a transform",
        "The boxes stay where they were, so that they no longer lie on their objects. Leave images "
        "of other sizes as they are.",
        "P1.dataset.image/2", [(READ, READ.replace(
            '("RGB")', '("RGB").resize((224, 224))'))]),
    mistake(
        "dataset-modes-kept", "does not convert image files to RGB",
        "A grey file has no channels and an RGBA file has four, and both break a batch. Convert "
        "what you open to RGB first.",
        "P1.dataset.modes/1", [(READ, "            image = file.copy()\n")]),
    mistake(
        "dataset-transform-ignored", "never calls the transform",
        "Whoever passes a transform gets untouched images without a word. If there is one, call it "
        "and give what it returns.",
        "P1.dataset.transform/1", [("if self.transform is not None:", "if False:")]),
    mistake(
        "dataset-transform-gets-tensor", "gives the transform a tensor instead of the PIL image",
        "Transforms written for PIL images fail on it. Call the transform on the RGB image that "
        "was opened, before anything else happens to it.",
        "P1.dataset.transform/1", [(
            "            image = self.transform(image)\n        else:\n"
            "            pixels = np.array(image, dtype=np.float32) / 255  # [H, W, 3]\n"
            "            image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()"
            "  # [3, H, W]\n",
            "            image = self.transform(torch.from_numpy(np.array(image)))\n"
            "        else:\n"
            "            pixels = np.array(image, dtype=np.float32) / 255\n"
            "            image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()\n")]),
    mistake(
        "dataset-transform-gets-array", "gives the transform an array instead of the PIL image",
        "Transforms written for PIL images fail on it. Call the transform on the RGB image that "
        "was opened, before anything else happens to it.",
        "P1.dataset.transform/1", [(
            "            image = self.transform(image)\n",
            "            image = self.transform(np.array(image))\n")]),
    mistake(
        "collate-images-not-stacked", "returns the images of a batch as a tuple of tensors",
        "The network takes one tensor for the whole batch. Stack the images, and leave only the "
        "targets as a list, since their lengths differ.",
        "P1.collate/1",
        [("return torch.stack(images), list(targets)", "return tuple(images), list(targets)")]),
    mistake(
        "collate-targets-merged", "collates the targets into one dict of lists",
        "The loss goes through the targets image by image and finds the dict's keys instead. Give "
        "a list with one target dict per image.",
        "P1.collate/1", [(
            "return torch.stack(images), list(targets)",
            "return torch.stack(images), {key: [t[key] for t in targets] for key in targets[0]}")]),
]
