"""Which line of a table a run stands in."""

from __future__ import annotations

from bench.layout import Layout, Line

LINES = (
    Line(name="last_value", model="last_value"),
    Line(name="whole", model="stvfm"),
    Line(name="without flow", model="stvfm", changes=frozenset({"model.flow=false"})),
    Line(name="pre-trained", model="vfm", weights="pretrained"),
    Line(name="random", model="vfm", weights="random"),
)
CLOSED = Layout(name="ablation", title="Ablation", tasks=("short",), lines=LINES)
OPEN = Layout(
    name="all", title="All", tasks=("short",), elsewhere=frozenset({("stvfm", frozenset({"model.flow=false"}))})
)


def row(model="stvfm", *changes, task="short", weights="none"):
    return {"model": model, "changes": changes, "task": task, "weights": weights}


def placed(layout, *args, **facts):
    place = layout.placed(row(*args, **facts))
    return None if place is None else (place["line"], place["variant"], place["base"], place["recipe"])


def test_a_run_stands_in_the_line_of_its_changes():
    assert placed(CLOSED, "stvfm") == ("whole", "", "", "")
    assert placed(CLOSED, "stvfm", "model.flow=false") == ("without flow", "model.flow=false", "", "")
    assert placed(CLOSED, "last_value") == ("last_value", "", "", "")


def test_changes_that_make_no_line_are_shared_by_the_block():
    made = placed(CLOSED, "stvfm", "model.backbone=vit_base", "model.flow=false", "train.epochs=3", "train.lr=0.1")
    assert made == ("without flow", "model.flow=false", "model.backbone=vit_base", "train.epochs=3, train.lr=0.1")


def test_another_value_of_a_setting_that_makes_a_line_stands_nowhere():
    assert placed(CLOSED, "stvfm", "model.flow=maybe") is None


def test_weights_tell_lines_apart_where_a_line_names_them():
    assert placed(CLOSED, "vfm", weights="random") == ("random", "", "", "")
    assert placed(CLOSED, "vfm", weights="pretrained") == ("pre-trained", "", "", "")
    assert placed(CLOSED, "stvfm", weights="random") == placed(CLOSED, "stvfm", weights="pretrained")


def test_other_tasks_and_models_stand_nowhere():
    assert placed(CLOSED, "stvfm", task="long") is None
    assert placed(CLOSED, "stid") is None


def test_without_lines_every_model_and_change_is_one_unless_it_belongs_to_another_table():
    assert placed(OPEN, "stid", "model.width=64", "train.lr=0.1") == ("stid", "model.width=64", "", "train.lr=0.1")
    assert placed(OPEN, "stvfm", "model.flow=false") is None
    assert placed(OPEN, "stvfm", "model.flow=false", "model.head=linear") is not None
