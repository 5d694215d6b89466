package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/jose"
)

const (
	maxIssuer        = 2048 // bytes of an issuer's name
	maxConfiguration = 256 << 10
	maxSkipped       = 16 // reasons that are kept of one key set
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// errWithdrawn is an issuer's own word that none of its keys is to be used. Those that it had do not go on
// to serve, as they do when it cannot be reached.
var errWithdrawn = errors.New("the issuer has no usable key")

// fetch reads an issuer's configuration and then its keys.
func (d *Discovery) fetch(ctx context.Context, a asked) (Published, error) {
	issuer, out := a.issuer, Published{}
	fail := func(reason string, err error) (Published, error) {
		return Published{}, &fault.Fault{Kind: fault.Unavailable, Op: "discover " + evidence.Clip(issuer), Reason: reason, Err: err}
	}
	if why := d.refuse(issuer); why != "" {
		return fail("issuer: "+why, nil)
	}
	if strings.ContainsRune(issuer, '?') { // OpenID Connect Discovery 1.0 section 3: no query, no fragment
		return fail("issuer: it has a query", nil)
	}
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	doc, err := d.document(ctx, a, address, &out)
	if err != nil {
		return fail("get "+address, err)
	}
	if len(doc) > maxConfiguration {
		return fail(address+" is too large", nil)
	}
	members, _, err := jose.Object(string(doc))
	if err != nil {
		return fail("read "+address, err)
	}
	config := Claims(members)
	if got := config.Text("issuer"); got != issuer {
		return fail("the document's issuer is "+evidence.Clip(got)+": "+evidence.Difference(issuer, got).String(), nil)
	}
	jwksURI := config.Text("jwks_uri")
	if why := d.refuse(jwksURI); why != "" {
		return fail("jwks_uri: "+why, nil)
	}
	if doc, err = d.document(ctx, a, jwksURI, &out); err != nil {
		return fail("get "+jwksURI, err)
	}
	parse := d.Parse
	if parse == nil {
		parse = parseKeys
	}
	if out.Keys, out.Skipped, err = parse(doc); err != nil {
		return fail("read "+jwksURI, err)
	}
	if len(out.Keys) == 0 {
		return fail("read "+jwksURI, fmt.Errorf("%w: %s", errWithdrawn, evidence.Clip(strings.Join(out.Skipped, "; "))))
	}
	out.Skipped = out.Skipped[:min(len(out.Skipped), maxSkipped)]
	return out, nil
}

// document gets one document, and notes who answered. A byte order mark is overlooked, as RFC 8259 section
// 8.1 permits: files that were written on Windows and put up as they are begin with one.
func (d *Discovery) document(ctx context.Context, a asked, address string, out *Published) ([]byte, error) {
	f, can := d.Fetcher.(PinningFetcher)
	if !can || !a.pinned {
		doc, err := d.Fetcher.Fetch(ctx, address)
		return bytes.TrimPrefix(doc, byteOrderMark), err
	}
	doc, peer, err := f.FetchPinned(ctx, address, a.thumbprints)
	if err == nil {
		out.Peers = append(out.Peers, peer)
	}
	return bytes.TrimPrefix(doc, byteOrderMark), err
}

func parseKeys(doc []byte) (keys []PublicKey, skipped []string, err error) {
	set, err := jose.ParseKeySet(doc)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range set.Keys {
		keys = append(keys, PublicKey(k))
	}
	return keys, set.Skipped, nil
}

// refuse says why an address of an issuer may not be asked, "" when it may.
func (d *Discovery) refuse(address string) string {
	if len(address) > maxIssuer {
		return "it is longer than 2048 bytes"
	}
	u, err := url.Parse(address)
	switch {
	case address == "":
		return "it is missing"
	case err != nil:
		return "it is not a URL"
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return "it is not a plain URL with a host"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && Loopback(u.Hostname()):
		if d.LoopbackHTTP {
			return ""
		}
		return "http is not admitted for loopback addresses"
	}
	return "it is not https"
}

// Loopback reports whether a host, without a port, can only be this machine: an issuer there has no certificate.
func Loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
