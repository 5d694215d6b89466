package clients

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// repository is the root of the repository, as this package's tests see it.
const repository = ".."

// snippet is one fenced block of a page.
type snippet struct {
	line           int    // of the opening fence
	language, skip string // what the fence says
	text           string
}

var (
	fence       = regexp.MustCompile("^```([a-z]*)(?: skip=\"([^\"]+)\")?$")
	placeholder = regexp.MustCompile(`…|<[a-z][a-z -]*>`)
)

// snippets cuts the fenced blocks out of a page.
func snippets(t *testing.T, page string) (out []snippet) {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var open *snippet
	for i, line := range strings.Split(string(b), "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case open != nil && line == "```":
			out, open = append(out, *open), nil
		case open != nil:
			open.text += line + "\n"
		case m != nil:
			open = &snippet{line: i + 1, language: m[1], skip: m[2]}
		case strings.HasPrefix(line, "```"):
			t.Fatalf("%s:%d: a fence that the tests cannot read: %s", page, i+1, line)
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block does not end", page, open.line)
	}
	return out
}

func pages(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(docs) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return append([]string{filepath.Join(repository, "README.md")}, docs...)
}

// Every command that README.md and docs/ show is carried out, page by page in one shell, with a data
// folder of its own; what a page shows as output is there.
func TestTheDocumentationWorks(t *testing.T) {
	for _, page := range pages(t) {
		script := runnable(snippets(t, page))
		if len(script) == 0 {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			requireClients(t, script)
			requirePorts(t)
			runPage(t, page, script)
		})
	}
}

// runnable are the sh blocks that are not skipped, each with the text block behind it.
func runnable(all []snippet) (out []snippet) {
	run := false
	for _, s := range all {
		if s.language != "text" {
			run = s.language == "sh" && s.skip == ""
		}
		if run {
			out = append(out, s)
		}
		run = run && s.language != "text"
	}
	return out
}

// tools are clients that a page may use: a word of its commands, and what must be installed for it.
var tools = map[*regexp.Regexp]string{
	regexp.MustCompile(`\baws `):     aws,
	regexp.MustCompile(`\baz `):      az,
	regexp.MustCompile(`\bpython3`):  python,
	regexp.MustCompile(`\bboto3\b`):  "/usr/lib/python3/dist-packages/boto3",
	regexp.MustCompile(`\bcurl `):    "/usr/bin/curl",
	regexp.MustCompile(`\bopenssl `): "/usr/bin/openssl",
}

func requireClients(t *testing.T, script []snippet) {
	t.Helper()
	for word, path := range tools {
		for _, s := range script {
			if s.language == "sh" && word.MatchString(s.text) {
				need(t, path)
			}
		}
	}
}

// requirePorts makes sure that nobody has the default ports, which the pages use as their readers do.
func requirePorts(t *testing.T) {
	t.Helper()
	for _, address := range []string{"127.0.0.1:8443", "127.0.0.1:8480", "127.0.0.1:4566", "127.0.0.1:9464"} {
		l, err := net.Listen("tcp", address)
		if err == nil {
			err = l.Close()
		}
		if err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("the pages use %s: %v", address, err)
		}
		t.Skipf("the pages use %s: %v", address, err)
	}
}

// mark separates the output of blocks (ASCII record separator).
const mark = "\x1e"

// runPage runs a page's blocks in one bash and compares their output with the text blocks behind them.
func runPage(t *testing.T, page string, script []snippet) {
	work := t.TempDir()
	dir := work // where the page's files go
	install := filepath.Base(page) == "README.md"
	if install {
		dir = repository // it installs treaty from here, and writes no files
	}
	var b strings.Builder
	b.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n")
	for i, s := range script {
		if s.language == "sh" {
			fmt.Fprintf(&b, "printf '\\n%s%d\\n'\n%s\n", mark, i, s.text)
		}
	}
	file := filepath.Join(work, "page.sh")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", file)
	cmd.Dir, cmd.Env = dir, pageEnvironment(t, work, install)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what the page started ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = endWait
	start := time.Now()
	err := cmd.Run()
	t.Logf("took %v", time.Since(start).Round(time.Second))

	outputs := map[int]string{}
	last := 0
	for part := range strings.SplitSeq(out.String(), mark) {
		number, rest, _ := strings.Cut(part, "\n")
		if _, err := fmt.Sscan(number, &last); err == nil {
			outputs[last] = rest
		}
	}
	if err != nil {
		t.Fatalf("%s:%d: %v\n%s%s", page, script[last].line, err, script[last].text, outputs[last])
	}
	compareOutput(t, page, script, outputs)
}

// pageEnvironment is what a newcomer has: a path, a home, and nothing of Treaty's but the program, unless
// the page installs it.
func pageEnvironment(t *testing.T, work string, install bool) []string {
	t.Helper()
	bin := filepath.Join(work, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if !install {
		if err := os.Symlink(shared.bin, filepath.Join(bin, "treaty")); err != nil {
			t.Fatal(err)
		}
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"PATH=" + strings.Join([]string{bin, "/usr/bin", "/bin", filepath.Dir(goTool)}, ":"), "GOBIN=" + bin,
		"HOME=" + work, "TREATY_DATA=" + filepath.Join(work, "data"), "LANG=C.UTF-8",
	}
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPATH", "GOROOT", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN").Output()
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Split(string(out), "\n")
	for i, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOROOT", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN"} {
		env = append(env, name+"="+values[i])
	}
	return env
}

// compareOutput looks for each line that a page shows. A line with an ellipsis or a <placeholder> is for
// people.
func compareOutput(t *testing.T, page string, script []snippet, outputs map[int]string) {
	t.Helper()
	for i, s := range script {
		if s.language != "text" {
			continue
		}
		got := outputs[i-1]
		if strings.HasSuffix(script[i-1].text, "&\n") { // in the background: it may have spoken later
			for j := i + 1; j < len(script); j++ {
				got += outputs[j]
			}
		}
		for n, line := range strings.Split(strings.TrimSpace(s.text), "\n") {
			line = strings.TrimSpace(line)
			if !placeholder.MatchString(line) && !strings.Contains(got, line) {
				t.Errorf("%s:%d: the commands above do not print %q but\n%s", page, s.line+1+n, line, got)
			}
		}
	}
}
