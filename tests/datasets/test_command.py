"""The command line: what it prints and how it exits."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--train", "3", "--val", "2"]


def refusal(capsys, *arguments):
    """Run a command that must fail with code 2; return its one line."""
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    assert exit_.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1 and printed.err.endswith("\n")
    return printed.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("generate --train -1", "train must be at least 1 image, got -1"),
        ("generate --train 0", "train must be at least 1 image, got 0"),
        ("generate --val 0", "val must be at least 1 image, got 0"),
        ("generate --train many", "argument --train: invalid int value: 'many'"),
        ("generate --seed 6.5", "argument --seed: invalid int value: '6.5'"),
        ("generate --seed -1", "seed must be 0 or more, got -1"),
        ("generate --profile modern", "argument --profile: invalid choice: 'modern'"),
        ("generate --palette grey", "argument --palette: invalid choice: 'grey'"),
        ("generate --profile classic --palette random", "colours fixed: palette must be class"),
        ("generate --shuffle", "unrecognized arguments: --shuffle"),
        ("audit one two", "unrecognized arguments: two"),
        ("draw", "argument command: invalid choice: 'draw'"),
        ("", "the following arguments are required: command"),
    ],
)
def test_bad_arguments_give_one_line_and_code_2(capsys, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert reason in refusal(capsys, *arguments.split())
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folder(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    assert f"cannot write {out}" in refusal(capsys, "generate", *SMALL, "--out", out)


def test_audit_of_a_folder_without_dataset(capsys, tmp_path):
    line = refusal(capsys, "audit", tmp_path)
    assert line.endswith(f"{tmp_path} holds no complete dataset: manifest.json is missing\n")
    assert "manifest.json is missing" in refusal(capsys, "audit", tmp_path / "nowhere")


def test_generate_then_again_then_audit(capsys, tmp_path):
    main(["generate", *SMALL, "--profile", "classic", "--out", str(tmp_path)])
    assert capsys.readouterr().out == (f"10 images written to {tmp_path}; detection.png and "
                                       "keypoints.png there show some of them\n")

    main(["generate", *SMALL, "--profile", "classic", "--out", str(tmp_path)])
    again = capsys.readouterr().out
    assert "already" in again and again.count("\n") == 1

    stored = (tmp_path / "audit.json").read_text()
    (tmp_path / "audit.json").unlink()
    main(["audit", str(tmp_path)])
    audited = capsys.readouterr().out.splitlines()
    assert audited[0].startswith("detection/train: 3 images (")
    assert any(line.startswith("warning: keypoints/train: hands cross in") for line in audited)
    assert str(tmp_path / "manifest.json") in audited[-1]
    assert (tmp_path / "audit.json").read_text() == stored


def start(*arguments):
    return subprocess.Popen([sys.executable, "-m", "datasets", *map(str, arguments)], cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_as_a_program(tmp_path):
    out, error = start("generate", "--train", 60, "--val", 1, "--out", tmp_path).communicate()
    assert error == ""
    assert out.startswith(f"122 images written to {tmp_path};")
    failed = start("generate", "--profile", "modern")
    _, error = failed.communicate()
    assert failed.returncode == 2
    assert error.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
def test_a_terminated_run_leaves_nothing(tmp_path):
    out = tmp_path / "out"
    run = start("generate", "--train", 100_000, "--out", out)
    while not list(out.rglob("*.png")) and run.poll() is None:
        time.sleep(0.02)
    run.terminate()
    printed, error = run.communicate()
    # A bar that the signal met while it was being made complains when it is thrown away.
    error = re.sub(r"Exception ignored in: <function tqdm\.__del__.*?AttributeError: [^\n]*\n", "",
                   error, flags=re.S)
    assert (run.returncode, printed, error) == (143, "", "")
    assert not out.exists()
