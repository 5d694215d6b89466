package storage

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// s3Error is a refusal in S3's words (Amazon S3 API reference, "Error responses").
type s3Error struct {
	Code    string
	Message string
	Status  int
	Fields  [][2]string // further elements
}

func (e *s3Error) Error() string { return e.Code + ": " + e.Message }

// with adds an element to a copy.
func (e s3Error) with(name, value string) *s3Error {
	e.Fields = append(e.Fields[:len(e.Fields):len(e.Fields)], [2]string{name, value})
	return &e
}

// saying is a copy with another message.
func (e s3Error) saying(format string, args ...any) *s3Error {
	e.Message = fmt.Sprintf(format, args...)
	return &e
}

// The errors that need nothing of the request.
var (
	errAccessDenied     = s3Error{Code: "AccessDenied", Message: "Access Denied", Status: http.StatusForbidden}
	errNoACLs           = s3Error{Code: "AccessControlListNotSupported", Status: http.StatusBadRequest}
	errBadURI           = s3Error{Code: "InvalidURI", Message: "Couldn't parse the specified URI.", Status: http.StatusBadRequest}
	errBucketName       = s3Error{Code: "InvalidBucketName", Message: "The specified bucket is not valid.", Status: http.StatusBadRequest}
	errNoSuchBucket     = s3Error{Code: "NoSuchBucket", Message: "The specified bucket does not exist", Status: http.StatusNotFound}
	errNoSuchUpload     = s3Error{Code: "NoSuchUpload", Message: "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", Status: http.StatusNotFound}
	errVersionID        = s3Error{Code: "InvalidArgument", Message: "Invalid version id specified", Status: http.StatusBadRequest}
	errNoBucketPolicy   = s3Error{Code: "NoSuchBucketPolicy", Message: "The bucket policy does not exist", Status: http.StatusNotFound}
	errMethod           = s3Error{Code: "MethodNotAllowed", Message: "The specified method is not allowed against this resource.", Status: http.StatusMethodNotAllowed}
	errNotImplemented   = s3Error{Code: "NotImplemented", Message: "A header you provided implies functionality that is not implemented.", Status: http.StatusNotImplemented}
	errInvalidArgument  = s3Error{Code: "InvalidArgument", Message: "Invalid Argument", Status: http.StatusBadRequest}
	errInvalidRequest   = s3Error{Code: "InvalidRequest", Message: "Invalid Request", Status: http.StatusBadRequest}
	errMalformedXML     = s3Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema", Status: http.StatusBadRequest}
	errMalformedPolicy  = s3Error{Code: "MalformedPolicy", Message: "Policies must be valid JSON and the first byte must be '{'", Status: http.StatusBadRequest}
	errEntityTooLarge   = s3Error{Code: "EntityTooLarge", Message: "Your proposed upload exceeds the maximum allowed size", Status: http.StatusBadRequest}
	errKeyTooLong       = s3Error{Code: "KeyTooLongError", Message: "Your key is too long", Status: http.StatusBadRequest}
	errIncompleteBody   = s3Error{Code: "IncompleteBody", Message: "The request body terminated unexpectedly", Status: http.StatusBadRequest}
	errBadDigest        = s3Error{Code: "BadDigest", Message: "The Content-MD5 you specified did not match what we received.", Status: http.StatusBadRequest}
	errContentHash      = s3Error{Code: "XAmzContentSHA256Mismatch", Message: "The provided 'x-amz-content-sha256' header does not match what was computed.", Status: http.StatusBadRequest}
	errMissingLength    = s3Error{Code: "MissingContentLength", Message: "You must provide the Content-Length HTTP header.", Status: http.StatusLengthRequired}
	errInternal         = s3Error{Code: "InternalError", Message: "We encountered an internal error. Please try again.", Status: http.StatusInternalServerError}
	errUnavailable      = s3Error{Code: "ServiceUnavailable", Message: "Service is unable to handle request.", Status: http.StatusServiceUnavailable}
	errSignature        = s3Error{Code: "SignatureDoesNotMatch", Message: "The request signature we calculated does not match the signature you provided. Check your key and signing method.", Status: http.StatusForbidden}
	errMalformedHeader  = s3Error{Code: "AuthorizationHeaderMalformed", Status: http.StatusBadRequest}
	errMalformedQuery   = s3Error{Code: "AuthorizationQueryParametersError", Status: http.StatusBadRequest}
	errUnknownKey       = s3Error{Code: "InvalidAccessKeyId", Message: "The AWS Access Key Id you provided does not exist in our records.", Status: http.StatusForbidden}
	errInvalidToken     = s3Error{Code: "InvalidToken", Message: "The provided token is malformed or otherwise invalid.", Status: http.StatusBadRequest}
	errExpiredToken     = s3Error{Code: "ExpiredToken", Message: "The provided token has expired.", Status: http.StatusBadRequest}
	errSkewed           = s3Error{Code: "RequestTimeTooSkewed", Message: "The difference between the request time and the current time is too large.", Status: http.StatusForbidden}
	errHeadersNotSigned = s3Error{Code: "AccessDenied", Message: "There were headers present in the request which were not signed", Status: http.StatusForbidden}
	errOneMechanism     = s3Error{Code: "InvalidArgument", Message: "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified", Status: http.StatusBadRequest}
	errMechanism        = s3Error{Code: "InvalidRequest", Message: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.", Status: http.StatusBadRequest}
	errMissingHash      = s3Error{Code: "InvalidRequest", Message: "Missing required header for this request: x-amz-content-sha256", Status: http.StatusBadRequest}
)

// maxSkew is how far a request's date may be from now.
const maxSkew = 15 * time.Minute

const isoTime = "2006-01-02T15:04:05Z"

// authenticationError says what is wrong with a request's signature.
func authenticationError(c caller, now time.Time) *s3Error {
	e := c.signed
	malformed := errMalformedHeader
	if e.Presigned {
		malformed = errMalformedQuery
	}
	p := c.problem
	switch {
	case e.Presigned && p.Check == "query parameters":
		return malformed.saying("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
	case e.Presigned && p.Check == "credential":
		return malformed.saying(`Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	switch p.Kind {
	case sigv4.Missing:
		return &errMechanism
	case sigv4.Ambiguous:
		return &errOneMechanism
	case sigv4.Skewed:
		return skewed(e, now)
	case sigv4.Unsigned:
		return &errHeadersNotSigned
	case sigv4.Misscoped:
		return malformed.saying("The authorization header is malformed; %s", p.Message)
	case sigv4.ExpiredToken:
		return &errExpiredToken
	case sigv4.UnknownToken:
		if e.SecurityToken != "" {
			return &errInvalidToken
		}
		return errUnknownKey.with("AWSAccessKeyId", op.Claimed(e.Credential.AccessKeyID))
	case sigv4.Mismatched:
		return errSignature.with("AWSAccessKeyId", op.Claimed(e.Credential.AccessKeyID)).
			with("StringToSign", e.StringToSign).with("SignatureProvided", e.Signature()).with("StringToSignBytes", octets(e.StringToSign)).
			with("CanonicalRequest", e.CanonicalRequest).with("CanonicalRequestBytes", octets(e.CanonicalRequest))
	default:
		return malformed.saying("%s", p.Message)
	}
}

// skewed is a date too far from now, or a presigned URL whose time is over.
func skewed(e *sigv4.Examination, now time.Time) *s3Error {
	server := now.UTC().Format(isoTime)
	if e.Presigned && e.Time.Before(now) {
		return errAccessDenied.saying("Request has expired").with("X-Amz-Expires", strconv.Itoa(int(e.Expires/time.Second))).
			with("Expires", e.Time.Add(e.Expires).Format(isoTime)).with("ServerTime", server)
	}
	if e.Presigned {
		return errAccessDenied.saying("Request is not valid yet").with("ServerTime", server)
	}
	return errSkewed.with("RequestTime", e.Time.Format("20060102T150405Z")).with("ServerTime", server).
		with("MaxAllowedSkewMilliseconds", strconv.FormatInt(maxSkew.Milliseconds(), 10))
}

// wrongRegion is a signature for another region than the host's.
func wrongRegion(e *sigv4.Examination, want string) *s3Error {
	malformed := errMalformedHeader
	if e.Presigned {
		malformed = errMalformedQuery
		return malformed.saying("Error parsing the X-Amz-Credential parameter; the region '%s' is wrong; expecting '%s'", e.Credential.Region, want).with("Region", want)
	}
	return malformed.saying("The authorization header is malformed; the region '%s' is wrong; expecting '%s'", e.Credential.Region, want).with("Region", want)
}

// octets prints bytes as S3 does in its answer to a wrong signature: hexadecimal, apart.
func octets(s string) string { return strings.TrimSpace(fmt.Sprintf("% x", s)) }

// denied is a refusal by policy. S3 tells the reason within an account only (S3 user guide, "Access denied
// error messages").
func denied(d policy.Decision, within bool, shown string) *s3Error {
	if !within || d.Because == "" || d.Caller == "" {
		return &errAccessDenied
	}
	text := "User: " + d.Caller + " is not authorized to perform: " + d.Action
	if shown != "" {
		text += ` on resource: "` + shown + `"`
	}
	return errAccessDenied.saying("%s", text+" "+d.Because)
}

// body is the error's document.
func (e *s3Error) body(requestID string) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<Error>")
	element := func(name, value string) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(value)) // into memory
		b.WriteString("</" + name + ">")
	}
	element("Code", e.Code)
	element("Message", e.Message)
	for _, f := range e.Fields {
		element(f[0], f[1])
	}
	element("RequestId", requestID)
	element("HostId", hostID(requestID))
	b.WriteString("</Error>")
	return b.Bytes()
}
