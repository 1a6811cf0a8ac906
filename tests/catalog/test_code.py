"""The digest of code: what is no code moves it for nobody, and what is, for exactly the runs concerned."""

from __future__ import annotations

import re

import pytest
from projects import DATASETS, HEAD, Codes, Project

from bench.catalog import code, registry

MODELS = frozenset(registry.model_names())
LANGUAGE = {"time_llm", "st_llm"}
SERIES = {"fracast", "chronos_bolt"}
WITH_READER = {"bikedc", "taxibj"}
HELPED = "from bench.types import TaskShape, Window\n"  # in stid, where a helper's import is put behind it
NOTED = "def noted(times: FACTOR, more: OTHER): ..."
USE = "shape.history * shape.channels"


@pytest.fixture
def before(project: Project) -> Codes:
    return project.codes()


def changed(project: Project, before: Codes) -> set[tuple[str, str]]:
    return {pair for pair, code in project.codes().items() if before[pair] != code}


def pairs(models, datasets=DATASETS) -> set[tuple[str, str]]:
    return {(dataset, model) for dataset in datasets for model in models}


def functions_from(*files: str) -> str:
    """A function for each, with an import of its own of the same name."""
    names = zip("abc", files, strict=True)
    return "".join(f"def {name}():\n    from .{file} import FACTOR\n    return FACTOR\n" for name, file in names)


# ---------------------------------------------------------------- what moves nothing


@pytest.mark.parametrize(
    ("file", "edits"),
    [
        ("bench/train.py", {"import hashlib\nimport math\n": "import math\nimport hashlib\n"}),
        (
            "baselines/time_llm.py",
            {
                "from ._cells import Squares, squares\n": "",
                "stand_in\n": "stand_in\nfrom ._cells import squares, Squares\n",
            },
        ),
        ("datasets/_unist.py", {"from . import _io\n": "import datasets._io as bytes_\n", " _io.": " bytes_."}),
        ("datasets/_unist.py", {"from . import _io\n": "import datasets._io\n", " _io.": " datasets._io."}),
        ("datasets/_unist.py", {"from ._formats import": "from datasets._formats import"}),
        ("bench/train.py", {"nn.utils.clip_grad_norm_": "torch.nn.utils.clip_grad_norm_"}),
        ("bench/context.py", {"numpy as np": "numpy as numbers", "np.": "numbers."}),
        ("bench/metrics.py", {HEAD: ""}),
    ],
    ids=["swapped", "symbols", "alias", "package", "absolute", "long name", "foreign alias", "future"],
)
def test_another_way_to_import_the_same_moves_no_digest(
    project: Project, before: Codes, file: str, edits: dict[str, str]
) -> None:
    for old, new in edits.items():
        project.edit(file, old, new)
    assert changed(project, before) == set()


@pytest.mark.parametrize(
    ("old", "new", "importers", "edit"),
    [
        ("baselines/_language", "baselines/_words", ["baselines/time_llm", "baselines/st_llm"], "._{} import"),
        ("datasets/_io", "datasets/_bytes", ["datasets/_formats", "datasets/_unist"], "_{}"),
        ("stvfm/config", "stvfm/settings", ["stvfm/model", "stvfm/body", "stvfm/head"], ".{} import"),
    ],
)
def test_a_renamed_helper_moves_no_digest(
    project: Project, before: Codes, old: str, new: str, importers: list[str], edit: str
) -> None:
    project.move(f"{old}.py", f"{new}.py")
    for importer in importers:
        project.edit(f"{importer}.py", *(edit.format(re.split("/_?", file)[-1]) for file in (old, new)))
    assert changed(project, before) == set()


def test_a_helper_moved_into_a_folder_moves_no_digest(project: Project, before: Codes) -> None:
    project.move("baselines/_language.py", "baselines/words/_language.py")
    project.edit("baselines/words/_language.py", "from ._zoo", "from .._zoo")
    project.write("baselines/words/__init__.py", '"""Words."""\n')
    for model in LANGUAGE:
        project.edit(f"baselines/{model}.py", "from ._language", "from baselines.words._language")
    assert changed(project, before) == set()


def test_a_file_of_the_contract_moved_with_its_importers_moves_no_digest(
    project: Project, before: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.move("bench/metrics.py", "bench/runs/scores.py")
    project.move("bench/train.py", "bench/runs/training.py")
    for old, new in (("bench.metrics", "bench.runs.scores"), ("bench.train", "bench.runs.training")):
        for file in project.importers(old):
            project.edit(file, f"from {old} import", f"from {new} import")
    roots = [root.replace("bench.train", "bench.runs.training") for root in code.ROOTS]
    monkeypatch.setattr(code, "ROOTS", roots)
    assert changed(project, before) == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("bench/scoring.py", "PROBES: Final = 8", "PROBES = 8"),
        ("bench/scoring.py", "    rows = []\n", "    rows: list[Tensor] = []\n"),
        ("bench/runs/evaluator.py", "def forward_flops(model: nn.Module,", 'def forward_flops(model: "Forecaster",'),
        ("bench/train.py", "    epoch: int = 0\n", "    epoch = 0\n"),
        ("bench/runs/evaluator.py", "    model: nn.Module\n    task: Task\n", "    model: Any\n    task: Any\n"),
        (
            "bench/train.py",
            "        progress.epoch += 1\n",
            "        row: dict[str, float]\n        progress.epoch += 1\n",
        ),
        ("bench/types.py", "    import torch\n", "    import torch\n    from bench.weights import Source\n"),
        ("bench/context.py", '"""One run\'s seed and device.\n', '# a remark\n    """Other words.\n'),
        ("bench/metrics.py", "        total = _added", '        """More\n        words."""\n\n        total = _added'),
        ("bench/train.py", '"lower train.lr or look at the data"', 'f"look at {os.sep}"'),
        ("baselines/_language.py", "model.patch, or choose another model.llm", "or else"),
        ("bench/errors.py", HEAD, HEAD + "\nEDITED = 1\n"),
        ("bench/runs/sentences.py", "the audit found", "we saw"),
        ("bench/download.py", HEAD, HEAD + "\nEDITED = 1\n"),
        ("bench/hub.py", HEAD, HEAD + "\nEDITED = 1\n"),
        ("bench/__init__.py", '"0.1.0"', '"0.2.0"'),
        ("bench/catalog/canonical.py", HEAD, HEAD + "\nEDITED = 1\n"),
        ("bench/cli/app.py", HEAD, HEAD + "\nEDITED = 1\n"),
    ],
)
def test_annotations_words_and_messages_move_no_digest(
    project: Project, before: Codes, file: str, old: str, new: str
) -> None:
    project.edit(file, old, new)
    assert changed(project, before) == set()


def test_an_import_that_only_annotations_and_messages_need_moves_no_digest(project: Project, before: Codes) -> None:
    project.edit("bench/runs/arrays.py", "import math\n", "import math\nfrom pathlib import Path\n")
    project.edit("bench/runs/arrays.py", "def day_errors(sums: WindowSums", "def day_errors(sums: Path")
    assert changed(project, before) == set()
    project.edit("bench/runs/arrays.py", "from numpy.typing import NDArray\n", "")
    project.edit("bench/runs/arrays.py", " -> NDArray[np.float64]:", ":")
    assert changed(project, before) == set()
    project.edit("bench/train.py", "import math\n", "import math\nimport platform\n")
    project.edit("bench/train.py", '"lower train.lr or look at the data"', 'f"on {platform.node()}"')
    assert changed(project, before) == set()


# ---------------------------------------------------------------- what moves a digest, and whose


@pytest.mark.parametrize(
    ("file", "old", "new", "concerned"),
    [
        ("bench/train.py", "losses = error.abs()", "losses = 2 * error.abs()", pairs(MODELS)),
        ("bench/train.py", "> 1]", ">= 1]", pairs(MODELS)),
        ("bench/scoring.py", "clamp: bool = False", "clamp: bool = True", pairs(MODELS)),
        ("bench/train.py", ".fit(task.series)", ".fit(task.series).double()", pairs(MODELS)),
        ("bench/context.py", "torch.manual_seed(self.seed)", "torch.manual_seed(self.seed + 1)", pairs(MODELS)),
        ("bench/settings.py", "slots * 70 // 100", "slots * 71 // 100", pairs(MODELS)),
        (
            "bench/windows.py",
            "@dataclass(frozen=True, kw_only=True)\nclass Scaler",
            "@dataclass\nclass Scaler",
            pairs(MODELS),
        ),
        ("bench/scoring.py", "count.clamp_min(1)", "count.clamp_min(2)", pairs(MODELS)),
        ("bench/task.py", 'getattr(plugin, "DAYS_BACK", ())', "()", pairs(MODELS)),
        ("bench/runs/audit.py", "COUNTED if kept else RANDOM", "RANDOM if kept else COUNTED", pairs(MODELS)),
        ("bench/task.py", "    def _begins", "    @staticmethod\n    def _begins", pairs(MODELS)),
        ("bench/types.py", "    history_clock: torch.Tensor\n", "", pairs(MODELS)),
        (
            "bench/settings.py",
            "lr: Annotated[float, Interval(gt=0, lt=math.inf)] = 2e-3",
            "lr: float = 1e-3",
            pairs(MODELS),
        ),
        ("bench/scoring.py", "PROBES: Final = 8", "PROBES: Final = 9", pairs(MODELS)),
        ("bench/forecast.py", "DRAWS: Final = 5", "DRAWS: Final = 6", pairs(MODELS)),
        ("bench/runs/evaluator.py", "import numpy as np\n", "import torch as np\n", pairs(MODELS)),
        ("bench/runs/arrays.py", "totals.argmax()", "totals.argmin()", pairs(MODELS)),
        ("bench/records/arrays.py", HEAD, HEAD + "\nEDITED = 1\n", pairs(MODELS)),
        ("bench/weights.py", "tensors[name] for name in wanted", "-tensors[name] for name in wanted", None),
        ("baselines/_language.py", "self.numbers(text)[-1]", "self.numbers(text)[0]", pairs(LANGUAGE)),
        ("baselines/_cells.py", HEAD, HEAD + "\nEDITED = 1\n", pairs(LANGUAGE)),
        ("baselines/_zoo.py", HEAD, HEAD + "\nEDITED = 1\n", pairs({*LANGUAGE, *SERIES, "visionts"})),
        ("baselines/stid.py", "hidden + changed", "hidden - changed", pairs({"stid"})),
        ("stvfm/head.py", HEAD, HEAD + "\nEDITED = 1\n", pairs({"stvfm"})),
        ("stvfm/config.py", "rounds: int = tunable(1", "rounds: int = tunable(2", pairs({"stvfm"})),
        ("stvfm/__init__.py", '"""\n', '"""\n\nEDITED = 1\n', pairs({"stvfm"})),
        ("datasets/_io.py", HEAD, HEAD + "\nEDITED = 1\n", pairs(MODELS, WITH_READER)),
        ("datasets/_unist.py", "HALF_HOUR = 30", "HALF_HOUR = 60", pairs(MODELS, {"taxibj"})),
        ("datasets/bikedc.py", HEAD, HEAD + "\nEDITED = 1\n", pairs(MODELS, {"bikedc"})),
        ("bench/clock.py", HEAD, HEAD + "\nEDITED = 1\n", pairs(MODELS, WITH_READER)),
    ],
)
def test_an_edit_concerns_exactly_the_runs_behind_it(
    project: Project, before: Codes, file: str, old: str, new: str, concerned: set[tuple[str, str]] | None
) -> None:
    project.edit(file, old, new)
    wanted = pairs({*LANGUAGE, *SERIES, "visionts", "stvfm"}) if concerned is None else concerned
    assert changed(project, before) == wanted


def test_names_and_order_of_a_dataclass_count(project: Project, before: Codes) -> None:
    project.edit("bench/types.py", "    history: int\n    horizon: int\n", "    horizon: int\n    history: int\n")
    assert changed(project, before) == pairs(MODELS)


@pytest.mark.parametrize(
    ("statement", "use"),
    [
        ("from . import _helper", "_helper.FACTOR"),
        ("from . import _helper as helper", "helper.FACTOR"),
        ("from ._helper import FACTOR", "FACTOR"),
        ("from ._helper import FACTOR as times", "times"),
        ("from ._helper import *", "FACTOR"),
        ("from baselines._helper import FACTOR", "FACTOR"),
        ("from baselines import _helper", "_helper.FACTOR"),
        ("import baselines._helper", "baselines._helper.FACTOR"),
        ("import baselines._helper as helper", "helper.FACTOR"),
        ("try:\n    from ._helper import FACTOR\nexcept ImportError:\n    FACTOR = 1", "FACTOR"),
        ("if not TYPE_CHECKING:\n    from ._helper import FACTOR", "FACTOR"),
        ("def scaled():\n    from ._helper import FACTOR\n    return FACTOR", "scaled()"),
        ("from . import _helper  # for what it does when it is imported", "1"),
    ],
)
def test_a_helper_counts_however_it_is_imported_and_so_does_what_it_imports(
    project: Project, statement: str, use: str
) -> None:
    project.write("baselines/_helper.py", "from ._more import PART\n\nFACTOR = 2 * PART\n")
    project.write("baselines/_more.py", "PART = 1\n")
    project.edit("baselines/stid.py", HELPED, f"{HELPED}{statement}\n")
    project.edit("baselines/stid.py", USE, f"{USE} * {use}")
    for file in ("_helper", "_more"):
        before = project.codes()
        project.edit(f"baselines/{file}.py", "= ", "= 3 * ")
        assert changed(project, before) == pairs({"stid"}), file


def test_an_import_for_the_type_checker_is_none(project: Project) -> None:
    project.write("baselines/_helper.py", "FACTOR = 2\n")
    block = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from ._helper import FACTOR\n"
    before = project.codes()
    project.edit("baselines/stid.py", HELPED, f"{HELPED}{block}")
    assert changed(project, before) == set()
    project.edit("baselines/_helper.py", "2", "3")
    assert changed(project, before) == set()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from ._one import FACTOR\nfrom . import _two", "from ._two import FACTOR\nfrom . import _one"),
        ("from . import _one as a, _two as b", "from . import _two as a, _one as b"),
        ("from ._one import FACTOR as a, OTHER as b", "from ._one import OTHER as a, FACTOR as b"),
        (functions_from("_one", "_two", "_one"), functions_from("_one", "_one", "_two")),
        (
            f"from ._one import FACTOR\nfrom ._two import OTHER\n{NOTED}",
            f"from ._two import FACTOR\nfrom ._one import OTHER\n{NOTED}",
        ),
    ],
    ids=["symbol", "modules", "symbols", "functions", "annotated too"],
)
def test_the_same_name_from_another_file_counts_even_where_both_files_do(
    project: Project, first: str, second: str
) -> None:
    for file, factor in (("_one", 2), ("_two", 3)):
        project.write(f"baselines/{file}.py", f"FACTOR, OTHER = {factor}, 5\n")
    project.edit("baselines/stid.py", HELPED, f"{HELPED}{first}\n# end\n")
    project.edit("baselines/stid.py", USE, f"{USE} * FACTOR" if " as " not in first else f"{USE} * (a, b)[0]")
    before = project.codes()
    project.edit("baselines/stid.py", f"{first}\n# end\n", f"{second}\n# end\n")
    assert changed(project, before) == pairs({"stid"})


def test_a_class_that_the_harness_looks_up_counts_where_it_is_only_passed_on(project: Project) -> None:
    project.write("stvfm/other.py", "class Config:\n    width = 1\n")
    project.edit("stvfm/body.py", "from .config import Config\n", "from .config import Config\nfrom . import other\n")
    before = project.codes()
    project.edit("stvfm/model.py", "from .config import Config\n", "from .other import Config\n")
    assert changed(project, before) == pairs({"stvfm"})


def test_a_package_with_code_in_its_init_counts_with_each_of_its_files(project: Project, before: Codes) -> None:
    project.edit("baselines/__init__.py", '"""\n', '"""\n\nimport torch\n\ntorch.set_default_dtype(torch.float64)\n')
    assert changed(project, before) == pairs(MODELS - {"stvfm"})
