"""The results as tables: grades.csv, and JUnit's and Gradescope's forms where they are wanted."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

SIGNS = {"passed": "✓", "right": "◐", "todo": "✎", "failed": "✗"}
FORMULA = "=+-@\t\r"  # what a spreadsheet takes for the beginning of one
Line = dict[str, Any]


def counting(lines: Iterable[Line]) -> list[Line]:
    """Of several attempts at a lab the last one that could be read, for each learner."""
    last: dict[tuple[str, str], Line] = {}
    for line in lines:  # in order: a later one replaces an earlier one
        if not line["unreadable"]:
            last[line["learner"], line["lab"]] = line
    return list(last.values())


def columns(lines: Iterable[Line]) -> dict[str, list[tuple[str, str]]]:
    """Lab → number and name of its exercises, as far as anybody handed them in."""
    found = {line["lab"]: [(e["number"], e["name"]) for e in line["exercises"]] for line in lines}
    return dict(sorted(found.items()))


def grades(lines: list[Line], roster: Iterable[str]) -> str:
    """grades.csv: a row for each learner, a column for each exercise, points for each lab."""
    counted = counting(lines)
    labs = columns(counted)
    by_learner: dict[str, dict[str, Line]] = {name: {} for name in roster}
    for line in lines:
        by_learner.setdefault(line["learner"], {})
    for line in counted:
        by_learner[line["learner"]][line["lab"]] = line
    head = ["learner", "earned", "points"]
    for lab, exercises in labs.items():
        head += [f"{lab} earned", f"{lab} points"]
        head += [f"{number} {name}" for number, name in exercises]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for learner, own in sorted(by_learner.items()):
        row: list[Any] = [sum(x["earned"] for x in own.values())]
        row += [sum(x["points"] for x in own.values())]
        for lab, exercises in labs.items():
            one = own.get(lab, {})
            row += [one.get("earned", ""), one.get("points", "")]
            signs = {e["number"]: SIGNS[e["result"]] for e in one.get("exercises", [])}
            row += [signs.get(number, "") for number, _ in exercises]
        writer.writerow([_harmless(learner), *row])
    return out.getvalue()


def junit(lines: list[Line]) -> str:
    """All exercises as JUnit's XML: a suite for each learner and lab."""
    root = ElementTree.Element("testsuites")
    for line in counting(lines):
        name = f"{line['learner']} {line['lab']}"
        wrong = [e for e in line["exercises"] if e["result"] not in ("passed", "right")]
        tests, failures = str(len(line["exercises"])), str(len(wrong))
        facts = {"name": name, "tests": tests, "failures": failures}
        suite = ElementTree.SubElement(root, "testsuite", facts)
        for one in line["exercises"]:
            title = f"{one['number']} {one['name']}"
            case = ElementTree.SubElement(suite, "testcase", classname=name, name=title)
            if one in wrong:
                ElementTree.SubElement(case, "failure", message=one["summary"])
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def gradescope(lines: list[Line]) -> str:
    """Gradescope's results.json of one submission: the last one that could be read."""
    tests = [
        {
            "name": f"{one['number']} {one['name']}",
            "score": one["earned"],
            "max_score": one["points"],
            "output": one["summary"],
            "visibility": "visible",
        }
        for line in counting(lines)
        for one in line["exercises"]
    ]
    bad = "; ".join(line["unreadable"] for line in lines if line["unreadable"])
    found = {"score": sum(one["score"] for one in tests), "tests": tests, "output": bad}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in FORMULA else text
