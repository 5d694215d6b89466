package op

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/wire/aws"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// exchange is one request on its way. service and row are nil until it is routed.
type exchange struct {
	d       *Dispatcher
	w       http.ResponseWriter
	r       *http.Request
	info    *audit.Request
	body    []byte
	form    url.Values // Query only
	service *service
	row     Operation

	caller Caller
	authn  evidence.Checks
}

// globalRegion is the region of the endpoints that name none: sts.amazonaws.com signs as us-east-1.
const globalRegion = "us-east-1"

// domains are the clouds' domains under which services have names SERVICE.REGION.DOMAIN.
var domains = []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"}

// hostParts reads service and region out of a cloud's host name; both are empty for other hosts.
func hostParts(host string) (service, region string) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for _, domain := range domains {
		name, ok := strings.CutSuffix(strings.ToLower(host), domain)
		if !ok {
			continue
		}
		service, region, _ = strings.Cut(name, ".")
		service = strings.TrimSuffix(service, "-fips")
		switch {
		case region == "":
			return service, globalRegion
		case sigv4.RegionName(region):
			return service, region
		}
	}
	return "", ""
}

// globalEndpoint reports a cloud's host name of a service without a region: sts.amazonaws.com.
func globalEndpoint(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	for _, domain := range domains {
		if name, ok := strings.CutSuffix(strings.ToLower(host), domain); ok {
			return !strings.Contains(name, ".")
		}
	}
	return false
}

// read takes the body in.
func (x *exchange) read() *Error {
	limit := cmp.Or(x.d.MaxBody, defaultMaxBody)
	for _, s := range x.d.table.all { // what the signature says it is for: larger bodies come signed only
		if s.MaxBody > limit && strings.Contains(x.r.Header.Get("Authorization"), "/"+s.Name+"/aws4_request") {
			limit = s.MaxBody
		}
	}
	var err error
	x.body, err = io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &Error{Code: "RequestEntityTooLarge", Message: "Request Entity Too Large", Status: http.StatusRequestEntityTooLarge}
	case err != nil:
		return &Error{Code: "RequestTimeout", Message: "The request body could not be read.", Status: http.StatusBadRequest}
	}
	return nil
}

// route finds the operation: by X-Amz-Target, else by Action and Version. The signature's scope is
// checked against it later and routes nothing, since public operations have none.
func (x *exchange) route() *Error {
	if target := x.r.Header.Get("X-Amz-Target"); target != "" {
		return x.routeTarget(target)
	}
	name, _ := hostParts(x.r.Host)
	if s := x.d.table.named(name); s != nil && s.Protocol == JSON11 {
		x.service = s
		return unknownOperation()
	}
	return x.routeAction(name)
}

func unknownOperation() *Error { return &Error{Code: "UnknownOperationException"} }

func (x *exchange) routeTarget(target string) *Error {
	prefix, name, _ := strings.Cut(target, ".")
	x.service = x.d.table.byTarget[prefix]
	if x.service == nil {
		return unknownOperation()
	}
	row, ok := x.service.rows[name]
	if !ok || x.r.Method != http.MethodPost {
		return unknownOperation()
	}
	x.take(row)
	return nil
}

// routeAction routes a form, in the body or the query: presigned calls are GETs.
func (x *exchange) routeAction(host string) *Error {
	for _, s := range x.d.table.all { // the service whose words errors take until one is found
		if s.Protocol == Query && (x.service == nil || s.Name == host) {
			x.service = s
		}
	}
	form, err := x.parameters()
	if err != nil {
		return &Error{Code: "MalformedQueryString", Message: "The query string contains a syntax error.", Status: http.StatusNotFound}
	}
	x.form = form
	action, version := form.Get("Action"), form.Get("Version")
	if action == "" {
		return &Error{Code: "MissingAction", Message: "The request is missing an action or a required parameter."}
	}
	unknown := &Error{Code: "InvalidAction", Message: "Could not find operation " + action + " for version " + version}
	if version == "" {
		unknown.Message = "Could not find operation " + action + " for version NO_VERSION_SPECIFIED"
	}
	s := x.d.table.byVersion[version]
	if s == nil {
		return unknown
	}
	x.service = s
	row, ok := s.rows[action]
	if !ok {
		return unknown
	}
	x.take(row)
	return nil
}

// parameters merges the query with a form in the body.
func (x *exchange) parameters() (url.Values, error) {
	form, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	if x.r.Method != http.MethodPost || !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return form, nil
	}
	body, err := url.ParseQuery(string(x.body))
	for name, values := range body {
		form[name] = append(form[name], values...)
	}
	return form, err
}

func (x *exchange) take(row Operation) {
	x.row = row
	x.info.Surface, x.info.Operation = x.service.Name, row.name
}

// decode fills the operation's input.
func (x *exchange) decode(in any) (*aws.Presence, error) {
	var presence *aws.Presence
	var err error
	if x.service.Protocol == Query {
		presence, err = x.d.codec.DecodeQuery(x.form, in)
	} else {
		presence, err = x.d.codec.DecodeJSON(x.body, in)
	}
	var bad *aws.DecodeError
	switch {
	case errors.As(err, &bad) && x.service.Protocol == Query:
		return nil, &Error{Code: "MalformedInput", Message: bad.Message}
	case errors.As(err, &bad):
		return nil, &Error{Code: "SerializationException", Message: bad.Error()}
	}
	return presence, err
}

// preflight answers a browser that asks whether it may call.
func (x *exchange) preflight() {
	name, _ := hostParts(x.r.Host)
	for _, s := range x.d.table.all {
		if s.CORS && (name == "" || name == s.Name) {
			aws.SetPreflight(x.w.Header())
			x.w.WriteHeader(http.StatusOK)
			return
		}
	}
	x.refuse(unknownOperation())
}
