package idp

import (
	"context"
	"encoding/pem"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

const (
	googleIssuer = "https://accounts.google.com"
	googleKeys   = "/oauth2/v3/certs" // at www.googleapis.com for Google's own issuer
	googleCerts  = "/oauth2/v1/certs" // there, too: what Google's own libraries verify with
)

// googlePreset makes the identity tokens that Google's metadata server gives to virtual machines ("Verify
// the identity of VMs"). A client is a service account: its id or its attribute email is the account's
// address. The machine is told by attributes, too: project_id, project_number, zone, instance_id,
// instance_name, instance_creation_timestamp, licenses.
func googlePreset() preset {
	return preset{
		discovery: []string{openIDPath},
		keys:      googleKeys,
		claims: map[string]string{
			"sub":            `client.attributes.unique_id`,
			"azp":            `client.attributes.unique_id`,
			"aud":            audienceRule,
			"email":          `client.attributes.email`,
			"email_verified": `true`,
			"google": `request.parameters.?format.orValue("") != "full" ? dyn(null) : dyn({"compute_engine": {
  "project_id": client.attributes.project_id, "project_number": client.attributes.project_number,
  "zone": client.attributes.zone, "instance_id": string(client.attributes.instance_id),
  "instance_name": client.attributes.instance_name,
  "instance_creation_timestamp": client.attributes.instance_creation_timestamp,
  ?"license_id": request.parameters.?licenses.orValue("") == "TRUE" ? client.attributes.?licenses : optional.none()}})`,
		},
		tokenID: func([]byte) string { return "" },
		derive:  googleAccount,
		elsewhere: func(i directory.Issuer) []directory.Place {
			if strings.TrimSuffix(i.URL, "/") != googleIssuer {
				return nil
			}
			return []directory.Place{{Host: "www.googleapis.com", Path: googleKeys}, {Host: "www.googleapis.com", Path: googleCerts}}
		},
		amend: func(d *discovery, _ directory.Issuer, base string) {
			if base == googleIssuer {
				d.JWKSURI = "https://www.googleapis.com" + googleKeys
			}
			d.Scopes = []string{"openid", "email", "profile"}
			d.Claims = []string{"aud", "azp", "email", "email_verified", "exp", "iat", "iss", "sub"}
		},
		admit: admitGoogle,
		serve: (*Service).serveGoogle,
	}
}

// googleAccount fills in what a service account and its machine did not say about themselves.
func googleAccount(_ directory.Issuer, c directory.IssuerClient, parameters map[string]any) map[string]any {
	a := attributesOf(c, nil)
	for _, name := range [...]string{"email", "unique_id"} { // of a mint without a client
		if v := parameters[name]; v != nil {
			setDefault(a, name, v)
		}
	}
	setDefault(a, "project_id", "treaty-project")
	project := textOf(a, "project_id")
	setDefault(a, "project_number", int64(100_000_000_000)+int64(digest([]string{"project", project})[0]))
	setDefault(a, "email", googleEmail(c, project))
	setDefault(a, "unique_id", derivedNumber(21, "account", textOf(a, "email")))
	setDefault(a, "zone", "us-central1-a")
	setDefault(a, "instance_name", "instance-1")
	setDefault(a, "instance_id", derivedNumber(19, "instance", project, textOf(a, "instance_name")))
	setDefault(a, "instance_creation_timestamp", int64(1_700_000_000))
	return a
}

// googleEmail is the address of a service account whose client has no attribute email.
func googleEmail(c directory.IssuerClient, project string) string {
	if strings.Contains(c.ID, "@") {
		return c.ID
	}
	name := c.ID
	if name == "" {
		name = "default"
	}
	return name + "@" + project + ".iam.gserviceaccount.com"
}

// admitGoogle refuses a subject that is no number: "The sub claim is the unique numeric id of the account".
func admitGoogle(c token.Claims) error {
	if sub := c.Text("sub"); sub == "" || strings.Trim(sub, "0123456789") != "" {
		return fault.New(fault.Invalid, "issue identity token", "sub must be the unique id of a service account, which is a number")
	}
	return nil
}

// serveGoogle answers with the key set and the certificates where Google has them.
func (s *Service) serveGoogle(w http.ResponseWriter, r *http.Request, i directory.Issuer, path string) bool {
	document := s.keysDocument
	switch path {
	case "//www.googleapis.com" + googleCerts:
		document = s.googleCertificates
	case "//www.googleapis.com" + googleKeys:
	default:
		return false
	}
	s.serveDocument(w, r, asked{issuer: i, preset: presetOf(i), base: ownBase(i), path: path}, "keys", document)
	return true
}

// googleCertificates are the keys as certificates in PEM, by kid.
func (s *Service) googleCertificates(ctx context.Context, a asked) (any, error) {
	out := map[string]string{}
	for _, r := range s.Rings(a.issuer) {
		published, err := s.Keys.Published(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, k := range published {
			if k.Certificate != nil { // those of RSA; Google signs by nothing else
				out[k.ID] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate.Raw}))
			}
		}
	}
	return out, nil
}
