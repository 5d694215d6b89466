package managedidentity

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/entra/aadsts"
	"github.com/treatyfed/treaty/wire/oauth"
)

// answer is a status with its body.
type answer struct {
	status    int
	body      []byte
	media     string // "" is JSON
	allow     string
	challenge string // WWW-Authenticate
}

// refusal is why a request gets no token. Where the token service refused, aad says why.
type refusal struct {
	status    int
	code      string
	text      string
	aad       *aadsts.Error
	body      []byte // instead of what the shape makes of the rest
	allow     string
	challenge string
}

// internal is a failure of our own. Text: Microsoft, "Use managed identities on a virtual machine to
// acquire access token", error response 500 unknown, which goes on to name a log.
var internal = refusal{status: http.StatusInternalServerError, code: "unknown", text: "Failed to retrieve token from the Active directory."}

// name is the refusal in logs and audit.
func (r *refusal) name() string {
	if r.aad != nil {
		return r.aad.Code.String()
	}
	return r.code
}

func (r *refusal) answer(c *call) answer {
	a := answer{status: r.status, body: r.body, allow: r.allow, challenge: r.challenge}
	if r.body == nil {
		c.shape(c, *r, &a)
	}
	return a
}

// shape writes a refusal as an endpoint's clients expect it; it may change the status.
type shape func(c *call, r refusal, a *answer)

type metadataError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// metadataShape is that of the instance metadata service: OAuth's, and the token service's own body
// behind status 400 (recorded in AzureAD/microsoft-authentication-library-for-dotnet issue 3979 and
// AzureAD/microsoft-identity-web issue 2796).
func metadataShape(c *call, r refusal, a *answer) {
	if r.aad != nil {
		a.body = r.aad.Body(c.meta())
		if a.status = r.aad.Status(); a.status < http.StatusInternalServerError {
			a.status = http.StatusBadRequest
		}
		return
	}
	a.body = encode(metadataError{r.code, r.text})
}

func (c *call) meta() aadsts.Meta {
	return aadsts.Meta{TraceID: c.record.ID, CorrelationID: c.record.CorrelationID, Time: c.now, Authority: c.authority}
}

type appServiceError struct {
	StatusCode    int    `json:"statusCode"`
	Message       string `json:"message"`
	CorrelationID string `json:"correlationId"`
}

// appServiceError2017 is the same error of api-version 2017-09-01 (recorded in MicrosoftDocs/azure-docs issue 43543).
type appServiceError2017 struct {
	StatusCode    int    `json:"StatusCode"`
	Message       string `json:"Message"`
	CorrelationID string `json:"CorrelationId"`
}

// fetchFailed is all that App Service says when the token service refuses, with status 500; the spelling
// is its own (recorded in MSAL's tests and users' reports).
const fetchFailed = "An unexpected error occured while fetching the AAD Token."

func appServiceShape(query oauth.Form) shape {
	old := query["api-version"] == appService2017
	return func(c *call, r refusal, a *answer) {
		if r.aad != nil || r.status >= http.StatusInternalServerError {
			a.status, r.text = http.StatusInternalServerError, fetchFailed
		}
		if a.body = encode(appServiceError{a.status, r.text, c.record.CorrelationID}); old {
			a.body = encode(appServiceError2017{a.status, r.text, c.record.CorrelationID})
		}
	}
}

type cloudShellError struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// cloudShellShape has the error in an object of its own (read by MSAL Python's cloudshell.py). The text
// about audiences is recorded in the tests of MSAL.
func cloudShellShape(c *call, r refusal, a *answer) {
	var e cloudShellError
	e.Error.Code, e.Error.Message = r.code, r.text
	if r.aad != nil {
		e.Error.Code, e.Error.Message = r.aad.OAuth(), r.aad.Description(c.meta())
		if r.aad.Code == aadsts.ResourceNotFound {
			e.Error.Code, e.Error.Message = "AudienceNotSupported", "Audience "+c.resource+" is not a supported MSI token audience."
		}
		if a.status = r.aad.Status(); a.status < http.StatusInternalServerError {
			a.status = http.StatusBadRequest
		}
	}
	a.body = encode(e)
}

// notFound answers a path that the machine does not serve. It decides nothing and is not on record.
func (s *Service) notFound(w http.ResponseWriter, c *call, why string) {
	a := answer{status: http.StatusNotFound, body: encode(metadataError{"not_found", why})}
	if k := c.machine.Kind; k == directory.MachineVM || k == directory.MachineArc {
		a.body = []byte(`{"error":"Not Found"}`) // recorded in MicrosoftDocs/azure-docs issue 15282
	}
	c.record.Operation, c.record.Code = strings.TrimSpace(c.machine.Kind+" unknown"), "not_found"
	s.write(w, c, a)
}

// write sends an answer. The Server header is what the metadata service says of itself (recorded in
// Hexadite/acs-keyvault-agent pull request 43).
func (s *Service) write(w http.ResponseWriter, c *call, a answer) {
	h := w.Header()
	if a.media == "" {
		a.media = "application/json; charset=utf-8"
	}
	if k := c.machine.Kind; k == directory.MachineVM {
		h.Set("Server", "IMDS/150.870.65.512")
	}
	if a.allow != "" {
		h.Set("Allow", a.allow)
	}
	if a.challenge != "" {
		h.Set("WWW-Authenticate", a.challenge)
	}
	h.Set("Content-Type", a.media)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("x-ms-request-id", c.record.ID)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client is gone if this fails
}

// encode writes v as JSON without escapes for HTML, so that a resource reads as it was asked for.
func encode(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil // strings and numbers always encode
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}
