#!/bin/bash
# The runs of the reference results, one suite after another; what says most for its time comes first.
#
#     examples/reference.sh --data-dir DIR --weights-dir DIR                 # all of them
#     HOURS=8 examples/reference.sh --data-dir DIR --weights-dir DIR         # as many as eight hours allow
#     STEPS="controls published" examples/reference.sh --data-dir DIR ...    # these alone
#
# It may be stopped or killed at any moment. Given again it goes on: what is done is not repeated, and a run that was
# stopped goes on from its last epoch. Options behind its name are those of `stbench run`, such as --results and --jobs;
# `--dry-run` shows what is left of each step. Afterwards
#
#     stbench reference --take results --document README.md
#
# makes the reference results of whatever is finished. It needs the raw files of the four data sets, DINOv2 small and
# SmolLM2-135M; see docs/weights.md. Without weights a model fails within seconds, and the others go on.

set -uo pipefail

read -r -d '' -a steps <<< "${STEPS:-}" # words between blanks of any kind
known=$(sed -n 's/^run \([a-z_0-9]*\) .*/\1/p' "$0" | paste -sd ' ')
for step in "${steps[@]}"; do
    case " $known " in *" $step "*) ;; *) echo "there is no step '$step'; known: $known" >&2 && exit 2 ;; esac
done

program=${STBENCH:-stbench} # in a container "apptainer exec stbench.sif stbench"
end=$(($(date +%s) + $(awk -v hours="${HOURS:-876000}" 'BEGIN { printf "%d", hours * 3600 }')))
given=("$@")
cities=(--dataset bikenyc --dataset bikenyc2 --dataset taxinyc --dataset taxinyc2)

run() { # a name and options: make what is missing of it, until the time is over
    local name=$1 left answer
    shift
    case " ${steps[*]:-$name} " in *" $name "*) ;; *) return 0 ;; esac
    left=$((end - $(date +%s)))
    if [ "$left" -le 0 ]; then
        echo "the time is over before '$name'; the same command goes on there" >&2
        exit 0
    fi
    echo "== $name"
    # shellcheck disable=SC2086 # the program may be several words
    timeout --foreground --signal=INT --kill-after=120 "$left" \
        $program run --profile reference --no-track "$@" "${given[@]}"
    answer=$?
    case $answer in
        0 | 1) ;; # 1: some runs failed, as those of a model without weights do
        124 | 137) echo "the time is over in '$name'; the same command goes on there" >&2 && exit 0 ;;
        *) exit "$answer" ;;
    esac
}

# Which is best? First models that take a minute or two.
run light --suite short_term "${cities[@]}" --model last_value --model window_mean --model historical_average \
    --model seasonal_naive_day --model seasonal_naive_week --model ridge --model dlinear --model stid --model unet \
    --model vit --model stnorm --model stresnet --model itransformer

# Does the pre-trained vision model matter? Rows that the answer is about; the first is ST-VFM of the leaderboard.
run controls --suite controls "${cities[@]}" --variant "pre-trained, frozen" --variant "no backbone" \
    --variant "random, frozen" --variant "one trained block"

# Would such a comparison find a gain that is there, and none where none is? On data made for it.
run planted --suite planted

# Do baselines reach the numbers that were printed for them, and where does ST-VFM stand beside these?
run published --suite published --dataset bikenyc

# The same with the loss by which the printed numbers were made.
run published_mse --suite published --dataset bikenyc --set train.loss=mse

# Does the pre-trained language model matter in ST-LLM?
run st_llm_controls --suite st_llm_controls --dataset bikenyc

# The rest of the leaderboard. Fracast-0 is not trained, so one seed is all there is to know.
run heavy --suite short_term "${cities[@]}" --model simvp --model predrnn --model patchtst --model convlstm
run fracast --suite short_term "${cities[@]}" --model fracast --seed 0
run language --suite short_term "${cities[@]}" --model st_llm --model time_llm

# Does it matter where data are few? Three shares make a curve; most runs with all windows are in the steps above.
few=(--suite data_efficiency --dataset bikenyc --dataset bikenyc2 --model last_value --model window_mean
    --model historical_average --model seasonal_naive_day --model seasonal_naive_week --model stid
    --variant "pre-trained, frozen" --variant "matched random, frozen" --variant "random, frozen" --variant "no backbone")
run few1 "${few[@]}" --task few1
run few10 "${few[@]}" --task few10
run few100 "${few[@]}" --task short

# Does it matter behind a bare head?
run controls_bare --suite controls_bare "${cities[@]}" --variant "pre-trained, frozen" --variant "no backbone" \
    --variant "random, frozen" --variant "one trained block"

# Does it matter when it is whole and sees pictures? A frozen one meets each picture once. In bfloat16, which makes this
# shorter on some processors (docs/performance.md); runs in bfloat16 and in float32 are not compared with each other.
pictures=(--suite controls_pictures --set train.precision=bf16)
run controls_pictures "${pictures[@]}" "${cities[@]}"

# Would longer training change that? Features are kept, so epochs behind the first cost little.
run more_epochs "${pictures[@]}" --dataset bikenyc --dataset taxinyc2 --set train.epochs=40 \
    --variant "pre-trained, frozen" --variant "random, frozen" --variant "no backbone" --variant "matched random, frozen"

# The rest of the first two suites of controls.
run more_controls --suite controls "${cities[@]}"
run more_controls_bare --suite controls_bare "${cities[@]}"

# Three more seeds where these may settle what is open; behind the full head no number of them would.
run more_seeds --suite data_efficiency --dataset bikenyc2 --task few1 --variant "pre-trained, frozen" \
    --variant "matched random, frozen" --variant "random, frozen" --variant "no backbone" --seed 3 --seed 4 --seed 5

# What might let a pre-trained backbone matter, and what else ST-VFM has; all other variants are in the suite.
run ablation --suite ablation --dataset bikenyc2 --model last_value --model window_mean --model historical_average \
    --variant "ST-VFM" --variant "picture as tokens" --variant "picture of three frames" --variant "trained norms" \
    --variant "LoRA" --variant "features of all depths" --variant "motion in the flow branch" \
    --variant "branches in one sequence" --variant "8 blocks" --variant "a token for each cell" \
    --variant "without flow" --variant "without TATA" --variant "without BCPC" \
    --variant "without days before in its branch" --variant "without days before"

# Trained on other data sets, two for each. Three epochs, to spare time: on BikeNYC and TaxiNYC nearly as many steps as eight
# epochs of their own windows, on TaxiNYC2 half as many.
run transfer --suite transfer --dataset bikenyc --dataset taxinyc --dataset taxinyc2 --set train.epochs=3

# Long horizons. Every model is in bfloat16, so that all can be compared.
run long_term --suite long_term --set train.precision=bf16 --dataset bikenyc --dataset taxinyc --model last_value \
    --model window_mean --model historical_average --model seasonal_naive_day --model seasonal_naive_week \
    --model dlinear --model stid --model stnorm --model unet --model stvfm
