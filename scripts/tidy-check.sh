#!/usr/bin/env bash
# Fails when go.mod or go.sum is not what `go mod tidy` would write.
set -euo pipefail
cd "$(dirname "$0")/.."
go mod tidy -diff >/dev/null || { echo "go.mod is not tidy: run go mod tidy" >&2; exit 1; }
