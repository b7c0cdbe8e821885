# %% [markdown]
# # Homework 1 on Colab
#
# [Open Colab](https://colab.research.google.com/#upload=true) and upload this notebook. Take a GPU
# at once: Runtime, Change runtime type. Colab forgets everything when the session ends or the type
# changes: run the last cell, which downloads your work, before.
#
# On your own computer you do not need it: README.md says what to use there, and `problem1.ipynb`
# and `problem2.ipynb` draw what your code does.
#
# The first cell asks for `homework1.zip`, and takes `submission.zip` of an earlier session as well:
# choose both.

# %%
import shutil
import zipfile
from pathlib import Path


def newest(name):
    """The last whole one of files which a browser has numbered, such as `name (2).zip`, if any."""
    def number(path):
        return int("0" + "".join(filter(str.isdecimal, path.stem.removeprefix(name))))

    return max(filter(zipfile.is_zipfile, Path().glob(f"{name}*.zip")), key=number, default=None)


if Path.cwd().name != "homework1":
    if Path("homework1").is_dir():  # after a restart it is there, with your work
        if newest("submission"):
            print("homework1 is here already, and your zip file is not unpacked over it: for that, "
                  "delete the folder homework1 and run this cell again")
    else:
        if not newest("homework1"):
            try:
                from google.colab import files
            except ImportError:
                raise SystemExit("this notebook is for Colab: on your own computer use make, as "
                                 "README.md says, and problem1.ipynb and problem2.ipynb") from None
            files.upload()
        kit = newest("homework1")
        assert kit, "homework1.zip did not come whole: run this cell again"
        # !unzip -qo "{kit}" -d unpacked
        if work := newest("submission"):
            starter = Path("unpacked/homework1/starter")
            with zipfile.ZipFile(work) as zipped:
                zipped.extractall(starter, [name for name in zipped.namelist()
                                            if not name.startswith("__MACOSX/")])
            for within in {path.parent for path in starter.glob("*/problem[12]")}:  # packed again
                shutil.copytree(within, starter, dirs_exist_ok=True)
            print(f"your work of an earlier session is back, from {work}")
        Path("unpacked/homework1").rename("homework1")  # at last, so that it is whole
    # %cd homework1

# %% [markdown]
# Colab has its own torch, which uses the GPU, and all else but two packages.

# %%
# !python -m pip install -q pytest==8.4.2 pyseccomp==0.1.2

# %% [markdown]
# Draw the images, then grade what is there. Edit the files of `starter/` in the list of files on
# the left (a double click opens one), save, and grade again: all of it, or one task.

# %%
# !python -m datasets generate

# %%
# !python -m autograder grade starter

# %%
# !python -m autograder grade starter --only 1.2

# %% [markdown]
# Train, once the tasks before are done. Is there a GPU? Training takes minutes with one.

# %%
import torch

print("GPU" if torch.cuda.is_available() else "no GPU: download your work, then change the type")

# %%
# !python starter/problem1/train.py

# %%
# !python starter/problem2/train.py

# %% [markdown]
# Measure your networks and fill in the tables of `starter/report.md` (minutes). What has a value
# stays: after a new training add `--overwrite`. You answer the questions in the file itself.

# %%
# !python starter/report.py

# %% [markdown]
# Download your work. This is also what you hand in.

# %%
Path("submission.zip").unlink(missing_ok=True)  # of an earlier state of your work
# !python -m autograder zip
if Path("submission.zip").is_file():
    try:
        from google.colab import files

        files.download("submission.zip")
    except ImportError:  # not on Colab
        print("submission.zip lies in", Path.cwd())
