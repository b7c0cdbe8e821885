"""What is said of a grade as a whole: where to look, what has changed, what costs most."""

from dataclasses import replace

from autograder.assignment import ASSIGNMENT
from autograder.engine import results
from autograder.engine.pages.grade_page import page
from autograder.engine.results import (
    FAILED,
    GRADER_BROKE,
    NOT_RUN,
    SUBMISSION_BROKE,
    Before,
    Grade,
    Row,
    causes,
    gradescope,
    since,
)
from autograder.engine.terminal import DIM, PLAIN, summary
from autograder.instructor.packaging.contents import refuse_leaks


def test_the_second_failing_grade_says_where_to_look(made_up, grade_checks, tmp_path):
    """In the terminal, on the page and on Gradescope; not where nothing has been tried."""
    work = made_up({"problem1/utils.py": """
def compute_iou(a, b):
    return a @ b.T

def generate_anchors(feature_map_sizes, anchor_scales, image_size=224):
    raise NotImplementedError
"""})
    hint = ASSIGNMENT.hints["1.3"]
    first = grade_checks(work, ["1.2", "1.3"])
    assert first.failing == {"1.3"} and first.and_before().failed == {"1.3": 1}
    assert hint not in gradescope(first)["tests"][-1]["output"]
    second = replace(first, before=first.and_before())
    lines = " ".join(summary(second, colour=False).split())
    assert lines.count("Where to look: ") == 1 and hint in lines
    assert f"<summary>Where to look</summary><p>{hint[:40]}" in page(second, "x")
    said = [test["number"] for test in gradescope(second)["tests"]
            if test["output"].endswith(f"\nWhere to look: {hint}")]
    assert len(said) == 1 and said[0].startswith("1.3.")
    assert second.and_before().failed == {"1.3": 2}
    for row in second.rows:  # of a file that is absent, and of what breaks, the place is said
        row.message = "problem1/utils.py is missing."
        if row.check.number > "1.3.4":
            row.verdict, row.message = SUBMISSION_BROKE, "Your code raised SystemExit: 1."
    assert "1.3" in second.failing and not second.hints


def test_what_is_not_done_yet_is_counted_apart_from_what_is_wrong():
    def row(number, message, score=0.0):
        return Row(ASSIGNMENT.by_number[number], SUBMISSION_BROKE, score, message=message)

    todo = row("1.2.1", "Not written yet: Task 1.2 generate_anchors: see handout.")
    weights = row("1.13.1", "results/best_model.pth is missing: run train.py.")
    wrong, gone = row("1.3.1", "Your code raised E."), row("1.4.1", "problem1/utils.py is missing.")
    other = row("1.3.2", "Not written yet: NotImplementedError.")
    grade = Grade(ASSIGNMENT, [todo, wrong, other, gone, weights])
    lines = summary(grade, colour=False).splitlines()
    assert [line[:8] for line in lines if line[:4] in ("todo", "LOST")] == [
        "todo 1.2", "LOST 1.3", "LOST 1.4", "todo 1.1"]
    # A line for each thing to do where several tasks are graded, and all of it where one is.
    assert lines[1] == f"     {todo.message}" and todo.check.sentence not in " ".join(lines)
    alone = summary(Grade(ASSIGNMENT, [todo]), colour=False)
    assert " ".join(alone.split()).startswith(f"todo 1.2 Anchors 0 / {todo.check.points:g} ")
    assert f"     1.2.1  {todo.check.sentence[:40]}" in alone
    due = sum(row.check.points for row in (todo, weights, other))
    missing = sum(cause.points for cause in causes(grade.rows))
    assert f"What costs most of the {missing:g} points that are missing:" in lines
    assert lines[-1].endswith(f"   ({due:g} of the {missing:g} missing points not done yet, 0.0 s)")
    shown = page(grade, "x")
    assert f"{due:g} points are not done yet." in shown
    assert shown.count(", not done yet</summary>") == 2, "those of 1.1 and 1.2"
    assert shown.count('<article class="broke"') == 3 == shown.count('<article class="failed"') + 1
    assert "not done" not in page(Grade(ASSIGNMENT, [wrong, gone]), "x")


def test_every_task_has_a_hint_that_does_not_give_it_away():
    assert set(ASSIGNMENT.hints) == set(ASSIGNMENT.tasks)
    for hint in ASSIGNMENT.hints.values():
        assert hint == " ".join(hint.split()) and 100 < len(hint) < 600 and hint[-1] in ".?"
    refuse_leaks({"hints.txt": "\n".join(ASSIGNMENT.hints.values()).encode()})


def test_what_has_changed_since_the_last_grade():
    def rows(**scores):
        return [Row(ASSIGNMENT.by_number[number.replace("_", ".")[1:]], FAILED, score)
                for number, score in scores.items()]

    before = {"1.3.1": 0.0, "1.3.4": 1.0, "1.4.1": 0.5}
    assert since(before, rows(n1_3_1=1.0, n1_3_4=0.0, n1_4_1=0.5, n1_4_2=1.0)) == (
        "Since the last grade: +1 for 1.3.1; -1 for 1.3.4")
    assert since(before, rows(n1_4_1=0.5)) == "" == since({}, rows(n1_4_1=0.5))
    many = {check.number: 0.0 for check in ASSIGNMENT.selected(["1.3", "1.4"])}
    assert since(many, [Row(ASSIGNMENT.by_number[number], score=0.25) for number in many]) == (
        f"Since the last grade: +{len(many) / 4:g} for 1.3, 1.4"), "too many to be read"
    for row, why in (*((Row(ASSIGNMENT.by_number["1.3.4"], verdict), "nothing is known of it")
                       for verdict in (NOT_RUN, GRADER_BROKE)),
                     (Row(ASSIGNMENT.by_number["1.5.1"], FAILED), "1.3 is not graded")):
        graded = Grade(ASSIGNMENT, [row], before=Before({**before, "1.5.1": 0.5}))
        assert (graded.change, graded.and_before().scores["1.3.4"]) == ("", 1), why
        assert graded.and_before().scores["1.5.1"] == 0.5, why
    right = {check.number: check.points for check in ASSIGNMENT.selected("1.3")}
    for score, says in ((0, "-0.5"), (1, "+0.5")):  # 1.3 is not graded, and was right
        graded = Grade(ASSIGNMENT, rows(n1_5_1=score), before=Before({**right, "1.5.1": 0.5}))
        assert graded.change == f"Since the last grade: {says} for 1.5.1"
        assert graded.and_before().scores["1.5.1"] == score


def test_causes_are_told_by_what_they_have_in_common():
    def row(number, verdict, message, cause=""):
        return Row(replace(ASSIGNMENT.by_number[number], points=1.0), verdict, message=message,
                   cause=cause)

    rows = [row("1.2.1", SUBMISSION_BROKE, "Not written yet: Task 1.2 generate_anchors."),
            row("1.3.1", SUBMISSION_BROKE, "Not written yet: Task 1.3 compute_iou."),
            row("1.4.1", FAILED, "tx should be 1, but is 2.\nRule P1.coding.encode: ..."),
            row("1.4.2", FAILED, "tw should be 3, but is 4."),
            row("1.4.3", FAILED, "tw should be 3, but is 4.", cause="your code clamps"),
            replace(row("1.5.1", FAILED, "mask should be True, but is False."),
                    place="problem1/utils.py, line 31"),
            row("1.13.1", SUBMISSION_BROKE, "results/best_model.pth is missing: run train.py."),
            row("1.13.2", SUBMISSION_BROKE, "problem1/results/training_log.json is missing: ..."),
            row("1.14.1", SUBMISSION_BROKE, "results/best_model.pth is missing: run train.py.")]
    assert [(cause.points, cause.reason, cause.where) for cause in causes(rows)] == [
        (3, "what training writes to results/ is missing",
         "1.13.1, 1.13.2, 1.14.1: problem1/results/, problem1/results/best_model.pth"),
        (2, "what is not written yet", "1.2.1, 1.3.1: problem1/utils.py"),
        (2, "2 checks of task 1.4 fail; the first: tx should be 1, "
            "but is 2.", "1.4.1, 1.4.2: problem1/utils.py"),
        (1, "your code clamps", "1.4.3: problem1/utils.py"),
        (1, "mask should be True, but is False.", "1.5.1: problem1/utils.py, line 31")]
    # One report for two tasks; and what is absent leaves what is wrong its place.
    rows += [row(number, FAILED, "report.md is missing: it lies beside problem1/.")
             for number in ("1.18.1", "2.13.1")]
    reports = next(cause for cause in causes(rows) if cause.reason.startswith("report.md"))
    assert (reports.points, reports.where) == (2, "1.18.1, 2.13.1: report.md")
    assert [cause.reason[:20] for cause in causes(rows, 2)] == [
        "what training writes", "what is not written ", "2 checks of task 1.4", "your code clamps",
        "everything else"]  # so that the lines add up to what is missing
    assert sum(cause.points for cause in causes(rows, 2)) == len(rows)
    many = [row(f"1.{task}.1", FAILED, "x should be 1.", cause=f"cause {task}")
            for task in range(1, 11)]
    assert len(causes(many, 2)) == 5, "twice as many where two are less than half"


def test_checks_that_broke_together_keep_the_name_of_their_mistake():
    said = "Your code raised IndexError: Target 3 is out of bounds."
    named, seen = "It looks as if your code clamps.", "(Seen with the right values of compute_iou.)"
    rows = [Row(ASSIGNMENT.by_number[number], SUBMISSION_BROKE, message="\n".join(lines))
            for number, *lines in (
                ("1.7.1", said, named, seen, "Asked: f(1)", "Rule P1.loss.obj: ..."),
                ("1.7.3", said, "It looks like the mistake of 1.7.1.", seen, "Rule P1.loss.loc: "))]
    assert results.lines_of(rows) == [said, named, seen]
    assert results.lines_of(rows[:1]) == rows[0].message.splitlines()
    grade = Grade(ASSIGNMENT, rows)
    assert named in " ".join(summary(grade, colour=False).split()) and named in page(grade, "x")


def test_what_is_as_before_or_like_another_mistake_is_not_told_again():
    rows = [Row(ASSIGNMENT.by_number[number], FAILED, message="\n".join(lines))
            for number, *lines in (
        ("1.3.1", "iou is 2.", "It looks as if your code adds.", "Asked: compute_iou(a, b)"),
        ("1.3.2", "iou is 3.", "It looks like the mistake of 1.3.1.",
         "Asked: compute_iou(c, d)"))]
    grade = Grade(ASSIGNMENT, rows)
    whole, again = summary(grade, colour=False), summary(grade, colour=False, same=["1.3"])
    assert "compute_iou(a, b)" in whole and "compute_iou(c, d)" not in whole
    assert [line[:8] for line in again.splitlines() if line] == ["LOST 1.3", "Total 0 "]
    assert again.splitlines()[0].endswith("problem1/utils.py  as before")
    assert "compute_iou(c, d)" in summary(Grade(ASSIGNMENT, rows[1:]), colour=False), "asked alone"


def test_a_save_that_changes_nothing_names_what_was_looked_at():
    rows = [Row(ASSIGNMENT.by_number[number], results.PASSED, ASSIGNMENT.by_number[number].points)
            for number in ("1.2.1", "1.3.1", "1.4.1")]
    grade = Grade(ASSIGNMENT, rows)
    for only, says in ((["1.3", "1.2"], "Looked again at 1.2, 1.3: nothing has changed."),
                       ([], "Nothing has changed.")):
        assert summary(grade, colour=False, only=only, same=only).startswith(f"{says}\nTotal ")
    told = summary(grade, colour=False, only=["1.3", "1.4"], same=["1.3"])
    assert told.startswith("ok   1.4") and "1.3" not in told, "as before is not told again"


def test_what_helps_most_is_not_dim_and_a_rule_is_printed_once():
    rows = [Row(ASSIGNMENT.by_number[number], FAILED, message="\n".join(
                ["mAP is low.", "It looks as if it adds.", asked,
                 "Rule P1.accuracy.map: Two numbers."]))
            for number, asked in (("1.14.1", "Asked: f(1)"), ("1.14.2", "Asked: f(2)"))]
    lines = [line.strip() for line in summary(Grade(ASSIGNMENT, rows), colour=True).splitlines()]
    dim = [line.removeprefix(DIM).removesuffix(PLAIN).strip() for line in lines
           if line.startswith(DIM)]
    assert dim == ["Asked: f(1)", "Rule P1.accuracy.map: Two numbers.",
                   "Asked: f(2)", "Rule P1.accuracy.map, as above"]
    assert lines.count("It looks as if it adds.") == 2
