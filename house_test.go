package treaty

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module          = "github.com/treatyfed/treaty/"
	maxFileLines    = 600
	maxInterfaceLen = 8
)

// rings says how far out a folder is. A package imports packages of rings further in, or of its own folder.
var rings = map[string]int{
	"wire": 1, "core": 2,
	"aws": 3, "entra": 3, "idp": 3, "web": 3, "store": 3, "agent": 3, "explain": 3,
	"server": 4,
	"cmd":    5, "treatytest": 5, "bench": 6, "clients": 6,
}

// reserved says which package alone may import a library, and why.
var reserved = []struct{ library, allowed, because string }{
	{"database/sql", "store", "SQL has one home"},
	{"github.com/go-jose/", "wire/jose", "hostile tokens are parsed in one place"},
	{"testing", "store/storetest treatytest", "test code is not shipped"},
	{"net/http", "wire/rest wire/aws wire/sigv4 wire/oauth wire/odata aws entra idp web server cmd treatytest agent", "the core knows no transport"},
	{"github.com/aws/", "aws agent/exchange cmd treatytest", "SDK structs stay at the edge"},
	{"cel.dev/", "idp/rule", "strangers' expressions are bounded in one place"},
	{"github.com/russellhaering/goxmldsig", "wire/saml", "hostile XML is parsed in one place"},
	{"github.com/beevik/etree", "wire/saml", "hostile XML is parsed in one place"},
	{"github.com/mattermost/xml-roundtrip-validator", "wire/saml", "hostile XML is parsed in one place"},
	{"github.com/Azure/", "cmd treatytest agent/exchange", "SDKs are peers, not parts"},
}

// clocks lists the folders that may ask the machine for the time or for randomness.
var clocks = "server cmd agent/serve treatytest store/storetest"

func TestPackagesImportOnlyInwards(t *testing.T) {
	for _, p := range packages(t) {
		from := top(p.dir)
		if _, known := rings[from]; !known && from != "" {
			t.Errorf("%s: folder %q has no ring; add it to ARCHITECTURE.md and here", p.dir, from)
		}
		for _, imp := range p.imports {
			dir, ours := strings.CutPrefix(imp, module)
			if !ours || from == "" {
				continue
			}
			to := top(dir)
			if to != from && rings[to] >= rings[from] {
				t.Errorf("%s (ring %d) imports %s (ring %d)", p.dir, rings[from], dir, rings[to])
			}
			if to == from && (from == "aws" || from == "entra") && dir != "aws/op" && dir != "entra/aadsts" && !strings.HasPrefix(dir, p.dir) {
				t.Errorf("%s imports its sibling %s: inside %s/ only op and aadsts are shared", p.dir, dir, from)
			}
		}
	}
}

func TestReservedLibraries(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.imports {
			for _, r := range reserved {
				hit := imp == r.library || strings.HasSuffix(r.library, "/") && strings.HasPrefix(imp, r.library)
				if hit && !under(p.dir, r.allowed) {
					t.Errorf("%s imports %s, which only %s may: %s", p.dir, imp, r.allowed, r.because)
				}
			}
		}
	}
}

func TestFilesAreSmallAndClean(t *testing.T) {
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if n := fset.Position(f.FileEnd).Line; n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d: which second noun does it hold?", name, n, maxFileLines)
		}
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		inspect(t, fset, filepath.ToSlash(name), f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func inspect(t *testing.T, fset *token.FileSet, name string, f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				t.Errorf("%s: init() hides what a binary does", fset.Position(n.Pos()))
			}
		case *ast.TypeSpec:
			if i, ok := n.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > maxInterfaceLen {
				t.Errorf("%s: interface %s has %d methods, more than %d", fset.Position(n.Pos()), n.Name, i.Methods.NumFields(), maxInterfaceLen)
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && x.Name == "time" && n.Sel.Name == "Now" && !under(path.Dir(name), clocks) {
				t.Errorf("%s: time.Now: take a Now field", fset.Position(n.Pos()))
			}
		case *ast.ImportSpec:
			if lib, _ := strconv.Unquote(n.Path.Value); (lib == "crypto/rand" || strings.HasPrefix(lib, "math/rand")) && !under(path.Dir(name), clocks) {
				t.Errorf("%s: %s: take a Rand field", fset.Position(n.Pos()), lib)
			}
		}
		return true
	})
}

type pkg struct {
	dir     string
	imports []string
}

func packages(t *testing.T) (out []pkg) {
	b, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal("go list: ", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		dir := strings.TrimPrefix(strings.TrimPrefix(f[0], strings.TrimSuffix(module, "/")), "/")
		out = append(out, pkg{dir, f[1:]})
	}
	if len(out) < 5 {
		t.Fatalf("only %d packages found", len(out))
	}
	return out
}

func top(dir string) string { first, _, _ := strings.Cut(dir, "/"); return first }

func under(dir, folders string) bool {
	for f := range strings.FieldsSeq(folders) {
		if dir == f || strings.HasPrefix(dir, f+"/") {
			return true
		}
	}
	return false
}
