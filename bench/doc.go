// Package bench measures Treaty as ratios to floors measured in the same run: a raw signature, a bare
// handler. There is no code here but benchmarks; `make bench` runs them and docs/performance.md keeps what
// they said, with the machine they said it on.
package bench
