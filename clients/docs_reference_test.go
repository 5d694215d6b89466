package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/seed"
)

func read(t *testing.T, elements ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{repository}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The Go code that the documentation shows is the code of an example that the tests compile and run.
func TestGoInTheDocumentationIsTested(t *testing.T) {
	example := read(t, "treatytest", "example_test.go")
	n := 0
	for _, page := range pages(t) {
		for _, s := range snippets(t, page) {
			if s.language != "go" {
				continue
			}
			n++
			if !strings.Contains(example, s.text) {
				t.Errorf("%s:%d is not in treatytest/example_test.go", page, s.line)
			}
		}
	}
	if n == 0 {
		t.Error("there is no Go code")
	}
}

// keys lists the YAML keys of a struct, nested ones behind their parent's.
func keys(typ reflect.Type, prefix string) (out []string) {
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return []string{strings.TrimSuffix(prefix, ".")}
	}
	for f := range typ.Fields() {
		out = append(out, keys(f.Type, prefix+f.Tag.Get("yaml")+".")...)
	}
	return out
}

func TestEverySettingIsDocumented(t *testing.T) {
	page := read(t, "docs", "twin.md")
	for _, key := range keys(reflect.TypeFor[config.Config](), "") {
		if !strings.Contains(page, "`"+key+"`") {
			t.Errorf("docs/twin.md does not name the setting %s", key)
		}
	}
	help, err := exec.Command(shared.bin, "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-., )?(--[a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		if m[1] != "--help" && !strings.Contains(page, "`"+m[1]) {
			t.Errorf("docs/twin.md does not name the flag %s", m[1])
		}
	}
}

func TestEveryKeyOfASeedIsShown(t *testing.T) {
	page := read(t, "docs", "twin.md")
	_, example, _ := strings.Cut(page, "## A seed file")
	for _, key := range keys(reflect.TypeFor[seed.Document](), "") {
		last := key[strings.LastIndex(key, ".")+1:]
		if !regexp.MustCompile(`\b` + last + `\b`).MatchString(example) {
			t.Errorf("docs/twin.md does not show the key %s", key)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)

func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	for _, page := range append(pages(t), filepath.Join(repository, "ARCHITECTURE.md"), filepath.Join(repository, "CONTRIBUTING.md")) {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			text, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if m[2] != "" && !strings.Contains(anchors(string(text)), m[2]+"\n") {
				t.Errorf("%s: %s has no heading %s", page, target, m[2])
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(page string) string {
	var b strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		name := strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")
		b.WriteString("#" + regexp.MustCompile(`[^a-z0-9-]`).ReplaceAllString(name, "") + "\n")
	}
	return b.String()
}
