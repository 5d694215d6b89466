package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/treatyfed/treaty/aws/storage/gateway"
	"github.com/treatyfed/treaty/core/credential"
)

// Endpoint is a server that stores, and the key that it knows us by.
type Endpoint struct {
	URL             *url.URL // scheme and host; its path, if any, begins every path
	Region          string   // that it wants to be signed for
	AccessKeyID     string
	SecretAccessKey credential.Secret
	Account         string            // whose data it holds: twelve digits
	Transport       http.RoundTripper // nil: http.DefaultTransport
	Wall            func() time.Time  // the machine's time: the endpoint does not follow the twin's clock
}

// errNoWay is an endpoint that does not answer.
type errNoWay struct{ err error }

func (e errNoWay) Error() string { return "the endpoint does not answer: " + e.err.Error() }
func (e errNoWay) Unwrap() error { return e.err }

// unsignedPayload is the hash of a body that the signature leaves out.
const unsignedPayload = "UNSIGNED-PAYLOAD"

// send signs a request for a service and carries it out. Redirects are answers. path is as it goes on the
// wire, escaped; the body has length bytes.
func (e *Endpoint) send(ctx context.Context, service, method, path string, query url.Values, h http.Header, body io.Reader, length int64, hash string) (*http.Response, error) {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	base := e.URL
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: trimSlash(base.Path) + plain, RawPath: trimSlash(base.EscapedPath()) + path, RawQuery: query.Encode()}
	if length == 0 {
		body = http.NoBody
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.URL, r.Header, r.ContentLength = u, h, length
	r.Close = strings.HasPrefix(hash, "STREAMING-") // what is framed within may end before the body does
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "treaty")
	}
	if service == "s3" {
		h.Set("X-Amz-Content-Sha256", hash)
	}
	key := aws.Credentials{AccessKeyID: e.AccessKeyID, SecretAccessKey: e.SecretAccessKey.Reveal()}
	err = v4.NewSigner().SignHTTP(ctx, key, r, hash, service, e.Region, e.Wall(), func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = service == "s3"
	})
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", e.URL.Host, err)
	}
	t := e.Transport
	if t == nil {
		t = http.DefaultTransport
	}
	answer, err := t.RoundTrip(r)
	if err != nil {
		return nil, errNoWay{err}
	}
	return answer, nil
}

func trimSlash(path string) string {
	for len(path) > 0 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	return path
}

// hashOf is the payload hash of a body that is at hand.
func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Within leads to the gateway of this process, in an account's name.
func within(g *gateway.Gateway, t http.RoundTripper, account string, wall func() time.Time) (*Endpoint, error) {
	k, err := g.Account(account)
	if err != nil {
		return nil, err
	}
	return &Endpoint{
		URL: &url.URL{Scheme: "http", Host: "s3"}, Region: gateway.Region, AccessKeyID: k.ID, SecretAccessKey: credential.Secret(k.Secret),
		Account: account, Transport: t, Wall: wall,
	}, nil
}
