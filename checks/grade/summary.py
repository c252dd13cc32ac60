"""What a class did, counted: solved exercises, mistakes, attempts, what is missing or alike."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from checks.grade.tables import Line, counting


@dataclass
class Exercise:
    """One exercise: how many did what."""

    lab: str
    number: str
    name: str
    results: Counter = field(default_factory=Counter)


@dataclass
class Summary:
    """What stands in class.html."""

    learners: list[str]
    submissions: int
    exercises: list[Exercise]
    mistakes: list[tuple[str, str, list[str], int]]  # key, sentence, exercises, how many
    attempts: dict[str, Counter]  # lab → number of attempts → learners
    unreadable: list[Line]
    missing: list[tuple[str, list[str]]]  # learner, labs
    alike: list[tuple[str, list[str]]]  # exercise, learners


def of(lines: list[Line], roster: list[str]) -> Summary:
    """Count."""
    counted = counting(lines)
    learners = sorted({*roster, *(line["learner"] for line in lines)})
    labs = sorted({line["lab"] for line in counted})
    exercises: dict[str, Exercise] = {}
    mistakes: dict[tuple[str, str], tuple[str, set[str], set[str]]] = {}
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in counted:
        for one in line["exercises"]:
            title = f"{one['number']} {one['name']}"
            known = exercises.setdefault(title, Exercise(line["lab"], one["number"], one["name"]))
            known.results[one["result"]] += 1
            for key, says in one.get("mistakes", []):
                _, where, who = mistakes.setdefault((key, says), (says, set(), set()))
                where.add(title)
                who.add(line["learner"])
            if (sign := line["alike"].get(one["number"])) and one["result"] != "todo":
                groups[title, sign].append(line["learner"])
    handed_in = {(line["learner"], line["lab"]) for line in counted}
    attempts: dict[str, Counter] = {lab: Counter() for lab in labs}
    for (_, lab), count in Counter((line["learner"], line["lab"]) for line in lines).items():
        if lab in attempts:
            attempts[lab][count] += 1
    absent = [(who, [lab for lab in labs if (who, lab) not in handed_in]) for who in learners]
    return Summary(
        learners,
        len(lines),
        sorted(exercises.values(), key=lambda one: tuple(map(int, one.number.split(".")))),
        sorted(
            (
                (key, says, sorted(where), len(who))
                for (key, _), (says, where, who) in mistakes.items()
            ),
            key=lambda one: (-one[3], one[0]),
        ),
        attempts,
        [line for line in lines if line["unreadable"]],
        [one for one in absent if one[1]],
        sorted((title, sorted(who)) for (title, _), who in groups.items() if len(who) > 1),
    )


def share(exercise: Exercise, *results: str) -> float:
    """Which part of those who handed an exercise in got one of these results."""
    total = sum(exercise.results.values())
    return sum(exercise.results[one] for one in results) / total if total else 0.0


def name_of(line: dict[str, Any]) -> str:
    """How an attempt is called: lab, or file where nobody knows the lab."""
    return str(line["lab"] or line["file"])
