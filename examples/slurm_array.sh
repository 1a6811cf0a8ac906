#!/bin/bash
# A suite as an array of Slurm jobs, each of which makes its part of the plan; it needs neither submitit nor a driver.
#
#     sbatch examples/slurm_array.sh --suite short_term --profile paper --data-dir DIR --device cpu
#     sbatch --array=1-8 --gres=gpu:1 examples/slurm_array.sh --suite short_term --profile paper --data-dir DIR
#
# N of --array=1-N is at most the number of runs, which `stbench run ... --dry-run` says: more parts are empty. The 4 cores
# of a job are for 4 runs of its part side by side; where a part has fewer, ask for fewer: --cpus-per-task=1.
#
# All jobs share the results folder. Submit it again to go on after a time limit: what is done is not repeated, and a run
# that was stopped goes on from its last epoch. Afterwards `stbench report` makes the report of all.
#
#SBATCH --job-name=stbench
#SBATCH --array=1-20
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=4G
#SBATCH --time=12:00:00
#SBATCH --output=stbench-%A_%a.log

set -euo pipefail

# What starts the program: in a container "apptainer exec --nv stbench.sif stbench".
program=${STBENCH:-stbench}

if [ -z "${SLURM_ARRAY_TASK_COUNT:-}" ]; then
    echo "this is an array of Slurm jobs: submit it with 'sbatch $0 ...'; 'stbench run' alone runs a suite here" >&2
    exit 2
fi
if [ "$SLURM_ARRAY_TASK_MIN" -ne 1 ] || [ "$SLURM_ARRAY_TASK_MAX" -ne "$SLURM_ARRAY_TASK_COUNT" ]; then
    echo "the array must be --array=1-N, whose N parts make the plan; to make some again, submit all of it again" >&2
    exit 2
fi

# MLflow is left out, since a database of SQLite may break where several jobs write to it; `stbench sync` fills it later.
# shellcheck disable=SC2086 # the program may be several words
exec $program run "$@" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --no-track
