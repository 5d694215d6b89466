package seed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/wire/jose"
)

// Issuer is a plain OpenID Connect issuer. The control interface speaks of it in the same shape.
type Issuer struct {
	Name      string            `yaml:"name" json:"name"`
	URL       string            `yaml:"url" json:"url,omitempty"` // iss of its tokens; see Target.IssuerURL for one without
	Preset    string            `yaml:"preset" json:"preset,omitempty"`
	Algorithm string            `yaml:"algorithm" json:"algorithm,omitempty"`
	Lifetime  string            `yaml:"lifetime" json:"lifetime,omitempty"` // as Go writes it: 10m, 1h30m
	Claims    map[string]string `yaml:"claims" json:"claims,omitempty"`     // claim: CEL expression
	Accepts   []Accepted        `yaml:"accepts" json:"accepts,omitempty"`
	Clients   []Client          `yaml:"clients" json:"clients,omitempty"`
}

// Accepted is a foreign issuer whose tokens an issuer takes in exchange.
type Accepted struct {
	Issuer    string   `yaml:"issuer" json:"issuer"`
	Subject   string   `yaml:"subject" json:"subject,omitempty"`     // exact; any when left out
	Audiences []string `yaml:"audiences" json:"audiences,omitempty"` // default the issuer's own URL
}

// Client may ask an issuer for tokens. It proves who it is by a secret, or by a key: Keys or Certificate.
type Client struct {
	ID          string            `yaml:"id" json:"id"`
	Name        string            `yaml:"name" json:"name,omitempty"`
	Secret      credential.Secret `yaml:"secret" json:"secret,omitempty"`   // the short form of one secret
	Secrets     []Secret          `yaml:"secrets" json:"secrets,omitempty"` // several, with names and ends
	Keys        KeySet            `yaml:"keys" json:"keys,omitempty"`
	Certificate string            `yaml:"certificate" json:"certificate,omitempty"` // PEM
	Grants      []string          `yaml:"grants" json:"grants,omitempty"`
	Algorithm   string            `yaml:"algorithm" json:"algorithm,omitempty"`
	Lifetime    string            `yaml:"lifetime" json:"lifetime,omitempty"`
	Attributes  map[string]any    `yaml:"attributes" json:"attributes,omitempty"`
	Claims      map[string]string `yaml:"claims" json:"claims,omitempty"`
}

// KeySet is a JWK Set: JSON text, or YAML of the same members.
type KeySet json.RawMessage

// UnmarshalYAML reads either form. Every scalar of YAML becomes a string, as all of a JWK's members are.
func (k *KeySet) UnmarshalYAML(n *yaml.Node) error {
	var p Policy
	if err := p.UnmarshalYAML(n); err != nil {
		return err
	}
	*k = KeySet(p)
	return nil
}

// UnmarshalJSON keeps the set as it is.
func (k *KeySet) UnmarshalJSON(b []byte) error {
	*k = bytes.Clone(b)
	return nil
}

// MarshalJSON gives it back.
func (k KeySet) MarshalJSON() ([]byte, error) { return json.RawMessage(k).MarshalJSON() }

func (i *Issuer) complete() {
	i.Name = strings.ToLower(i.Name)
	for n := range i.Clients {
		c := &i.Clients[n]
		if c.Secret != "" {
			c.Secrets, c.Secret = append(c.Secrets, Secret{Value: c.Secret}), ""
		}
		for m := range c.Secrets {
			s := &c.Secrets[m]
			guid(&s.ID, "issuer", i.Name, "client", c.ID, "secret", s.Name, fmt.Sprint(m))
			or(&s.Expires, "2299-12-31")
		}
	}
}

// Directory is the issuer that the document describes, completed; hash keeps the secrets, as a
// credential.Sealer does. A secret without a value is one of have's, by the ids of client and secret. The
// error is config.Problems, with paths inside of the issuer.
func (i Issuer) Directory(hash func(credential.Secret) []byte, now time.Time, have directory.Issuer) (directory.Issuer, error) {
	var ps config.Problems
	i.Clients = slices.Clone(i.Clients)
	i.complete()
	out := directory.Issuer{
		Name: i.Name, URL: i.URL, Preset: i.Preset, Algorithm: i.Algorithm, Lifetime: lifetime(&ps, "lifetime", i.Lifetime), Claims: i.Claims, CreatedAt: now,
	}
	for _, a := range i.Accepts {
		out.Accepts = append(out.Accepts, directory.AcceptedIssuer(a))
	}
	for n, c := range i.Clients {
		d := c.directory(&ps, fmt.Sprintf("clients[%d]", n))
		var known []directory.ClientSecret
		if at := slices.IndexFunc(have.Clients, func(h directory.IssuerClient) bool { return h.ID == c.ID }); at >= 0 {
			known = have.Clients[at].Secrets
		}
		d.Secrets = c.kept(&ps, fmt.Sprintf("clients[%d]", n), hash, now, known)
		out.Clients = append(out.Clients, d)
	}
	problems(&ps, "", idp.Complete(&out))
	return out, ps.Err()
}

func (c Client) directory(ps *config.Problems, path string) directory.IssuerClient {
	out := directory.IssuerClient{
		ID: c.ID, Name: c.Name, Grants: c.Grants, Algorithm: c.Algorithm, Lifetime: lifetime(ps, path+".lifetime", c.Lifetime), Claims: c.Claims,
	}
	var err error
	if out.Keys, err = c.keySet(); err != nil {
		ps.Add(path+".keys", "%v", err)
	}
	if out.Attributes, err = plainJSON(c.Attributes); err != nil {
		ps.Add(path+".attributes", "%v", err)
	}
	return out
}

// kept are the client's secrets as they are kept. One that is wrong is a problem, and left out.
func (c Client) kept(ps *config.Problems, path string, hash func(credential.Secret) []byte, now time.Time, known []directory.ClientSecret) (out []directory.ClientSecret) {
	for n, s := range c.Secrets {
		at := fmt.Sprintf("%s.secrets[%d]", path, n)
		end, err := day(s.Expires)
		if err != nil {
			ps.Add(at+".expires", "%q is no date and no RFC 3339 time", s.Expires)
		}
		k := directory.ClientSecret{ID: s.ID, DisplayName: s.Name, NotBefore: now, NotAfter: end}
		before := slices.IndexFunc(known, func(o directory.ClientSecret) bool { return o.ID == s.ID })
		switch n := len(s.Value); {
		case n == 0 && before >= 0:
			k.Hash, k.Hint, k.NotBefore = known[before].Hash, known[before].Hint, known[before].NotBefore
		case n < 8 || n > 255:
			ps.Add(at+".value", "has %d characters; 8 to 255 are taken", n)
			continue
		default:
			k.Hash, k.Hint = hash(s.Value), s.Value.Reveal()[:3]
		}
		out = append(out, k)
	}
	return out
}

// keySet is the client's JWK Set, compact, or that of its certificate, whose kid is its x5t: what clients
// with a certificate name in their assertions.
func (c Client) keySet() (json.RawMessage, error) {
	switch {
	case len(c.Keys) > 0 && c.Certificate != "":
		return nil, errors.New("either keys or certificate is set")
	case c.Certificate != "":
		cert, err := certificate(c.Certificate)
		if err != nil {
			return nil, fmt.Errorf("the certificate %w", err)
		}
		k, err := jose.Publish(jose.Thumbprint(cert.Raw), cert.PublicKey, cert)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{"keys": []jose.JWK{k}})
	case len(c.Keys) == 0:
		return nil, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, c.Keys); err != nil {
		return json.RawMessage(c.Keys), nil // whose text is judged with the rest
	}
	return b.Bytes(), nil
}

// plainJSON gives values the types that they have after they were stored: numbers become float64.
func plainJSON(v map[string]any) (out map[string]any, err error) {
	if len(v) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errors.New("they are not all text, numbers, truth values, lists and mappings by text")
	}
	return out, json.Unmarshal(b, &out)
}

func lifetime(ps *config.Problems, path, s string) time.Duration {
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		ps.Add(path, "%q is no duration above zero, such as 10m", s)
	}
	return d
}

// problems adds those of an error below a path.
func problems(ps *config.Problems, path string, err error) {
	var of idp.Problems
	var own config.Problems
	switch {
	case err == nil:
	case errors.As(err, &own):
		for _, p := range own {
			ps.Add(join(path, p.Path), "%s", p.Text)
		}
	case errors.As(err, &of):
		for _, p := range of {
			ps.Add(join(path, p.Path), "%s", p.Reason)
		}
	default:
		ps.Add(path, "%v", err)
	}
}

func join(path, below string) string { return strings.Trim(path+"."+below, ".") }

// IssuerOf describes an issuer that is there; the values of its secrets are known to nobody.
func IssuerOf(i directory.Issuer) Issuer {
	out := Issuer{Name: i.Name, URL: i.URL, Preset: i.Preset, Algorithm: i.Algorithm, Lifetime: i.Lifetime.String(), Claims: i.Claims}
	for _, a := range i.Accepts {
		out.Accepts = append(out.Accepts, Accepted(a))
	}
	for _, c := range i.Clients {
		d := Client{
			ID: c.ID, Name: c.Name, Keys: KeySet(c.Keys), Grants: c.Grants, Algorithm: c.Algorithm, Attributes: c.Attributes, Claims: c.Claims,
		}
		if c.Lifetime > 0 {
			d.Lifetime = c.Lifetime.String()
		}
		for _, s := range c.Secrets {
			d.Secrets = append(d.Secrets, Secret{ID: s.ID, Name: s.DisplayName, Hint: s.Hint, Expires: s.NotAfter.UTC().Format(time.RFC3339)})
		}
		out.Clients = append(out.Clients, d)
	}
	return out
}

// issuer checks what does not depend on where the server is: its issuer may have no URL yet.
func (c *checker) issuer(path string, i Issuer) {
	c.unique("issuer", path+".name", i.Name)
	c.unique("issuer URL", path+".url", i.URL)
	or(&i.URL, wellKnown[i.Preset])
	or(&i.URL, "https://issuer.invalid") // RFC 6761 section 6.4: a place that is nobody's
	_, err := i.Directory(func(credential.Secret) []byte { return []byte{0} }, time.Time{}, directory.Issuer{})
	problems(&c.Problems, path, err)
}
