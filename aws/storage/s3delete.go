package storage

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/policy"
)

func unescapeBoth(a, b string) (string, string, bool) {
	a, err := url.QueryUnescape(a)
	b, other := url.QueryUnescape(b)
	return a, b, err == nil && other == nil
}

// maxDeletes is how many objects one DeleteObjects names (Amazon S3 API reference).
const maxDeletes = 1000

// maxEvidence bounds of how many objects that may go, and of how many that may not, one event keeps the
// whole decisions, two each where retention is bypassed: those of a thousand would take megabytes. Of every
// object it keeps what became of it, with at most maxKey bytes of key and as much version as policies see;
// the keys and versions of all of them are no more than the request holds (maxDocument).
const maxEvidence = 20

// objectResult is what was decided about one of many objects.
type objectResult struct {
	Key     string `json:"key"`
	Version string `json:"version,omitempty"`
	Code    string `json:"code,omitempty"` // why it may not go
}

// deletion is DeleteObjects' body.
type deletion struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool     `xml:",omitempty"`
	Object  []deletedObject
}

type deletedObject struct {
	Key              string
	VersionId        string `xml:",omitempty"`
	ETag             string `xml:",omitempty"`
	LastModifiedTime string `xml:",omitempty"`
	Size             string `xml:",omitempty"`
}

type deleteRefusal struct {
	XMLName   xml.Name `xml:"Error"`
	Key       string
	VersionId string `xml:",omitempty"`
	Code      string
	Message   string
}

// deleteObjects decides about each object; those that may go, go, and the answer tells of the others.
func (x *s3Call) deleteObjects(ctx context.Context) error {
	b, err := x.read()
	if err != nil {
		return err
	}
	var d deletion
	if xml.Unmarshal(b, &d) != nil || len(d.Object) == 0 || len(d.Object) > maxDeletes {
		return &errMalformedXML
	}
	bypass := strings.EqualFold(x.r.Header.Get("X-Amz-Bypass-Governance-Retention"), "true")
	may := deletion{XMLName: xml.Name{Space: s3Namespace, Local: "Delete"}, Quiet: d.Quiet}
	var refusals []deleteRefusal
	var decisions []policy.Decision
	results := make([]objectResult, 0, len(d.Object))
	for _, o := range d.Object {
		refusal, made, err := x.mayDelete(ctx, o, bypass)
		if err != nil {
			return err
		}
		result, alike := objectResult{Key: o.Key, Version: op.Clipped(o.VersionId)}, len(may.Object)
		if refusal != nil {
			result.Code, alike = refusal.Code, len(refusals)
		}
		results = append(results, result)
		if alike < maxEvidence {
			decisions = append(decisions, made...)
		}
		if refusal == nil {
			may.Object = append(may.Object, o)
			continue
		}
		refusals = append(refusals, deleteRefusal{Key: o.Key, VersionId: o.VersionId, Code: refusal.Code, Message: refusal.Message})
	}
	code := ""
	if refusals != nil {
		code = refusals[0].Code
	}
	if err := record(ctx, x.s.Audit, x.now, x.caller, x.target.arn(), code, decisions, results...); err != nil {
		return err
	}
	if may.Object == nil {
		return x.xml(struct {
			XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
			Error   []deleteRefusal
		}{Error: refusals})
	}
	if x.document, err = xml.Marshal(may); err != nil {
		return err
	}
	if refusals == nil {
		return x.forward(ctx)
	}
	return x.forwardSome(ctx, refusals)
}

// mayDelete decides about one object.
func (x *s3Call) mayDelete(ctx context.Context, o deletedObject, bypass bool) (*s3Error, []policy.Decision, error) {
	t := target{bucket: x.target.bucket, key: o.Key}
	if o.Key == "" || len(o.Key) > maxKey {
		return nil, nil, &errMalformedXML
	}
	if err := x.holds(t); err != nil {
		return errNotImplemented.saying("Objects are files here: there is none of this key."), nil, nil
	}
	if err := x.checkVersion(o.VersionId); err != nil {
		return &errVersionID, nil, nil
	}
	actions := []string{"s3:DeleteObject"}
	if o.VersionId != "" {
		actions[0] = "s3:DeleteObjectVersion"
	}
	if bypass {
		actions = append(actions, "s3:BypassGovernanceRetention")
	}
	var decisions []policy.Decision
	var refusal *s3Error
	for _, a := range actions {
		d := demand{a, t, x.bucket}
		decision, no, err := x.decide(ctx, d)
		if err != nil {
			return nil, nil, err
		}
		decisions = append(decisions, decision)
		if refusal == nil {
			refusal = no
		}
	}
	return refusal, decisions, nil
}

// forwardSome sends on what may go, and puts the refusals into the answer.
func (x *s3Call) forwardSome(ctx context.Context, refusals []deleteRefusal) error {
	answer, err := x.send(ctx)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return x.answer(ctx, answer)
	}
	b, err := readAll(answer.Body, 2*maxDocument)
	if err != nil {
		return errNoWay{err}
	}
	more, err := xml.Marshal(refusals)
	if err != nil {
		return err
	}
	const end = "</DeleteResult>"
	head, _, found := bytes.Cut(b, []byte(end))
	if !found { // nothing in it: <DeleteResult xmlns="…"/>
		head = []byte(xml.Header + `<DeleteResult xmlns="` + s3Namespace + `">`)
	}
	x.w.Header().Set("Content-Type", "application/xml")
	_, _ = x.w.Write(append(append(head, more...), end...))
	return nil
}
