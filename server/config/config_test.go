package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestTheZeroValueRuns(t *testing.T) {
	t.Parallel()
	c := Config{}.Defaults(env("HOME", "/home/ada"))
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if c.Data != "/home/ada/.local/state/treaty" || c.Listen != DefaultListen || c.Proxy != DefaultProxy || c.Region != DefaultRegion {
		t.Errorf("defaults are %+v", c)
	}
}

func TestTheFolderFollowsTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		env  []string
		want string
	}{
		{"TREATY_DATA comes first", []string{"TREATY_DATA", "/d", "XDG_STATE_HOME", "/x", "HOME", "/h"}, "/d"},
		{"then XDG", []string{"XDG_STATE_HOME", "/x", "HOME", "/h"}, "/x/treaty"},
		{"a relative XDG folder is ignored", []string{"XDG_STATE_HOME", "x", "HOME", "/h"}, "/h/.local/state/treaty"},
		{"no home, no folder", nil, ""},
	} {
		if got := Folder(env(c.env...)); got != filepath.FromSlash(c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestEveryProblemIsReportedAtOnceWithItsPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, yaml string
		paths      []string
	}{
		{"a good twin", "listen: 127.0.0.1:0\nproxy: off\nlisten_http: 127.0.0.1:4566\noutbound: {allow: [10.0.0.0/8, idp.internal, loopback], timeout: 2s}\ntls: {names: [treaty, 192.0.2.1]}", nil},
		{"a good hub", "public_url: https://id.example.org\ntls: {cert: a.pem, key: b.pem}\nlisten: 0.0.0.0:443", nil},
		{"a hub on loopback needs no certificate", "public_url: https://localhost:8443", nil},
		{"a bad twin", "listen: here\nproxy: 1.2.3.4:99999\ntunnel: some\nlisten_http: 0.0.0.0:4566\ntls: {cert: x, names: ['a b']}\ndatabase: mysql://x\nregion: nowhere\noutbound: {allow: ['x y']}\nlog: {level: loud, format: xml}\nmetrics: {listen: x}\ntraces: {endpoint: ftp://x}",
			[]string{"listen", "proxy", "tunnel", "listen_http", "tls", "tls.names[0]", "database", "region", "outbound.allow[0]", "log.level", "log.format", "metrics.listen", "traces.endpoint"}},
		{"a twin whose data is elsewhere", "resources: {s3: {endpoint: 'http://minio:9000', access_key_id: a, secret_access_key: b, account: '123456789012'}, dynamodb: {endpoint: 'https://db.example/x', access_key_id: a, secret_access_key_file: f, account: '123456789012', region: eu-west-1}}", nil},
		{"a twin with half of an endpoint", "resources: {s3: {folder: x, endpoint: 'ftp://x', region: 'a b', secret_access_key: b, secret_access_key_file: c, account: '1'}, dynamodb: {access_key_id: a, region: local}}",
			[]string{"resources.s3", "resources.s3.endpoint", "resources.s3.access_key_id", "resources.s3.secret_access_key", "resources.s3.account", "resources.s3.region", "resources.dynamodb.endpoint", "resources.dynamodb.region"}},
		{"a hub with twin defaults", "public_url: https://id.example.org\nproxy: 0.0.0.0:8480\nlisten_http: 127.0.0.1:4566\noutbound: {allow: [private]}",
			[]string{"proxy", "tls.cert", "listen_http", "outbound.allow"}},
		{"a public URL with a path", "public_url: https://id.example.org/auth", []string{"public_url"}},
		{"a public URL in the clear", "public_url: http://id.example.org", []string{"public_url"}},
		{"a public URL of a cloud", "public_url: https://login.microsoftonline.com\ntls: {cert: a, key: b}", []string{"public_url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := Parse([]byte(c.yaml))
			if err != nil {
				t.Fatal(err)
			}
			var ps Problems
			if err := cfg.Defaults(env("HOME", "/h")).Check(); err != nil && !errors.As(err, &ps) {
				t.Fatal(err)
			}
			var got []string
			for _, p := range ps {
				got = append(got, p.Path)
			}
			if !slices.Equal(got, c.paths) {
				t.Errorf("problems at %v, want %v\n%v", got, c.paths, ps)
			}
		})
	}
}

func TestReadingIsStrict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"unknown keys are all named":   {"lisen: x\ntls: {cret: y}", "cret"},
		"duplicate keys are refused":   {"listen: a:1\nlisten: b:1", "already defined"},
		"durations have a unit":        {"shutdown: 5", "no duration"},
		"durations are above zero":     {"shutdown: -5s", "no duration"},
		"a second document is refused": {"listen: a:1\n---\nlisten: b:1", "more than one"},
		"problems are in YAML's words": {"lisen: x\ntls: {cret: y}\nmetrics: loud\nlog: [x]\nlisten: {a: b}\nresources: {s3: {enabled: [maybe]}}\noutbound: {allow: x}",
			"line 1: there is no key \"lisen\"\nline 2: there is no key \"cret\"\nline 3: a text stands where a mapping belongs\nline 4: a list stands where a mapping belongs\n" +
				"line 5: a mapping stands where a text belongs\nline 6: a list stands where true or false belongs\nline 7: a text stands where a list belongs"},
	} {
		if _, err := Parse([]byte(c.yaml)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := Parse([]byte("shutdown: 1m30s"))
	if err != nil || c.Shutdown.Or(0) != 90*time.Second || Duration(0).Or(time.Second) != time.Second {
		t.Errorf("shutdown is %v, %v", c.Shutdown, err)
	}
}

func TestNoProblemOfADocumentNamesAType(t *testing.T) {
	t.Parallel()
	type inner struct {
		N int `yaml:"n"`
	}
	var into struct { // as the command line has one: its type is printed with its fields and their tags
		List  []inner `yaml:"list"`
		inner `yaml:",inline"`
	}
	err := Strict([]byte("nmae: x\nn: \"a\\nb into c\"\nlist: !odd x\n"), &into)
	var ps Problems
	if !errors.As(err, &ps) || ps.Error() != "line 1: there is no key \"nmae\"\nline 2: a text stands where a number belongs\nline 3: a value stands where a list belongs" {
		t.Errorf("%v", err)
	}
	if err := Strict([]byte("hello"), &into); err == nil || err.Error() != "line 1: a text stands where a mapping belongs" {
		t.Errorf("%v", err)
	}
}

func TestLoadReadsAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "treaty.yaml")
	if err := os.WriteFile(file, []byte("region: eu-west-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(file); err != nil || c.Region != "eu-west-1" {
		t.Errorf("%+v, %v", c, err)
	}
	if err := os.WriteFile(file, []byte("nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("the error does not name the file: %v", err)
	}
	if _, err := Load(file + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gave %v", err)
	}
}

func TestS3IsATwinsUnlessItIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, yaml, folder string
		on                 bool
	}{
		{"a twin", "data: /d", "/d/s3", true},
		{"a twin that does not want it", "data: /d\nresources: {s3: {enabled: false}}", "", false},
		{"a hub", "data: /d\npublic_url: https://localhost", "", false},
		{"a hub that wants it", "data: /d\npublic_url: https://localhost\nresources: {s3: {enabled: true}}", "/d/s3", true},
		{"a hub with a folder", "public_url: https://localhost\nresources: {s3: {folder: /f}}", "/f", true},
		{"an endpoint", "data: /d\nresources: {s3: {endpoint: 'http://x'}}", "", true},
	} {
		cfg, err := Parse([]byte(c.yaml))
		if err != nil {
			t.Fatal(err)
		}
		cfg = cfg.Defaults(env())
		if cfg.S3On() != c.on || cfg.Resources.S3.Folder != filepath.FromSlash(c.folder) {
			t.Errorf("%s: on %v, folder %q", c.name, cfg.S3On(), cfg.Resources.S3.Folder)
		}
	}
}

func TestASecretMayBeInAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := DynamoDB{Endpoint: "http://x:8000", Region: "us-east-1", AccessKeyID: "a", SecretAccessKeyFile: file, Account: "123456789012"}
	b, err := d.Behind()
	if err != nil || b.SecretAccessKey.Reveal() != "hidden" || b.URL.Host != "x:8000" {
		t.Errorf("%+v, %v", b, err)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", b, b), "hidden") {
		t.Error("the secret is printed")
	}
	d.SecretAccessKeyFile += ".none"
	if _, err := d.Behind(); err == nil {
		t.Error("a missing file is no error")
	}
	if b, err := (S3{}).Behind(); b != nil || err != nil {
		t.Errorf("without an endpoint: %v, %v", b, err)
	}
}
