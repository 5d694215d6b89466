package storage

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// signatureParameters are the x-amz- parameters of a presigned URL that are its signature's (Amazon S3 API
// reference, "Authenticating requests: using query parameters").
var signatureParameters = []string{
	"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
	"x-amz-security-token", "x-amz-content-sha256",
}

// presigned reports a request whose query signs it, or tries to.
func presigned(q url.Values) bool {
	return q.Has("X-Amz-Algorithm") || q.Has("X-Amz-Signature") || q.Has("X-Amz-Credential")
}

var (
	hoistedName  = regexp.MustCompile("^x-amz-[a-z0-9!#$%&'*+.^_`|~-]+$") // a header's (RFC 9110, section 5.6.2)
	hoistedValue = regexp.MustCompile(`^[^\x00-\x08\x0a-\x1f\x7f]*$`)
)

// hoisted is a presigned request with its headers where they belong. Signers put x-amz- headers into the
// query, so that whoever uses the URL need not know them (AWS SDK for JavaScript, "S3 request presigner",
// unhoistableHeaders); S3 takes them from there. Here that is done before anything is decided, so that
// policies and what stands behind see the same. The signature is of the request as it was sent.
func hoisted(r *http.Request, q url.Values) (*http.Request, error) {
	if !presigned(q) {
		return r, nil
	}
	more := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		low := strings.ToLower(name)
		if !strings.HasPrefix(low, "x-amz-") || slices.Contains(signatureParameters, low) {
			continue
		}
		header := http.CanonicalHeaderKey(low)
		switch {
		case !hoistedName.MatchString(low) || !hoistedValue.MatchString(q.Get(name)):
			return r, errInvalidArgument.saying("The query parameter cannot be a header.").with("ArgumentName", name)
		case r.Header.Values(header) != nil || more.Values(header) != nil || len(q[name]) > 1:
			return r, errInvalidArgument.saying("The header is given more than once, in the query and outside of it or in the query twice.").with("ArgumentName", low)
		}
		more.Set(header, q.Get(name))
	}
	if len(more) == 0 {
		return r, nil
	}
	whole := *r // its body is still the same one
	whole.Header = r.Header.Clone()
	maps.Copy(whole.Header, more)
	return &whole, nil
}
