"""Which line of a table a run stands in."""

from __future__ import annotations

from bench.runs.layout import Layout, Line

LINES = (
    Line(name="last_value", model="last_value"),
    Line(name="whole", model="stvfm", variant=True),
    Line(name="without flow", model="stvfm", variant=True, settings={"model.flow": "false"}),
    Line(name="2 blocks", model="stvfm", variant=True, settings={"model.depth": "2"}),
    Line(name="4 blocks", model="stvfm", variant=True, settings={"model.depth": None, "model.head": "linear"}),
    Line(name="pre-trained", model="vfm", variant=True, weights="pretrained"),
    Line(name="random", model="vfm", variant=True, weights="random"),
)
CLOSED = Layout(name="ablation", title="Ablation", tasks=("short",), lines=LINES)
OPEN = Layout(name="all", title="All", tasks=("short",))


def row(model="stvfm", *changes, base=(), task="short", weights="none"):
    variant = {*changes} != {*base}
    return {
        "model": model,
        "changes": changes,
        "base": base,
        "made_as_variant": variant,
        "tuned": False,
        "task": task,
        "weights": weights,
    }


def placed(layout, *rows):
    return [(place["line"], place["variant"], place["base"], place["recipe"]) for place in layout.placed(rows)]


def test_a_run_stands_in_the_line_of_its_changes():
    assert placed(CLOSED, row()) == [("whole", "", "", "")]
    assert placed(CLOSED, row("stvfm", "model.flow=false")) == [("without flow", "model.flow=false", "", "")]
    assert placed(CLOSED, row("last_value")) == [("last_value", "", "", "")]


def test_a_line_may_name_the_usual_value():
    made = row("stvfm", "model.head=linear", base=("model.depth=6",))
    assert ("4 blocks", "model.head=linear", "model.depth=6", "") in placed(CLOSED, made)


def test_what_the_whole_suite_was_run_with_is_shared_by_the_block():
    base = ("model.backbone=vit_base", "train.epochs=3", "train.lr=0.1")
    (place, *_) = placed(CLOSED, row("stvfm", "model.flow=false", *base, base=base))
    assert place == ("without flow", "model.flow=false", "model.backbone=vit_base", "train.epochs=3, train.lr=0.1")


def test_a_suite_run_with_a_setting_that_a_line_names_keeps_its_lines():
    base = ("model.depth=6",)
    rows = [
        row("stvfm", *base, base=base),
        row("stvfm", "model.flow=false", *base, base=base),
        row("stvfm", "model.depth=2", base=base),
    ]
    wanted = {("whole", "", "model.depth=6", ""), ("without flow", "model.flow=false", "model.depth=6", "")}
    wanted |= {("2 blocks", "model.depth=2", "model.depth=6", "")}
    assert set(placed(CLOSED, *rows)) == wanted


def test_a_run_serves_every_block_that_it_fits():
    """The whole model with 2 blocks is a line of one block, and the reference of another."""
    rows = [row("stvfm", "model.depth=2"), row("stvfm", "model.depth=2", "model.flow=false", base=("model.depth=2",))]
    rows[0]["base"] = ()
    assert set(placed(CLOSED, *rows)) == {
        ("2 blocks", "model.depth=2", "", ""),
        ("whole", "", "model.depth=2", ""),
        ("without flow", "model.flow=false", "model.depth=2", ""),
    }


def test_another_value_of_a_setting_stands_nowhere_unless_all_were_run_with_it():
    assert placed(CLOSED, row("stvfm", "model.depth=3")) == []
    assert placed(CLOSED, row("stvfm", "model.depth=3", base=("model.depth=3",))) == [
        ("whole", "", "model.depth=3", "")
    ]


def test_weights_tell_lines_apart_where_a_line_names_them():
    assert placed(CLOSED, row("vfm", weights="random")) == [("random", "", "", "")]
    assert placed(CLOSED, row("vfm", weights="pretrained")) == [("pre-trained", "", "", "")]
    assert placed(CLOSED, row(weights="random")) == placed(CLOSED, row(weights="pretrained"))


def test_other_tasks_and_models_stand_nowhere():
    assert placed(CLOSED, row(task="long"), row("stid")) == []


def test_without_lines_every_model_and_change_is_one_unless_it_was_made_as_a_variant():
    asked = ("model.width=64", "train.lr=0.1")
    assert placed(OPEN, row("stid", *asked, base=asked)) == [("stid", "model.width=64", "", "train.lr=0.1")]
    assert placed(OPEN, row("stvfm", "model.flow=false")) == []
    assert placed(OPEN, row("stvfm", "model.flow=false", base=("model.flow=false",))) != []
