package managedidentity

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/wire/oauth"
)

// Limits of a request.
const (
	maxQuery      = 8 << 10
	maxParameters = 64
	maxResource   = 2 << 10
)

// call is one request and what has been found out about it.
type call struct {
	record    *audit.Request
	now       time.Time
	authority string
	shape     shape
	machine   directory.Machine

	query    oauth.Form // or the form of a Cloud Shell's request
	unread   error
	resource string
	identity identity
	cached   bool
	checks   evidence.Checks
	failed   *refusal // the first that a check gave
}

// finding is the evidence in the audit.
type finding struct {
	Machine  string          `json:"machine"`
	Kind     string          `json:"kind"`
	Resource string          `json:"machineResource"`
	Identity string          `json:"identity,omitempty"` // client id
	Cached   bool            `json:"cached,omitempty"`
	Checks   evidence.Checks `json:"checks"`
}

func (c *call) found() finding {
	return finding{c.machine.Name, c.machine.Kind, c.machine.ResourceID, c.identity.principal.AppID, c.cached, c.checks}
}

// begin names the request: its id is the audit's, or a fresh one; its correlation id is the client's when
// that is a GUID.
func (s *Service) begin(r *http.Request) *call {
	c := &call{record: audit.RequestOf(r.Context()), now: s.Now(), authority: s.Authority}
	c.record.Surface = surface
	if c.record.ID == "" {
		c.record.ID = s.newID()
	}
	if c.record.CorrelationID = r.Header.Get("x-ms-client-request-id"); uuid.Validate(c.record.CorrelationID) != nil {
		c.record.CorrelationID = s.newID()
	}
	return c
}

func (s *Service) newID() string {
	id, err := uuid.NewRandomFromReader(s.Rand)
	if err != nil {
		panic("managedidentity: no randomness: " + err.Error()) // crypto/rand never fails
	}
	return id.String()
}

// check keeps a check; the first that fails is what the request is refused for.
func (c *call) check(k evidence.Check, otherwise refusal) {
	c.checks = append(c.checks, k)
	if !k.OK && c.failed == nil {
		c.failed = &otherwise
	}
}

// skip notes a check that an earlier failure made pointless.
func (c *call) skip(name string) {
	c.checks = append(c.checks, evidence.Check{Name: name, Skipped: true, Note: "the request is refused already"})
}

// read fills in the query, once.
func (c *call) read(r *http.Request) {
	if c.query == nil && c.unread == nil {
		c.query, c.unread = query(r.URL.RawQuery)
	}
	k := evidence.Check{Name: "parameters", Operator: "readable", OK: c.unread == nil}
	if c.unread != nil {
		k.Note = c.unread.Error()
	}
	c.check(k, refusal{status: http.StatusBadRequest, code: "invalid_request", text: "The parameters of the request are malformed"})
}

// method checks the verb.
func (c *call) method(r *http.Request, want string) {
	c.check(evidence.Check{Name: "method", Operator: "equals", Want: []string{want}, Got: []string{evidence.Clip(r.Method)}, OK: r.Method == want},
		refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", text: "Method Not Allowed", allow: want})
}

// metadata checks the two headers that guard against forged and forwarded requests. A probe without the
// first is how credential chains find out that the endpoint is there; it is refused before anything else
// is looked at (Microsoft, "Azure Instance Metadata Service": security and authentication).
func (c *call) metadata(r *http.Request) {
	got := r.Header.Values("Metadata")
	c.check(evidence.Check{Name: "metadata header", Claim: "Metadata", Operator: "equals", Want: []string{"true"}, Got: clipped(got), OK: len(got) == 1 && got[0] == "true"},
		refusal{status: http.StatusBadRequest, code: "invalid_request", text: "Required metadata header not specified"})
	via := r.Header.Values("X-Forwarded-For")
	c.check(evidence.Check{Name: "not forwarded", Claim: "X-Forwarded-For", Operator: "absent", Got: clipped(via), OK: len(via) == 0},
		refusal{status: http.StatusBadRequest, code: "invalid_request", text: "The request must not have the header X-Forwarded-For"})
}

// version checks api-version against those that an endpoint knows.
func (c *call) version(known []string) {
	got := c.query["api-version"]
	k := evidence.Check{Name: "api-version", Claim: "api-version", Operator: "one of", Want: known}
	if got == "" {
		c.check(k, refusal{status: http.StatusBadRequest, code: "invalid_request", text: "Required query variable 'api-version' is missing"})
		return
	}
	k.Got = []string{evidence.Clip(got)}
	for _, v := range known {
		k.OK = k.OK || v == got
	}
	c.check(k, refusal{status: http.StatusBadRequest, code: "invalid_request", text: "The value of the query variable 'api-version' is not supported"})
}

// target reads the resource that the token is for; whether it exists is the authority's matter.
func (c *call) target() {
	got, bad := c.query["resource"], "Required query variable 'resource' is missing"
	k := evidence.Check{Name: "resource", Claim: "resource", Operator: "present", OK: got != ""}
	if got != "" {
		k.Got = []string{evidence.Clip(got)}
	}
	if len(got) > maxResource || !utf8.ValidString(got) || strings.ContainsFunc(got, control) {
		k.OK, k.Note, bad = false, "it is not an identifier", "The value of the query variable 'resource' is invalid"
	} else {
		c.resource = got
	}
	c.check(k, refusal{status: http.StatusBadRequest, code: "invalid_request", text: bad})
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

func clipped(values []string) (out []string) {
	for _, v := range values[:min(len(values), evidence.MaxValues)] {
		out = append(out, evidence.Clip(v))
	}
	return out
}

var (
	errLong      = errors.New("they are longer than allowed")
	errMalformed = errors.New("they are not form-encoded, or one has two values")
)

// query reads a query: names in lower case, no name with two values, empty values as absent.
func query(raw string) (oauth.Form, error) {
	if len(raw) > maxQuery || strings.Count(raw, "&") >= maxParameters {
		return oauth.Form{}, errLong
	}
	form := make(oauth.Form, 4)
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return oauth.Form{}, errMalformed
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return oauth.Form{}, errMalformed
		}
		if name = strings.ToLower(name); name == "" || value == "" {
			continue
		}
		if before, twice := form[name]; twice && before != value {
			return oauth.Form{}, errMalformed
		}
		form[name] = value
	}
	return form, nil
}

// form reads the body of a Cloud Shell's request.
func (c *call) form(r *http.Request) {
	if c.query, c.unread = oauth.ParseForm(r); c.unread != nil {
		c.query = oauth.Form{}
	}
	c.read(r)
}
