package idp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/idp"
)

func TestEveryPresetCompletesAndMints(t *testing.T) {
	t.Parallel()
	for n, preset := range append([]string{""}, idp.Presets...) {
		i := directory.Issuer{Name: fmt.Sprintf("p%d", n), URL: fmt.Sprintf("https://p%d.example", n), Preset: preset}
		if err := idp.Complete(&i); err != nil {
			t.Errorf("%s: %v", preset, err)
			continue
		}
		again := i
		if err := idp.Complete(&again); err != nil || !cmp.Equal(i, again) {
			t.Errorf("%s: completed again it is another: %v\n%s", preset, err, cmp.Diff(i, again))
		}
		if i.Algorithm == "" || i.Lifetime <= 0 || !slices.Contains(i.Places, directory.Place{Host: fmt.Sprintf("p%d.example", n)}) {
			t.Errorf("%s: %+v", preset, i)
		}
	}
}

func TestCompleteFillsIn(t *testing.T) {
	t.Parallel()
	i := directory.Issuer{Name: "a", URL: "https://H.example:8443/x/", Clients: []directory.IssuerClient{{ID: "b"}, {ID: "a"}}, Accepts: []directory.AcceptedIssuer{{Issuer: "https://o.example"}}}
	must(t, idp.Complete(&i))
	want := directory.Issuer{Name: "a", URL: "https://H.example:8443/x/", Algorithm: "RS256", Lifetime: time.Hour, Clients: []directory.IssuerClient{{ID: "a"}, {ID: "b"}},
		Accepts: []directory.AcceptedIssuer{{Issuer: "https://o.example", Audiences: []string{"https://H.example:8443/x/"}}},
		Places: []directory.Place{{Host: "h.example:8443", Path: "/x"}, {Host: "h.example:8443", Path: "/x/.well-known/openid-configuration"},
			{Host: "h.example:8443", Path: "/x/.well-known/oauth-authorization-server"}, {Host: "h.example:8443", Path: "/x/jwks"}, {Host: "h.example:8443", Path: "/x/token"}}}
	if d := cmp.Diff(want, i); d != "" {
		t.Error(d)
	}
	for address, place := range map[string]directory.Place{
		"https://h.example":       {Host: "h.example"},
		"https://h.example/":      {Host: "h.example"},
		"https://h.example:443/a": {Host: "h.example", Path: "/a"},
		"http://127.0.0.1:9000":   {Host: "127.0.0.1:9000"},
		"http://[::1]/a":          {Host: "[::1]", Path: "/a"},
		"http://x.localhost/a":    {Host: "x.localhost", Path: "/a"},
		"https://[2001:db8::1]/a": {Host: "[2001:db8::1]", Path: "/a"},
		"https://192.0.2.1/a":     {Host: "192.0.2.1", Path: "/a"},
		"https://_x.h.example./a": {Host: "_x.h.example", Path: "/a"},
		"https://treaty:8443/a":   {Host: "treaty:8443", Path: "/a"}, // a hub in an intranet
	} {
		i := directory.Issuer{Name: "a", URL: address}
		if err := idp.Complete(&i); err != nil || i.Places[0] != place || i.Places[3] != (directory.Place{Host: place.Host, Path: place.Path + "/jwks"}) || i.URL != address {
			t.Errorf("%s: %v %v", address, err, i.Places)
		}
	}
}

func TestCompleteNamesEveryProblem(t *testing.T) {
	t.Parallel()
	good := func() directory.Issuer {
		return directory.Issuer{Name: "a", URL: "https://a.example", Clients: []directory.IssuerClient{{ID: "c"}}, Accepts: []directory.AcceptedIssuer{{Issuer: "https://o.example"}}}
	}
	rules := func(n int) map[string]string {
		out := map[string]string{}
		for k := range n {
			out[fmt.Sprintf("c%d", k)] = "1"
		}
		return out
	}
	private := strings.Replace(string(keySet("k", clientKey().Public())), `"kty"`, `"d":"AAAA","kty"`, 1)
	for name, c := range map[string]struct {
		change func(*directory.Issuer)
		path   string
		reason string
	}{
		"no name":                   {func(i *directory.Issuer) { i.Name = "" }, "name", "DNS label"},
		"a name in upper case":      {func(i *directory.Issuer) { i.Name = "Corp" }, "name", "DNS label"},
		"a name of two labels":      {func(i *directory.Issuer) { i.Name = "a.b" }, "name", "DNS label"},
		"an endless name":           {func(i *directory.Issuer) { i.Name = strings.Repeat("a", 64) }, "name", "DNS label"},
		"a name with a hyphen last": {func(i *directory.Issuer) { i.Name = "a-" }, "name", "DNS label"},
		"no URL":                    {func(i *directory.Issuer) { i.URL = "" }, "url", "missing"},
		"a URL by http":             {func(i *directory.Issuer) { i.URL = "http://a.example" }, "url", "loopback"},
		"a URL of another scheme":   {func(i *directory.Issuer) { i.URL = "ftp://a.example" }, "url", "not https"},
		"a URL without a host":      {func(i *directory.Issuer) { i.URL = "https:///x" }, "url", "no URL with a host"},
		"a URL with a query":        {func(i *directory.Issuer) { i.URL = "https://a.example/?" }, "url", "query"},
		"a URL with a fragment":     {func(i *directory.Issuer) { i.URL = "https://a.example/#" }, "url", "fragment"},
		"a URL with a user":         {func(i *directory.Issuer) { i.URL = "https://u@a.example" }, "url", "user name"},
		"a URL with an empty port":  {func(i *directory.Issuer) { i.URL = "https://a.example:" }, "url", "empty port"},
		"a URL with two dots":       {func(i *directory.Issuer) { i.URL = "https://a..b/x" }, "url", "host is neither"},
		"a URL of nothing but dots": {func(i *directory.Issuer) { i.URL = "https://../x" }, "url", "host is neither"},
		"a URL of a wildcard":       {func(i *directory.Issuer) { i.URL = "https://*.example.com" }, "url", "host is neither"},
		"a URL with a dot first":    {func(i *directory.Issuer) { i.URL = "https://.example" }, "url", "host is neither"},
		"a URL in parentheses":      {func(i *directory.Issuer) { i.URL = "https://(x)" }, "url", "host is neither"},
		"a URL of two hosts":        {func(i *directory.Issuer) { i.URL = "https://a,b" }, "url", "host is neither"},
		"a URL of a long label":     {func(i *directory.Issuer) { i.URL = "https://" + strings.Repeat("a", 64) + ".example" }, "url", "host is neither"},
		"a URL of a long host":      {func(i *directory.Issuer) { i.URL = "https://" + strings.Repeat("a.", 124) + "example" }, "url", "host is neither"},
		"a URL of a hyphen":         {func(i *directory.Issuer) { i.URL = "https://-a.example" }, "url", "host is neither"},
		"a URL in brackets":         {func(i *directory.Issuer) { i.URL = "https://[192.0.2.1]" }, "url", "host"},
		"a URL with a padded port":  {func(i *directory.Issuer) { i.URL = "https://a.example:0443" }, "url", "port"},
		"a URL of no port":          {func(i *directory.Issuer) { i.URL = "https://a.example:0" }, "url", "port"},
		"a URL of a high port":      {func(i *directory.Issuer) { i.URL = "https://a.example:65536" }, "url", "port"},
		"a URL with an escape":      {func(i *directory.Issuer) { i.URL = "https://a.example/%41" }, "url", "character"},
		"a URL with a quote":        {func(i *directory.Issuer) { i.URL = `https://a.example/"` }, "url", "character"},
		"a URL with dots":           {func(i *directory.Issuer) { i.URL = "https://a.example/x/../y" }, "url", "dots"},
		"a URL with two slashes":    {func(i *directory.Issuer) { i.URL = "https://a.example//y" }, "url", "empty segment"},
		"a deep URL":                {func(i *directory.Issuer) { i.URL = "https://a.example" + strings.Repeat("/x", 9) }, "url", "segments"},
		"a long URL":                {func(i *directory.Issuer) { i.URL = "https://a.example/" + strings.Repeat("x", 500) }, "url", "longer"},
		"an unknown preset":         {func(i *directory.Issuer) { i.Preset = "x" }, "preset", "pingfederate"},
		"an unknown algorithm":      {func(i *directory.Issuer) { i.Algorithm = "HS256" }, "algorithm", "RS512"},
		"no lifetime":               {func(i *directory.Issuer) { i.Lifetime = -1 }, "lifetime", "between"},
		"a lifetime of days":        {func(i *directory.Issuer) { i.Lifetime = 25 * time.Hour }, "lifetime", "between"},
		"a rule of no language":     {func(i *directory.Issuer) { i.Claims = map[string]string{"x": "1 +", "y": "1"} }, "claims.x", ""},
		"a rule for exp":            {func(i *directory.Issuer) { i.Claims = map[string]string{"exp": "1"} }, "claims.exp", "issuer alone"},
		"too many rules":            {func(i *directory.Issuer) { i.Claims = rules(101) }, "claims", "101"},
		"too many with the preset":  {func(i *directory.Issuer) { i.Claims = rules(99) }, "claims", "preset"},
		"an issuer without a name":  {func(i *directory.Issuer) { i.Accepts[0].Issuer = "" }, "accepts[0].issuer", "missing"},
		"a subject with a newline":  {func(i *directory.Issuer) { i.Accepts[0].Subject = "a\n" }, "accepts[0].subject", "control"},
		"an empty audience":         {func(i *directory.Issuer) { i.Accepts[0].Audiences = []string{"a", ""} }, "accepts[0].audiences[1]", "missing"},
		"too many audiences":        {func(i *directory.Issuer) { i.Accepts[0].Audiences = make([]string, 21) }, "accepts[0].audiences", "21"},
		"too many issuers":          {func(i *directory.Issuer) { i.Accepts = make([]directory.AcceptedIssuer, 101) }, "accepts", "101"},
		"too many clients":          {func(i *directory.Issuer) { i.Clients = make([]directory.IssuerClient, 1001) }, "clients", "1001"},
		"a client without id":       {func(i *directory.Issuer) { i.Clients[0].ID = "" }, "clients[0].id", "missing"},
		"a client's odd id":         {func(i *directory.Issuer) { i.Clients[0].ID = "a\x00b" }, "clients[0].id", "control"},
		"two clients of an id":      {func(i *directory.Issuer) { i.Clients = append(i.Clients, directory.IssuerClient{ID: "c"}) }, "clients[1].id", "clients[0]"},
		"a client's endless name":   {func(i *directory.Issuer) { i.Clients[0].Name = strings.Repeat("x", 300) }, "clients[0].name", "longer"},
		"a secret without a hash":   {func(i *directory.Issuer) { i.Clients[0].Secrets = make([]directory.ClientSecret, 1) }, "clients[0].secrets[0]", "hash"},
		"too many secrets":          {func(i *directory.Issuer) { i.Clients[0].Secrets = make([]directory.ClientSecret, 21) }, "clients[0].secrets", "21"},
		"keys that are none":        {func(i *directory.Issuer) { i.Clients[0].Keys = json.RawMessage(`[]`) }, "clients[0].keys", "cannot be read"},
		"no keys in the set":        {func(i *directory.Issuer) { i.Clients[0].Keys = json.RawMessage(`{"keys":[]}`) }, "clients[0].keys", "no key"},
		"a private key":             {func(i *directory.Issuer) { i.Clients[0].Keys = json.RawMessage(private) }, "clients[0].keys", "private"},
		"a symmetric key":           {func(i *directory.Issuer) { i.Clients[0].Keys = json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`) }, "clients[0].keys", "symmetric"},
		"a huge set of keys":        {func(i *directory.Issuer) { i.Clients[0].Keys = make([]byte, 70<<10) }, "clients[0].keys", "longer"},
		"an unknown grant":          {func(i *directory.Issuer) { i.Clients[0].Grants = []string{credit, "password"} }, "clients[0].grants[1]", "password"},
		"a client's algorithm":      {func(i *directory.Issuer) { i.Clients[0].Algorithm = "none" }, "clients[0].algorithm", "none"},
		"a client's lifetime":       {func(i *directory.Issuer) { i.Clients[0].Lifetime = time.Millisecond }, "clients[0].lifetime", "between"},
		"a client's attributes":     {func(i *directory.Issuer) { i.Clients[0].Attributes = map[string]any{"x": func() {}} }, "clients[0].attributes", "JSON"},
		"a client's rule":           {func(i *directory.Issuer) { i.Clients[0].Claims = map[string]string{"z": "nothing"} }, "clients[0].claims.z", "nothing"},
		"a client's rules":          {func(i *directory.Issuer) { i.Clients[0].Claims = rules(99) }, "clients[0].claims", "issuer's"},
	} {
		i := good()
		c.change(&i)
		err := idp.Complete(&i)
		var ps idp.Problems
		if !errors.Is(err, fault.Invalid) || !errors.As(err, &ps) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.ContainsFunc(ps, func(p idp.Problem) bool { return p.Path == c.path && strings.Contains(p.Reason, c.reason) }) {
			t.Errorf("%s: %v, want %s: …%s…", name, ps, c.path, c.reason)
		}
	}
	i := directory.Issuer{Name: "A", Preset: "x", Algorithm: "x", Clients: []directory.IssuerClient{{}, {}}}
	var ps idp.Problems
	if err := idp.Complete(&i); !errors.As(err, &ps) || len(ps) != 6 {
		t.Errorf("%d problems: %v", len(ps), ps)
	}
}

// Whoever is declared first, what lies below one issuer's URL and is its endpoint is no other's.
func TestNoIssuerTakesTheEndpointsOfOneAboveIt(t *testing.T) {
	t.Parallel()
	above := directory.Issuer{Name: "above", URL: "https://h.example/a", Preset: "okta"}
	below := directory.Issuer{Name: "below", URL: "https://h.example/a/v1", Preset: "spiffe"}
	beside := directory.Issuer{Name: "beside", URL: "https://h.example/a/v2", Preset: "spiffe"}
	for n, order := range [][]directory.Issuer{{above, below, beside}, {below, above, beside}} {
		db := newWorld(t).db
		var failed []string
		for _, i := range order {
			must(t, idp.Complete(&i))
			if err := db.Issuers.CreateIssuer(t.Context(), i); err != nil {
				failed = append(failed, i.Name)
			}
		}
		if want := []string{order[1].Name}; !cmp.Equal(failed, want) {
			t.Errorf("order %d: refused %v, not %v", n, failed, want)
		}
	}
}
