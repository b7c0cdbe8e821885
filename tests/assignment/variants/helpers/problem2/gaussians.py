import numpy as np


def gaussian(x, y, sigma, height, width):
    if not (0 <= x < width and 0 <= y < height):
        return np.zeros(shape=(height, width))
    rows, columns = np.mgrid[0:height, 0:width]
    return np.exp(-(np.square(columns - x) + np.square(rows - y)) / (2 * sigma**2))
