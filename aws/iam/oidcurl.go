package iam

import (
	"encoding/base32"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/fault"
)

// providerName is the name of an issuer's provider: its URL without scheme. Path and trailing slash count
// as they are written; the port of https is left out.
func providerName(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "":
		return "", refusal(validationError, "Invalid Open ID Connect Provider URL")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return "", refusal(invalidInput, "Unknown")
	}
	name := strings.TrimPrefix(raw[len("https:"):], "//")
	host, path, slash := strings.Cut(name, "/")
	host = strings.TrimSuffix(host, ":443")
	if slash {
		host += "/" + path
	}
	return host, nil
}

// addClients adds audiences that are not there yet, in order.
func addClients(have []string, more ...string) ([]string, error) {
	out := slices.Clone(have)
	for _, id := range more {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if len(out) > maxClientIDs {
		return nil, refusal(limitExceeded, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
	}
	return out, nil
}

// providerID makes a unique id: a prefix and 17 characters of base32. The ids of OIDC providers are seen by
// nobody, those of SAML providers (SAMLSP…) and their keys (SAMLPK…) are.
func (s *Service) providerID(prefix string) (string, error) {
	var b [11]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", fault.Wrap(fault.Internal, "provider id", err)
	}
	return prefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])[:17], nil
}
