package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// BenchmarkWarmStart starts the real binary on a data folder that exists and waits until it is ready; the
// floor is the same binary printing its version. It reports the resident memory of the idle server, too.
func BenchmarkWarmStart(b *testing.B) {
	dir := b.TempDir()
	bin, data := filepath.Join(dir, "treaty"), filepath.Join(dir, "data")
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/treaty").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	start(b, bin, data)() // first start: keys, CA, seed
	var ready, floor time.Duration
	var rss int
	n := 0
	for b.Loop() {
		began := time.Now()
		stop := start(b, bin, data)
		ready += time.Since(began)
		began = time.Now()
		if err := exec.Command(bin, "version").Run(); err != nil {
			b.Fatal(err)
		}
		floor += time.Since(began)
		rss = max(rss, stop())
		n++
	}
	b.ReportMetric(ready.Seconds()*1e3/float64(n), "ready-ms")
	b.ReportMetric(floor.Seconds()*1e3/float64(n), "floor-ms")
	b.ReportMetric(float64(rss)/1024, "idle-MB")
	b.ReportMetric(0, "ns/op")
}

// start runs serve until server.json says that it is ready; stop ends it and returns its VmRSS in KiB.
func start(b *testing.B, bin, data string) (stop func() int) {
	b.Helper()
	cmd := exec.Command(bin, "serve", "--data", data, "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Microsecond) {
		if _, err := os.Stat(filepath.Join(data, "server.json")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			b.Fatal("not ready after 20 s")
		}
	}
	return func() int {
		time.Sleep(300 * time.Millisecond) // idle, not starting
		rss, err := resident(cmd.Process.Pid)
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		return rss
	}
}

var vmRSS = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

func resident(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	m := vmRSS.FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("no VmRSS of process %d", pid)
	}
	return strconv.Atoi(string(m[1]))
}
