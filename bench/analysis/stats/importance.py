"""How much each searched setting mattered in a study."""

from __future__ import annotations

from collections.abc import Mapping

from bench.errors import MissingPackageError, require
from bench.tuning.study import Study, distribution

FEWEST_TRIALS = 10  # complete ones
SEED = 0


def importance(study: Study) -> Mapping[str, float] | str:
    """Share of each setting's main effect in that of all, by fANOVA on the complete trials; or why it cannot be told.

    fANOVA (Hutter, Hoos and Leyton-Brown, ICML 2014) fits a random forest to the trials, here with a fixed seed.
    """
    values = [trial.value for trial in study.trials if trial.state == "complete" and trial.value is not None]
    if len(study.space) < 2:
        return "one setting was searched"
    if len(values) < FEWEST_TRIALS:
        return f"too few complete trials to tell\n({len(values)}, wanted {FEWEST_TRIALS})"
    if min(values) == max(values):
        return "all complete trials scored the same"
    try:
        for package in ("optuna", "sklearn"):
            require(package, "tuning", "the importance of settings")
    except MissingPackageError as error:
        return str(error).replace(", ", ",\n").replace("; ", ";\n")
    return _evaluated(study)


def _evaluated(study: Study) -> dict[str, float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {name: distribution(scale) for name, scale in study.space.items()}
    copy = optuna.create_study(direction="minimize")
    for trial in study.trials:
        if trial.state == "complete" and trial.value is not None and trial.params.keys() == space.keys():
            copy.add_trial(create_trial(params=dict(trial.params), distributions=space, value=trial.value))
    return get_param_importances(copy, evaluator=FanovaImportanceEvaluator(seed=SEED), params=[*space])
