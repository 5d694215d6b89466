#!/usr/bin/env bash
# Runs every fuzz target of the module for so many inputs (default 5000x), one after the other.
# A number of inputs and no duration: at the end of a duration Go's coordinator may report its own
# deadline as a failure of the target (golang/go issue 75804).
set -euo pipefail
cd "$(dirname "$0")/.."
inputs=${1:-5000x}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
found=0
while IFS=: read -r file target; do
	found=$((found + 1))
	began=$SECONDS
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$inputs" -fuzzminimizetime 5x "./$(dirname "$file")" >"$log" 2>&1 || { cat "$log"; exit 1; }
	echo "fuzz $target (./$(dirname "$file")): $((SECONDS - began))s"
done < <(grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's/func //; s/^\.\///' | sort)
[ "$found" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
echo "$found fuzz targets, no failure"
