# %% [markdown]
# # Homework 1 on Colab
#
# [Open Colab](https://colab.research.google.com/#upload=true) and upload this notebook. Take a GPU
# at once: Runtime, Change runtime type. Colab forgets everything when the session ends or the type
# changes: run the last cell, which downloads your work, before.
#
# The first cell asks for `homework1.zip`, and takes `submission.zip` of an earlier session as well:
# choose both.

# %%
from pathlib import Path

if Path.cwd().name != "homework1":
    if not Path("homework1").is_dir():  # after a restart it is there, with your work
        if not list(Path().glob("homework1*.zip")):  # a browser may have put " (1)" into a name
            from google.colab import files

            files.upload()
        # !unzip -qo "homework1*.zip"
        for work in sorted(Path().glob("submission*.zip")):
            # !unzip -qo "{work}" -d homework1/starter
            print(f"your work of an earlier session is back, from {work}")
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
# Download your work. This is also what you hand in.

# %%
# !python -m autograder zip
try:
    from google.colab import files

    files.download("submission.zip")
except ImportError:  # not on Colab
    print("submission.zip lies in", Path.cwd())
