"""What of a zip file is taken in, and which zip files are none."""

import errno
import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest

from autograder.engine import archive as module
from autograder.engine.archive import NoSubmission
from autograder.engine.files import write_whole
from autograder.engine.submission import take_in
from tests.grading import archive

PROBLEMS = ("problem1", "problem2")


def taken(path, folder):
    """Relative paths of what is taken in."""
    folder.mkdir()
    root = take_in(path, folder, PROBLEMS).root
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_names_of_a_zip_file_stay_inside(tmp_path):
    path = archive(tmp_path / "jane.zip", {
        "../escaped.py": "", "/absolute.py": "", "problem1/../../up.py": "", "problem1/ok.py": "1",
        "problem1/=cmd().py": "", "problem1/ünï/x.py": "", "problem1\\back.py": "",
        "problem1/" + "n" * 300 + ".py": "", "problem1/ok.py/below.py": "",
        ".git/config": "", "__MACOSX/problem1/y.py": "", "problem1/._ok.py": "\0"})
    link = zipfile.ZipInfo("problem1/link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as content:
        content.writestr(link, "/etc/passwd")
    assert taken(path, tmp_path / "in") == {
        "problem1/ok.py", "problem1/=cmd().py", "problem1/ünï/x.py", "problem1/back.py"}
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".py")]


def test_text_is_packed_with_unix_line_ends_and_nothing_else_is_touched(tmp_path):
    files = {"run.sh": b"#!/bin/sh\r\necho\r\n", "weights.pth": b"PK\0\r\n",
             "latin.txt": b"\xe9\r\n"}
    (tmp_path / "a.zip").write_bytes(module.pack(files))
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert {name: packed.read(name) for name in files} == {
            **files, "run.sh": b"#!/bin/sh\necho\n"}


def broken(path):
    path.write_bytes(b"PK\3\4 and no more")


def damaged(path):
    archive(path, {"problem1/x.py": "x" * 1000})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"x" * 100, b"y" * 100))


def listing(path):
    """A list of 5 MiB, of names that stay behind."""
    archive(path, {f"../{i}{'n' * 5000}": "" for i in range(1000)})


def unusual(path):
    """Of such files, zipfile unpacks a megabyte at once, whatever comes out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as content:
        content.writestr("problem1/x.py", bytes(2**10))


def bomb(path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("problem1/zeros", bytes(4 * 2**20))
    path.write_bytes(stream.getvalue())


@pytest.mark.parametrize(("make", "reason"), [
    (broken, "not a zip file"),
    (damaged, "Bad CRC-32"),
    (bomb, "more than 1 MiB"),
    (lambda path: archive(path, {}), "is empty"),
    (lambda path: archive(path, {"a.txt": "", "b/=c().txt": ""}), r"but a\.txt, b/=c\(\)\.txt"),
    (lambda path: archive(path, {f"{i}": "" for i in range(30)}), "more than 20 files and folders"),
    (lambda path: archive(path, {"/".join(f"{i}" * 13): "" for i in range(2)}),
     "more than 20 files and folders"),
    (lambda path: archive(path, {"problem1/" + "/".join(["n" * 200] * 6): ""}), "is empty"),
    (listing, "it lists its files in more than 4 MiB"),
    (unusual, "compressed in an unusual way"),
    (lambda path: None, "jane.zip does not exist"),
])
def test_no_submission_is_said_in_one_line(tmp_path, monkeypatch, make, reason):
    monkeypatch.setattr(module, "MAX_UNPACKED", 2**20)
    monkeypatch.setattr(module, "MAX_ENTRIES", 20)
    make(tmp_path / "jane.zip")
    with pytest.raises(NoSubmission, match=reason) as caught:
        taken(tmp_path / "jane.zip", tmp_path / "in")
    assert "\n" not in str(caught.value)


def test_zip_files_of_a_submission_share_the_room(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_ENTRIES", 9)
    (tmp_path / "jane").mkdir()
    archive(tmp_path / "jane" / "a.zip", {f"problem1/{i}.py": "" for i in range(5)})
    archive(tmp_path / "jane" / "b.zip", {f"problem2/{i}.py": "" for i in range(5)})
    assert len(taken(tmp_path / "jane", tmp_path / "in")) == 5


def test_a_full_disk_is_not_the_submissions_fault(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    archive(tmp_path / "jane.zip", {"problem1/x.py": ""})
    monkeypatch.setattr(module.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        taken(tmp_path / "jane.zip", tmp_path / "in")




def tar_of(path, files, mode="w:gz"):
    """A tar file of names and contents."""
    with tarfile.open(path, mode) as content:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            content.addfile(entry, io.BytesIO(text))
    return path


@pytest.mark.parametrize(("name", "mode"), [
    ("jane.tar.gz", "w:gz"), ("jane.TGZ", "w:gz"), ("jane.tar", "w")])
def test_a_tar_file_is_read_like_a_zip_file(tmp_path, name, mode):
    path = tar_of(tmp_path / name, {"./problem1/x.py": b"1", "../up.py": b"", ".git/x": b"",
                                    "problem1/results/w.pth": b"weights"}, mode)
    link = tarfile.TarInfo("problem1/link.py")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    if mode == "w":
        with tarfile.open(path, "a") as content:
            content.addfile(link)
    assert taken(path, tmp_path / "in") == {"problem1/x.py", "problem1/results/w.pth"}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_file_with_a_name_that_is_no_text(tmp_path, form):
    with tarfile.open(tmp_path / "jane.tar", "w", format=form) as content:
        for name in ("problem1/x.py", "problem1/caf\udce9.txt"):
            content.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert taken(tmp_path / "jane.tar", tmp_path / "in") == {
        "problem1/x.py", "problem1/caf\ufffd.txt"}


def test_a_tar_file_is_bounded(tmp_path, monkeypatch):
    path = tar_of(tmp_path / "jane.tgz", {".git/large": bytes(2**16), "problem1/x.py": b"1"})
    (tmp_path / "broken.tar.gz").write_bytes(b"no tar")
    with pytest.raises(NoSubmission, match="the tar file cannot be unpacked: "):
        taken(tmp_path / "broken.tar.gz", tmp_path / "in")
    monkeypatch.setattr(module, "MAX_UNPACKED", 2**16)
    with pytest.raises(NoSubmission, match="the tar file holds more than 0 MiB"):
        module.unpack(path, tmp_path / "out", module.Room(size=2**16))
    header = tarfile.TarInfo("problem1/y.py")
    header.pax_headers = {"comment": "x" * 2**21}
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as content:
        content.addfile(header)
    with pytest.raises(NoSubmission, match="a header of 2,09"):
        module.unpack(path, tmp_path / "headers")


def header(kind, size, name="x", content=b""):
    """A header of tarfile's, of any size, and content that fills its blocks."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


REG, PAX, LONG = tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME


def records(*texts):
    text = "".join(f"{len(text) + 4} {text}\n" for text in texts).encode()
    return header(PAX, len(text), content=text)


MALFORMED = {
    "back to itself": (header(REG, -512), "negative size"),
    "back before a large one": (
        header(REG, 512, content=bytes(512)) + header(REG, -1536), "negative size"),
    "of an unknown type": (header(b"Z", -512), "negative size"),
    "of a name": (header(LONG, -512), "negative size"),
    "of records": (header(PAX, -10**9), "negative size"),
    "in a record": (records("size=-512") + header(REG, 0), "negative size"),
    "sparse, in a record": (
        records("GNU.sparse.realsize=900000000") + header(REG, 0), "a sparse file"),
    "sparse, with a long list": (
        records("GNU.sparse.major=1", "GNU.sparse.minor=0") + header(
            REG, 2**20, content=b"99999999\n" + b"1\n" * 2**19), "a sparse file"),
    "sparse, of GNU": (header(tarfile.GNUTYPE_SPARSE, 512, content=bytes(512)), "a sparse file"),
    "larger than told": (header(REG, 10**12), "more than 1000 MiB"),
    "cut off": (header(REG, 5000, content=b"1"), "ends too early"),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("name", ["jane.tar", "jane.tar.gz"])
def test_a_tar_file_is_read_once_from_front_to_end(tmp_path, monkeypatch, name, case):
    content, says = MALFORMED[case]
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    monkeypatch.setattr(module, "MAX_ENTRIES", 100)
    with pytest.raises(NoSubmission, match=says):
        taken(path, tmp_path / "in")


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_file_with_long_names_and_links_and_a_remark(tmp_path, form):
    long = f"problem1/{'a' * 60}/{'b' * 150}.py"
    with tarfile.open(tmp_path / "jane.tar", "w", format=form,
                      pax_headers={"comment": "of git archive"}) as content:
        link = tarfile.TarInfo("problem1/l" + "i" * 150)
        link.type, link.linkname = tarfile.SYMTYPE, "c" * 150
        for info in (link, tarfile.TarInfo(long), tarfile.TarInfo("problem1/x.py")):
            content.addfile(info, io.BytesIO())
    assert taken(tmp_path / "jane.tar", tmp_path / "in") == {long, "problem1/x.py"}


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path):
    def fails(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*autograder\.zip'"):
        write_whole(tmp_path / "autograder.zip", fails)
    assert not list(tmp_path.iterdir())
