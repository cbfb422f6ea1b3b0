#!/usr/bin/env bash
# The whole table on one GPU: every problem, fresh points, evaluation and sampling, as JSON.
#
#   benchmarks/gpu.sh [FOLDER]          results in FOLDER (default: benchmarks/results), at most eight minutes
#   benchmarks/gpu.sh --tiny [FOLDER]   tiny sizes on whatever device there is: shows that the script runs, measures nothing
#
# It needs no network: Python (PYTHON=..., default python3) must have jNO, and JAX with its CUDA plugin. Each part has a
# limit of its own, so that one that fails or takes too long does not cost the others; those are named at the end, and the
# exit status is 1 then. It is 3 where JAX finds no GPU.
set -u
cd "$(dirname "$0")/.." || exit 2

effort="--brief"
limit=470 # seconds for everything, of 480
if [ "${1:-}" = "--tiny" ]; then
    effort="--tiny"
    limit=3600 # it may be a slow processor
    shift
fi
results="$(realpath -m "${1:-benchmarks/results}")"
python="${PYTHON:-python3}"
failed=()
export JAX_DEFAULT_MATMUL_PRECISION=float32 # as on the CPU; a GPU would round products to 19 bits

mkdir -p "$results" || exit 2
if ! "$python" -c "import jno" 2>/dev/null; then
    echo "gpu.sh: $python cannot import jno; set PYTHON to an interpreter with jNO and jax[cuda12]" >&2
    exit 2
fi
platform="$("$python" -c 'import jax; print(jax.default_backend())' 2>/dev/null)"
if [ "$platform" != "gpu" ] && [ "$effort" = "--brief" ]; then
    echo "gpu.sh: JAX finds no GPU here (its backend is '${platform:-none}'), so there is nothing to measure." >&2
    echo "gpu.sh: install jax[cuda12] and look at nvidia-smi, or try the script with --tiny." >&2
    exit 3
fi
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv >"$results/gpu.csv"

part() { # part NAME SECONDS ARGUMENT...: rows of the table, within the seconds and those that are left
    local name="$1" seconds="$2" status
    shift 2
    local left=$((limit - SECONDS))
    if [ "$left" -lt 5 ]; then
        failed+=("$name (no time left)")
        return
    fi
    [ "$effort" = "--brief" ] && [ "$seconds" -lt "$left" ] && left="$seconds"
    timeout --kill-after=5 "$left" "$python" -m benchmarks $effort --json "$results/$name.json" "$@" >"$results/$name.log" 2>&1
    status=$?
    if [ "$status" -ne 0 ]; then
        failed+=("$name (status $status, see $results/$name.log)")
    fi
    echo "gpu.sh: $name: status $status after $SECONDS s"
}

# the most important first: what does not fit into the time is named
part poisson2d 90 poisson2d
part hjb_d50 90 hjb_d50
part helmholtz3d 90 helmholtz3d
part fresh_points 90 fresh_points
part sampling 90 sampling
part ns2d 60 ns2d
part biharmonic2d 60 biharmonic2d
part deeponet 60 deeponet
part fno2d 60 fno2d
part burgers1d 60 burgers1d
part calls 30 calls overhead

if [ "${#failed[@]}" -gt 0 ]; then
    printf 'gpu.sh: not measured: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "gpu.sh: results in $results"
