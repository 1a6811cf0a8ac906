"""Sentences that reach a script name what a script can say, beside the option of the command."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import bench

HERE = Path(bench.__file__).parent
COMMANDS_ALONE = ("cli", "perf")
OF_ALL_RUNS = ("weights.py", "context.py")  # another letter in them would make every result stale
DOCUMENTS = ("reference.py", "supplement.py", "reproduction.py", "tables/_notes.py", "formats/latex.py", "profiles.py")
OF_TUNING = ("wanted.py", "tuned.py")  # what finds settings is told as a command and as a call
SPELT = {"set": "settings", "model": "models", "dataset": "datasets", "seed": "seeds", "variant": "variants"}
CALLS = (bench.evaluate, bench.run, bench.tune, bench.import_data)
KNOWN = {name for call in CALLS for name in inspect.signature(call).parameters}


def sentences(path: Path) -> list[str]:
    """The texts of a file, those of an f-string as one, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    plain = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        if isinstance(node, ast.JoinedStr) or id(node) not in inner | plain
    ]


def of_commands_alone(sentence: str) -> list[str]:
    """The options in a sentence that are parameters from Python, and are not named as such."""
    options = [option.replace("-", "_") for option in re.findall(r"(?<![\w-])--([a-z][a-z-]*[a-z])", sentence)]
    names = [SPELT.get(option, option) for option in options]
    return [name for name in names if name in KNOWN and not re.search(rf"\b{name.rstrip('s')}s?=", sentence)]


def test_a_sentence_that_names_an_option_names_the_parameter_of_the_same():
    files = [
        path
        for path in HERE.rglob("*.py")
        if path.relative_to(HERE).parts[0] not in (*COMMANDS_ALONE, *OF_ALL_RUNS)
        and not path.as_posix().endswith((*DOCUMENTS, *OF_TUNING))
    ]
    found = {
        f"{path.relative_to(HERE)}: {sentence}"
        for path in files
        for sentence in sentences(path)
        if " " in sentence and of_commands_alone(sentence)
    }
    assert not found


def test_a_sentence_that_sends_to_tuning_names_the_call_beside_the_command():
    sent = {
        f"{path.relative_to(HERE)}: {sentence}"
        for path in HERE.rglob("*.py")
        if path.relative_to(HERE).parts[0] not in COMMANDS_ALONE
        for sentence in sentences(path)
        if "'stbench tune" in sentence.strip("f'\"")
    }
    assert len(sent) > 3
    assert not {sentence for sentence in sent if "bench.tune" not in sentence}
