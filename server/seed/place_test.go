package seed

import (
	"errors"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/server/config"
)

func TestWhereAnIssuerCanBe(t *testing.T) {
	t.Parallel()
	_, to := wholeTarget(t)
	const hub, intranet = "https://hub.example.org/idp", "https://treaty:8443/idp"
	for _, c := range []struct{ base, url, refused string }{
		{"", "https://a.example", ""},
		{"", "https://localhost/x", ""},
		{"", "http://[::1]:9000/x", ""},
		{"", "https://192.0.2.1", ""},
		{"", "https://com/x", "one label"},
		{"", "https://com./x", "one label"},
		{"", "https://treaty:8443/idp/ci", "one label"},
		{hub, "", ""},
		{hub, hub + "/ci", ""},
		{hub, "https://sso.example.com", ""},
		{hub, "https://hub.example.org:8443/x", ""}, // another server
		{hub, hub + "/other", "server's own"},
		{hub, hub + "/ci/", "server's own"},
		{hub, hub + "/ci/below", "server's own"},
		{hub, "https://hub.example.org/7ea70000-0000-4000-8000-000000000001/v2.0", "server's own"},
		{hub, "https://hub.example.org/cognito-identity", "server's own"},
		{hub, "https://HUB.example.org:443/graph/x", "server's own"},
		{hub, "https://hub.example.org./account-tokens/x", "server's own"},
		{hub, "https://hub.example.org", "server's own"},
		{hub, "https://keycloak/realms/x", ""}, // it certifies nobody
		{intranet, "", ""},
		{intranet, intranet + "/ci", ""},
		{intranet, "https://treaty:8443/graph/x", "server's own"},
		{intranet, "https://treaty/idp/ci", ""}, // another server
	} {
		to.IssuerBase = c.base
		_, err := to.Issuer(Issuer{Name: "ci", URL: c.url}, directory.Issuer{})
		var ps config.Problems
		if c.refused == "" && err != nil || c.refused != "" && (!errors.As(err, &ps) || ps[0].Path != "url" || !strings.Contains(ps[0].Text, c.refused)) {
			t.Errorf("%q at %q: %v, want …%s…", c.url, c.base, err, c.refused)
		}
	}
}
