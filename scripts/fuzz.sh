#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time (default 5s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
found=0
while IFS=: read -r file target; do
	found=$((found + 1))
	echo "fuzz $target (./$(dirname "$file"))"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 5x "./$(dirname "$file")" >/tmp/treaty-fuzz.$$ 2>&1 || { cat /tmp/treaty-fuzz.$$; rm -f /tmp/treaty-fuzz.$$; exit 1; }
done < <(grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's/func //' | sort)
rm -f /tmp/treaty-fuzz.$$
[ "$found" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
echo "$found fuzz targets, no failure"
