"""Where to look when a task has failed twice: at what people get wrong most.

A hint names a place and a question to ask there. It does not say what to write.
"""

HINTS = {
    "1.1":
        "Print the first item of a dataset with three images of different sizes, one of them "
        "without objects. Compare type, shape, range and order of what you see with the JSON "
        "file: which number of it stands in which place of the target?",
    "1.2":
        "Take one map of 1 row and 2 columns with two scales, and write the four anchors down "
        "on paper. Then print yours. Look at which loop is the outer one, at what x is divided "
        "by and what y, and at whether a scale is a side or half of one.",
    "1.3":
        "Work one pair out on paper, as in the handout. Then try two boxes that lie apart, a "
        "box without area, and a box whose sides are .01: look at what your code divides by, "
        "and at what it does to a negative width.",
    "1.4":
        "Encode a box that equals its anchor: all four numbers must be 0. Then move it by half "
        "of the anchor's width, and make it twice as wide. If decoding what you encoded does "
        "not give the box back, the two functions disagree: compare them line by line.",
    "1.5":
        "Matching has two steps, and most mistakes lie in the second one. First every anchor "
        "looks for its best object and the thresholds decide. Then every object claims its best "
        "anchor and changes what the first step has written: look at all four results there, "
        "label, box and both masks. Try the two examples of the handout, then an object that "
        "overlaps nothing, and two objects that want the same anchor.",
    "1.6":
        "Count first: how many negatives does the rule ask for with 2 positives, with none, and "
        "with more than there are? Then look at which anchors can be chosen at all, and at what "
        "your sorting does with equal losses.",
    "1.7":
        "Check three things in this order. First, does row n of the flattened predictions "
        "belong to anchor n? Put one large number into one channel of one cell and see where it "
        "arrives. Second, is every image matched once, against the anchors of all maps "
        "together? Third, what is each sum divided by, and how often? Then compare the parts "
        "with the example of the handout one by one: objectness, class, location.",
    "1.8":
        "Pass images of batch size 1 and 3 through a new network and print the shapes of all "
        "maps. Then call `backward` on the sum of each map: is there a gradient at the image "
        "and at every parameter? Layers belong into the module itself or into a `ModuleList`.",
    "1.9":
        "Take the example of the handout and follow which boxes a kept one removes: look at `>` "
        "and `>=`, at the order of equal scores, at a removed box, which removes nothing, and at "
        "one without area, whose IoU is 0 even with itself.",
    "1.19":
        "Print the number of detections after each step of the list in the handout, for one image "
        "with two maps and two classes. The order of these steps matters, and so does what NMS "
        "runs over, and which list its indices are positions in.",
    "1.10":
        "Take the example of the handout and write down for each detection: hit or miss, "
        "precision, recall. Compare with what your loop has after each step. Look at where "
        "recall starts, in which order detections of several images are taken, and at an object "
        "that is found twice.",
    "1.11":
        "Follow one batch: which mode is the model in, when are old gradients removed, which "
        "loss goes backward, and how often does the optimizer step? Then look at what is added "
        "up for the result, and what it is divided by at the end.",
    "1.12":
        "Take one image with one object that two maps find: how often is it counted, and for "
        "which map? Look at what happens when the label is wrong and at where the score "
        "decides. For the pictures, open the file that your function has written.",
    "1.13":
        "Load `results/best_model.pth` into a new `MultiScaleDetector()` yourself, in a fresh "
        "Python. What is stored must be the state dict, and of the network that the defaults "
        "build. If it loads, draw the detections of one image.",
    "1.14":
        "Train on eight images until the loss is near 0, and look at their boxes. If they are "
        "wrong, the fault is in the targets or in decoding, and no number of epochs will help. "
        "If they are right, look at the learning rate, the number of epochs, and whether the "
        "best weights are those that were saved.",
    "1.15":
        "Take two images, one of them with a single object, and two maps of three anchors each. "
        "Work the table out on paper, then print yours: is an object counted once, however many "
        "anchors fit it, and what is each number divided by?",
    "1.16":
        "Print what a hook gets: which of its arguments is the module's output? Then call your "
        "function twice on a network in training mode that has dropout, and compare the results. "
        "Look at what happens to hooks and mode when the call of the model raises.",
    "1.17":
        "Take one image with one object, and a detection on it from each map: how often is the "
        "object counted, and for which map? Then give it a size that equals an edge, and one "
        "beyond the last edge.",
    "1.18":
        "Run report.py with --overwrite beside the weights that you hand in, and compare its "
        "values with yours. If they differ, look at which training yours are from, at the split, "
        "and at the name of the row.",
    "2.1":
        "Print one item of each output type. Follow one keypoint from the JSON file to the "
        "target: in which pixels is it before `generate_heatmap`, by what is it multiplied, and "
        "in which order do x and y stand?",
    "2.2":
        "Draw one keypoint at whole pixels on a map that is wider than high, and find the row "
        "and the column of its peak. Then move it by half a pixel, and then outside of the map. "
        "Look at what each of these does to the height of the peak.",
    "2.3":
        "Print the shape after every block for one image. The skip connections must meet a "
        "tensor of the same height and width. Then change one corner of the image: does the "
        "same corner of the maps change most?",
    "2.4":
        "Print the shape after every layer for one image. Look at what the last layer leaves of "
        "the range of values, and compare two passes in training mode with two in evaluation "
        "mode.",
    "2.5":
        "Take one map of 2 rows and 5 columns with its maximum in row 1, column 3. Follow the "
        "flat index back to row and column: by what do you divide? Then look at the order of "
        "the two numbers, and at maps whose values are all negative.",
    "2.6":
        "Take one image with two keypoints and work out its length on paper. Look at which "
        "keypoints the length is made of, at `<` and `<=`, at whether every image has its own "
        "length, and at what your code does with a length of 0 and with nan.",
    "2.7":
        "Open the file that your function has written, for a small image with keypoints near "
        "its corners. Is the whole image there, and does every point lie where it should?",
    "2.8":
        "Follow one epoch: which loader is trained on and which is only measured, in which mode "
        "is the model in each, and how many batches of each are used? Then count the numbers in "
        "both lists.",
    "2.9":
        "Call your function with two seeds, and print before each training what is trained: "
        "heatmap_size, sigma and skip, the sum of a target, and how many images of which split. "
        "Then look at what is compared for PCK: true keypoints in image pixels, or something that "
        "went through a heatmap? For the failure cases, take two images and count on paper.",
    "2.10":
        "Load each file into a new network yourself, in a fresh Python. What is stored must be "
        "the state dict of the network that the defaults build, one file for each. Then look at "
        "what your log holds for both networks.",
    "2.11":
        "Train on eight images until the loss is near 0, and draw the keypoints over the "
        "images. If they are wrong, the fault is in the targets or in the units of the answer. "
        "If they are right, look at the number of epochs and at which weights were saved.",
    "2.12":
        "Draw one Gaussian between two pixels and print the maximum and its four neighbours: which "
        "of them are higher, and where is the centre? Compare with the direction of your step. "
        "Then look at what your code does where a neighbour lies outside of the map, and where "
        "all values are the same or negative.",
    "2.13":
        "Run report.py with --overwrite beside the weights that you hand in, and compare its "
        "values with yours. If they differ, look at which network and which threshold a row is "
        "about, and in which pixels an error is measured.",
}
