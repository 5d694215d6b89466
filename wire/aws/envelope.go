package aws

import (
	"net/http"
	"strings"
)

// The content types of the two protocols.
const (
	JSONType = "application/x-amz-json-1.1"
	XMLType  = "text/xml"
)

// maxErrorHeader bounds x-amzn-errormessage: some clients refuse headers beyond 16 KB in all.
const maxErrorHeader = 1024

// AppendError appends the error document of awsQuery. Type is Receiver for 5xx, else Sender.
func AppendError(b []byte, namespace, requestID string, status int, code, message string) []byte {
	kind := "Sender"
	if status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	b = append(b, `<ErrorResponse xmlns="`...)
	b = append(escape(b, namespace), "\">\n  <Error>\n    <Type>"+kind+"</Type>\n    <Code>"...)
	b = append(escape(b, code), "</Code>\n    <Message>"...)
	b = append(escape(b, message), "</Message>\n  </Error>\n  <RequestId>"...)
	return append(escape(b, requestID), "</RequestId>\n</ErrorResponse>\n"...)
}

// AppendJSONError appends the error document of awsJson1.1; an empty message is left out.
func AppendJSONError(b []byte, code, message string) []byte {
	b = appendString(append(b, `{"__type":`...), code)
	if message != "" {
		b = appendString(append(b, `,"message":`...), message)
	}
	return append(b, '}')
}

// SetErrorHeaders sets the headers of an awsJson1.1 error: the code with its colon, and the message.
func SetErrorHeaders(h http.Header, code, message string) {
	h.Set("X-Amzn-Errortype", code+":")
	if message != "" && len(message) <= maxErrorHeader && strings.IndexFunc(message, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		h.Set("X-Amzn-Errormessage", message)
	}
}

// SetCORS lets a browser read an answer.
func SetCORS(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date")
}

// SetPreflight answers a browser's OPTIONS request.
func SetPreflight(h http.Header) {
	SetCORS(h)
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "x-amz-target,content-type,x-amz-user-agent,amz-sdk-invocation-id,amz-sdk-request,x-amz-date,authorization,x-amz-security-token,x-amz-content-sha256")
	h.Set("Access-Control-Max-Age", "172800") // as AWS: two days
}
