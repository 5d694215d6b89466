package treatytest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/wire/jose"
)

// What Entra answers: the code and, of 700027, the reason.
const (
	unreachable = "AADSTS90061"
	keyMissing  = "AADSTS700027 The key was not found."
	keyFails    = "AADSTS700027 Key was found, but use of the key to verify the signature failed."
)

// wall is the machine's time, which tests move: it ages what is known of foreign issuers.
type wall struct {
	mu sync.Mutex
	at time.Time
}

func (c *wall) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *wall) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

// outside is a twin and a foreign host over TLS with any number of issuers, each of them trusted by an
// application and by a role. An authority that the twin knows vouches for the host.
type outside struct {
	*awsWorld
	host *httptest.Server
	mux  *http.ServeMux
	wall *wall
	n    int
}

func newOutside(t *testing.T, c Config) *outside {
	t.Helper()
	o := &outside{mux: http.NewServeMux(), wall: &wall{at: time.Now()}}
	o.host = httptest.NewUnstartedServer(o.mux)
	o.host.Config.ErrorLog = log.New(io.Discard, "", 0)
	o.host.StartTLS()
	t.Cleanup(o.host.Close)
	c.wall, c.authorities = o.wall.now, filepath.Join(t.TempDir(), "ca.pem")
	vouching := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.host.Certificate().Raw})
	if err := os.WriteFile(c.authorities, vouching, 0o600); err != nil {
		t.Fatal(err)
	}
	tt := c.New(t)
	tt.AWSConfig.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	o.awsWorld = &awsWorld{Treaty: tt, root: tt.AWSConfig}
	return o
}

// foreign is one issuer of the host. Its two documents are whatever a test makes of them.
type foreign struct {
	*outside
	issuer string // https://HOST/NAME
	app    Application
	role   string

	mu     sync.Mutex
	config http.HandlerFunc // nil: the honest document
	keys   http.HandlerFunc
	asked  []string // paths below the issuer
}

// issuer adds an issuer that publishes one key and that both clouds trust.
func (o *outside) issuer() *foreign {
	o.t.Helper()
	x := o.stranger()
	x.trustedAs(x.issuer)
	return x
}

// stranger adds an issuer that nobody trusts.
func (o *outside) stranger() *foreign {
	o.n++
	x := &foreign{outside: o, issuer: o.host.URL + "/i" + raw(o.n)}
	x.publish(key("k1", nil))
	o.mux.HandleFunc("/i"+raw(o.n)+"/{path...}", x.serve)
	return x
}

// trustedAs makes an application and a role that trust an issuer, by that name, for its user.
func (x *foreign) trustedAs(issuer string, thumbprints ...string) {
	x.t.Helper()
	x.app = x.AddApplication("app of " + issuer)
	x.Trust(x.app, "trust", issuer, "user", "app")
	out, err := x.iam(x.root).CreateOpenIDConnectProvider(context.Background(), &iam.CreateOpenIDConnectProviderInput{Url: &issuer, ClientIDList: []string{"app"}, ThumbprintList: thumbprints})
	x.must(err)
	name := strings.TrimPrefix(issuer, "https://")
	x.role = x.AddRole("role"+raw(x.n), admits(*out.OpenIDConnectProviderArn, `{"StringEquals":{"`+name+`:sub":"user"}}`))
}

func (x *foreign) serve(w http.ResponseWriter, r *http.Request) {
	path := r.PathValue("path")
	x.mu.Lock()
	x.asked = append(x.asked, path)
	config, keys := x.config, x.keys
	x.mu.Unlock()
	switch {
	case strings.HasPrefix(path, "keys"):
		keys(w, r)
	case path != ".well-known/openid-configuration":
		http.NotFound(w, r)
	case config != nil:
		config(w, r)
	default:
		_ = json.NewEncoder(w).Encode(m{"issuer": x.issuer, "jwks_uri": x.issuer + "/keys"})
	}
}

// requests is how often the issuer was asked for anything.
func (x *foreign) requests() int { x.mu.Lock(); defer x.mu.Unlock(); return len(x.asked) }

// answers sets what the issuer answers for its configuration and for its keys; nil leaves one as it is.
func (x *foreign) answers(config, keys http.HandlerFunc) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if config != nil {
		x.config = config
	}
	if keys != nil {
		x.keys = keys
	}
}

// publish sets the issuer's keys.
func (x *foreign) publish(set ...m) { x.answers(nil, says(raw(m{"keys": append([]m{}, set...)}))) }

// configure sets some members of the configuration.
func (x *foreign) configure(change m) {
	x.answers(says(raw(with(m{"issuer": x.issuer, "jwks_uri": x.issuer + "/keys"}, change))), nil)
}

// says answers with a document.
func says(doc string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, doc) }
}

// down is an issuer that is out of order.
func down(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }

// up is the honest configuration again.
func (x *foreign) up() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.config = nil
}

// key is goodKey as a JWK with some members changed; nil removes one.
func key(kid string, change m) m { return with(jwkOf(kid, &goodKey().PublicKey), change) }

// evil is evilKey as a JWK.
func evil(kid string) m { return jwkOf(kid, &evilKey().PublicKey) }

// ellipticKey is an EC key as a JWK.
func ellipticKey(t *testing.T, kid string, public crypto.PublicKey) m {
	t.Helper()
	j, err := jose.Publish(kid, public, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m{"kty": j.Kty, "crv": j.Crv, "x": j.X, "y": j.Y, "kid": kid, "use": "sig"}
}

// certified is a certificate of a signer's key, in DER.
func certified(t *testing.T, signer crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// selfSigned is the configuration of a host whose certificate nobody vouches for.
func selfSigned(t *testing.T, ip net.IP) *tls.Config {
	t.Helper()
	signer := evilKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{ip}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: signer}}}
}

// thumb is the x5t of a certificate.
func thumb(der []byte) string { return jose.Thumbprint(der) }

func gzipped(doc string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, doc) // into memory
	_ = z.Close()
	return b.Bytes()
}

func x5c(der []byte) []string { return []string{base64.StdEncoding.EncodeToString(der)} }

// token is the issuer's honest token with some members of header and claims changed.
func (x *foreign) token(header, claims m) string { return x.tokenBy(goodKey(), header, claims) }

func (x *foreign) tokenBy(signer crypto.Signer, header, claims m) string {
	x.t.Helper()
	now, h := x.Now(), jose.Header{}
	members := with(m{"alg": "RS256", "kid": "k1"}, header)
	for name, v := range members {
		h = append(h, jose.Member{Name: name, Value: v})
	}
	doc := raw(with(m{"iss": x.issuer, "sub": "user", "aud": "app", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}, claims))
	out, err := jose.Sign(h, []byte(doc), signer, members["alg"].(string), rand.Reader)
	x.must(err)
	return out
}

var described = regexp.MustCompile(`AADSTS\d+`)

// entra trades a token at Entra: "" for success, else the code and, of 700027, its reason.
func (x *foreign) entra(token string) string {
	x.t.Helper()
	status, body := x.Exchange(x.app, token, x.GraphURL)
	if status == http.StatusOK {
		return ""
	}
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
	}
	x.must(json.Unmarshal(body, &answer))
	code := described.FindString(answer.Description)
	if len(answer.Codes) != 1 || code != "AADSTS"+raw(answer.Codes[0]) {
		x.t.Errorf("the answer's codes are %d and its description is %q", answer.Codes, answer.Description)
	}
	if want := map[int]string{400: "invalid_request", 401: "invalid_client"}[status]; answer.Error != want {
		x.t.Errorf("%s is %s with status %d", code, answer.Error, status)
	}
	for _, known := range []string{keyMissing, keyFails} {
		if why, is := strings.CutPrefix(known, code+" "); is && strings.Contains(answer.Description, why) {
			return known
		}
	}
	return code
}

// sts trades a token at STS: "" for success, else the code and its words.
func (x *foreign) sts(token string) string {
	x.t.Helper()
	return said(x.web(x.role, token))
}

// expect trades a token at both clouds.
func (x *foreign) expect(step, token, entra, sts string) {
	x.t.Helper()
	x.expectAsking(step, token, entra, sts, -1)
}

// expectAsking is expect that also counts the requests that the issuer gets from each; below 0 does not count.
func (x *foreign) expectAsking(step, token, entra, sts string, requests int) {
	x.t.Helper()
	for _, cloud := range []struct {
		name, want string
		try        func(string) string
	}{{"Entra", entra, x.entra}, {"STS", sts, x.sts}} {
		before := x.requests()
		if got := cloud.try(token); got != cloud.want {
			x.t.Errorf("%s, %s: got %s, want %s", step, cloud.name, cmpOr(got, "success"), cmpOr(cloud.want, "success"))
		}
		if n := x.requests() - before; requests >= 0 && n != requests {
			x.t.Errorf("%s, %s: %d requests, want %d", step, cloud.name, n, requests)
		}
	}
}

// row is one issuer, what it does, and what becomes of its token.
type row struct {
	name       string
	entra, sts string // "" is success
	prepare    func(x *foreign)
	token      func(x *foreign) string // nil: the honest one
}

// run tries each row at both clouds. At least so many are wanted, so that none gets lost.
func (o *outside) run(t *testing.T, atLeast int, rows []row) {
	t.Helper()
	if len(rows) < atLeast {
		t.Errorf("only %d rows", len(rows))
	}
	for _, r := range rows {
		x := o.issuer()
		if r.prepare != nil {
			r.prepare(x)
		}
		token := x.token(nil, nil)
		if r.token != nil {
			token = r.token(x)
		}
		x.expect(r.name, token, r.entra, r.sts)
	}
}
