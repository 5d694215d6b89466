package seed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/names"
)

// wellKnown are the issuers of the presets that imitate a service with a single one (GitHub, "OpenID
// Connect reference"; GitLab, "OpenID Connect (OIDC) Authentication Using ID Tokens"; Google, "Verify the
// identity of an instance"). A twin answers under these names; a hub never could.
var wellKnown = map[string]string{
	"github": "https://token.actions.githubusercontent.com",
	"gitlab": "https://gitlab.com",
	"google": "https://accounts.google.com",
}

// IssuerURL is the URL of an issuer that names none: below IssuerBase where there is one, else what its
// preset imitates, else "".
func (t Target) IssuerURL(name, preset string) string {
	if t.IssuerBase != "" {
		return t.IssuerBase + "/" + name
	}
	return wellKnown[preset]
}

// Issuer is what a document's issuer becomes here, where have was before; the error is config.Problems, with
// paths inside of it.
func (t Target) Issuer(i Issuer, have directory.Issuer) (directory.Issuer, error) {
	i.Clients = slices.Clone(i.Clients)
	i.complete()
	or(&i.URL, t.IssuerURL(i.Name, i.Preset))
	out, err := i.Directory(t.Sealer.Hash, t.Now(), have)
	if err != nil || t.IssuerBase != "" && out.URL == t.IssuerURL(out.Name, "") {
		return out, err
	}
	for _, p := range out.Places {
		if why := t.refuseHost(p.Host); why != "" {
			return out, config.Problems{{Path: "url", Text: why}}
		}
	}
	return out, nil
}

// refuseHost says why an issuer cannot have a place at a host, but for a hub's at its own address, "" when it can.
func (t Target) refuseHost(host string) string {
	name := names.Host(host)
	base, err := url.Parse(t.IssuerBase)
	_, noAddress := netip.ParseAddr(name)
	switch {
	case t.Answered != nil && t.Answered(host):
		return host + " answers as the cloud's own here, an issuer would never be asked"
	case t.IssuerBase != "" && (err != nil || idp.PlaceHost(base.Host) == host):
		return host + " is this server's own: there an issuer is at " + t.IssuerBase + "/NAME, by its name"
	case t.IssuerBase == "" && noAddress != nil && !strings.Contains(name, ".") && !names.Loopback(name):
		return host + " is a name of one label, and would stand for all names below it"
	}
	return ""
}

// issuer makes an issuer or brings it up to the document. Clients and secrets that the document does not
// name stay.
func (t Target) issuer(ctx context.Context, ps *config.Problems, path string, i Issuer) {
	want, err := t.Issuer(i, directory.Issuer{})
	if err != nil {
		problems(ps, path, err)
		return
	}
	err = again(func() error {
		have, err := t.Issuers.Issuer(ctx, want.Name)
		if errors.Is(err, fault.NotFound) {
			return t.Issuers.CreateIssuer(ctx, want)
		}
		if err != nil {
			return err
		}
		m := mergedIssuer(have, want)
		if same, err := sameJSON(have, m); err != nil || same {
			return err
		}
		return t.Issuers.UpdateIssuer(ctx, m)
	})
	var f *fault.Fault
	if errors.As(err, &f) && f.Kind == fault.Conflict && (f.Reason == "url" || f.Reason == "place") {
		ps.Add(path+".url", "another issuer answers at %s", want.URL)
		return
	}
	note(ps, path, err)
}

// mergedIssuer lays what the document says over what is there.
func mergedIssuer(have, want directory.Issuer) directory.Issuer {
	want.CreatedAt, want.Version = have.CreatedAt, have.Version
	want.Clients = slices.Clone(want.Clients)
	for n := range want.Clients {
		w := &want.Clients[n]
		i := slices.IndexFunc(have.Clients, func(h directory.IssuerClient) bool { return h.ID == w.ID })
		if i >= 0 {
			w.Secrets = mergedSecrets(have.Clients[i].Secrets, w.Secrets)
		}
	}
	for _, h := range have.Clients {
		if !slices.ContainsFunc(want.Clients, func(w directory.IssuerClient) bool { return w.ID == h.ID }) {
			want.Clients = append(want.Clients, h)
		}
	}
	slices.SortFunc(want.Clients, byClientID)
	return want
}

func byClientID(a, b directory.IssuerClient) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) }

func mergedSecrets(have, want []directory.ClientSecret) []directory.ClientSecret {
	want = slices.Clone(want)
	for _, h := range have {
		i := slices.IndexFunc(want, func(w directory.ClientSecret) bool { return w.ID == h.ID })
		if i < 0 {
			want = append(want, h)
			continue
		}
		want[i].NotBefore = h.NotBefore
	}
	return want
}

// sameJSON compares two values by what would be stored of them.
func sameJSON(a, b any) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("encode what is there: %w", err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("encode what should be there: %w", err)
	}
	return bytes.Equal(x, y), nil
}
