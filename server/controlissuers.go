package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/seed"
)

// Issuers by the control interface, in both modes:
//
//	GET    /_treaty/issuers                   {"issuers":[…]}
//	POST   /_treaty/issuers                   makes one, of the shape that a seed has
//	GET    /_treaty/issuers/{name}            with its version
//	PUT    /_treaty/issuers/{name}            replaces it; with a version, only that version
//	DELETE /_treaty/issuers/{name}
//	POST   /_treaty/issuers/{name}/rotate     {"kid":{"ring":"kid of the new key"}}
//	POST   /_treaty/issuers/{name}/token      a MintOrder; answers a MintedView
//	GET    /_treaty/issuers/{name}/documents  {"issuer":"URL","documents":{"path below it":"text"}}

// IssuerView is an issuer as the control interface gives and takes it. Secrets are never shown again: an
// entry with the id of a secret that is there, and no value, keeps it; so does a client without any entry.
type IssuerView struct {
	seed.Issuer
	Endpoint  string    `json:"endpoint,omitempty"` // where this server answers for it by its name
	JobURL    string    `json:"job_url,omitempty"`  // ACTIONS_ID_TOKEN_REQUEST_URL of its jobs, for the preset github
	CreatedAt time.Time `json:"created_at,omitzero"`
	Version   int64     `json:"version,omitempty"`
}

// issuerPage is how many issuers are read at once.
const issuerPage = 200

func (s *Server) issuerView(i directory.Issuer) IssuerView {
	v := IssuerView{Issuer: seed.IssuerOf(i), Endpoint: s.issuerEndpoint(i.Name), CreatedAt: i.CreatedAt, Version: i.Version}
	if i.Preset == "github" {
		v.JobURL = s.idp.JobURL(i)
	}
	return v
}

// issuerEndpoint is the form by name, which is answered whatever the issuer's own URL is.
func (s *Server) issuerEndpoint(name string) string {
	if base := s.names.issuers(); base != "" {
		return base + "/" + name
	}
	if base := s.URL(); base != "" {
		return base + issuersPrefix + "/" + name
	}
	return "" // not listening
}

// CreateIssuer makes an issuer. The answer has the secrets of those clients for which one had to be made, for
// this one time. The error is config.Problems for what is wrong, fault.Conflict for what is taken.
func (s *Server) CreateIssuer(ctx context.Context, in seed.Issuer) (IssuerView, error) {
	defer s.hold()()
	made, err := s.fillSecrets(&in, nil)
	if err != nil {
		return IssuerView{}, err
	}
	i, err := s.target().Issuer(in, directory.Issuer{})
	if err != nil {
		return IssuerView{}, err
	}
	if err := s.store.Issuers.CreateIssuer(ctx, i); err != nil {
		return IssuerView{}, err
	}
	ctx = context.WithoutCancel(ctx)      // who has gone away leaves nothing half made
	if err := s.vouchFor(i); err != nil { // nobody was told its secrets
		return IssuerView{}, errors.Join(err, s.store.Issuers.DeleteIssuer(ctx, i.Name))
	}
	s.forgetKeys(i)
	if i, err = s.store.Issuers.Issuer(ctx, i.Name); err != nil {
		return IssuerView{}, err
	}
	return reveal(s.issuerView(i), made), nil
}

// ReplaceIssuer writes an issuer anew, if its version is still in.Version, where that is given.
func (s *Server) ReplaceIssuer(ctx context.Context, name string, in IssuerView) (IssuerView, error) {
	defer s.hold()()
	have, err := s.store.Issuers.Issuer(ctx, name)
	if err != nil {
		return IssuerView{}, err
	}
	if in.Name != "" && in.Name != name {
		return IssuerView{}, config.Problems{{Path: "name", Text: "an issuer is not renamed"}}
	}
	in.Name = name
	if in.Version != 0 && in.Version != have.Version {
		return IssuerView{}, fault.New(fault.Conflict, "issuer "+name, fmt.Sprintf("its version is %d, not %d", have.Version, in.Version))
	}
	made, err := s.fillSecrets(&in.Issuer, have.Clients)
	if err != nil {
		return IssuerView{}, err
	}
	want, err := s.target().Issuer(in.Issuer, have)
	if err != nil {
		return IssuerView{}, err
	}
	want.CreatedAt, want.Version = have.CreatedAt, have.Version
	if err := s.vouchFor(want); err != nil { // first: what fails here has changed nothing
		return IssuerView{}, err
	}
	if err := s.store.Issuers.UpdateIssuer(ctx, want); err != nil {
		return IssuerView{}, err
	}
	s.forgetKeys(have)
	s.forgetKeys(want)
	if want, err = s.store.Issuers.Issuer(context.WithoutCancel(ctx), name); err != nil {
		return IssuerView{}, err
	}
	return reveal(s.issuerView(want), made), nil
}

// fillSecrets gives clients that have neither secret nor key the secrets that they have already, else a new
// one; it returns the new ones by client.
func (s *Server) fillSecrets(in *seed.Issuer, have []directory.IssuerClient) (map[string]credential.Secret, error) {
	made := map[string]credential.Secret{}
	in.Clients = slices.Clone(in.Clients)
	for n := range in.Clients {
		c := &in.Clients[n]
		if c.Secret != "" || c.Secrets != nil || len(c.Keys) > 0 || c.Certificate != "" {
			continue
		}
		at := slices.IndexFunc(have, func(h directory.IssuerClient) bool { return h.ID == c.ID })
		if at >= 0 && len(have[at].Secrets) > 0 {
			for _, kept := range have[at].Secrets {
				c.Secrets = append(c.Secrets, seed.Secret{ID: kept.ID, Name: kept.DisplayName, Expires: kept.NotAfter.UTC().Format(time.RFC3339)})
			}
			continue
		}
		secret, err := s.newSecret()
		if err != nil {
			return nil, err
		}
		c.Secrets = []seed.Secret{{ID: s.newID(), Value: secret}}
		made[c.ID] = secret
	}
	return made, nil
}

// newSecret is 30 random bytes as text.
func (s *Server) newSecret() (credential.Secret, error) {
	var b [30]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	return credential.Secret(secretText(b)), nil
}

// reveal shows secrets that were made just now.
func reveal(v IssuerView, made map[string]credential.Secret) IssuerView {
	for n, c := range v.Clients {
		v.Clients[n].Secret = made[c.ID]
	}
	return v
}

func (s *Server) listIssuers(w http.ResponseWriter, r *http.Request) {
	out := []IssuerView{}
	for after := ""; ; {
		page, err := s.store.Issuers.Issuers(r.Context(), after, issuerPage)
		if err != nil {
			s.answerControl(w, r, nil, err)
			return
		}
		for _, i := range page {
			out, after = append(out, s.issuerView(i)), i.Name
		}
		if len(page) < issuerPage {
			break
		}
	}
	s.answerControl(w, r, map[string]any{"issuers": out}, nil)
}

func (s *Server) createIssuer(w http.ResponseWriter, r *http.Request) {
	var in IssuerView
	if !s.readOrder(w, r, &in) {
		return
	}
	out, err := s.CreateIssuer(r.Context(), in.Issuer)
	s.answerControl(w, r, out, err)
}

func (s *Server) showIssuer(w http.ResponseWriter, r *http.Request) {
	i, err := s.store.Issuers.Issuer(r.Context(), r.PathValue("name"))
	s.answerControl(w, r, s.issuerView(i), err)
}

func (s *Server) replaceIssuer(w http.ResponseWriter, r *http.Request) {
	var in IssuerView
	if !s.readOrder(w, r, &in) {
		return
	}
	out, err := s.ReplaceIssuer(r.Context(), r.PathValue("name"), in)
	s.answerControl(w, r, out, err)
}

// deleteIssuer removes an issuer and then its keys, also those that a deletion left which ended in between.
func (s *Server) deleteIssuer(w http.ResponseWriter, r *http.Request) {
	defer s.hold()()
	name, ctx := r.PathValue("name"), context.WithoutCancel(r.Context())
	gone, err := s.store.Issuers.Issuer(ctx, name)
	if err == nil {
		err = s.store.Issuers.DeleteIssuer(ctx, name)
	}
	if err == nil || errors.Is(err, fault.NotFound) {
		for _, ring := range idp.RingsOf(name) {
			if left := s.keys.Drop(ctx, ring); left != nil {
				err = left
			}
		}
	}
	s.forgetKeys(gone)
	s.answerControl(w, r, map[string]string{"deleted": name}, err)
}

// forgetKeys has whoever trusts an issuer's URL ask it again, of which there may be other keys, or a failure, known.
// What is known of other issuers stays: one that is down may have nothing else.
func (s *Server) forgetKeys(i directory.Issuer) {
	s.remote.Forget(i.URL)
	s.webKeys.Forget(i.URL)
}

// rotateIssuer makes new keys, which sign at once, in those rings that the issuer's algorithms sign with. The
// old ones stay in the key set for the keyring's overlap.
func (s *Server) rotateIssuer(w http.ResponseWriter, r *http.Request) {
	i, err := s.store.Issuers.Issuer(r.Context(), r.PathValue("name"))
	if err != nil {
		s.answerControl(w, r, nil, err)
		return
	}
	out := map[string]string{}
	for _, ring := range s.idp.Rings(i) {
		k, err := s.keys.RotateNow(r.Context(), ring)
		s.forgetKeys(i) // who asked for the keys of a rotation a moment ago would not ask for these
		if err != nil {
			s.answerControl(w, r, nil, err)
			return
		}
		out[ring] = k.ID
	}
	s.answerControl(w, r, map[string]any{"kid": out}, nil)
}
