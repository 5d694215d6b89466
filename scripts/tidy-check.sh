#!/usr/bin/env bash
# Fails when go.mod or go.sum is not what `go mod tidy` would write. With -e, because tidy also looks at the
# tests of dependencies, and a module that only those need may be missing from a registry.
set -euo pipefail
cd "$(dirname "$0")/.."
# A registry that does not answer leaves its modules out for once, which looks like a change.
for rest in 5 20 0; do
	change=$(go mod tidy -e -diff 2>/dev/null || true)
	[ -n "$change" ] || exit 0
	sleep "$rest"
done
echo "$change"
echo "go.mod is not tidy: run go mod tidy -e" >&2
exit 1
