package storage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/explain"
)

// The tags of objects that are elsewhere are not known here: what a policy decides by them is refused, or a
// Deny for one of them would never be met.
func TestConditionsOnTagsRefuseForAnEndpointElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back := w.elsewhere(t)
	s, token := w.session(nil, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"]},
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}},
		{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/tagged/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/level":"secret"}}},
		{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*","Condition":{"StringEquals":{"S3:ExistingObjectTag/level":"secret"}}}]}`)
	c, ctx, data := w.client(s.KeyID, s.Secret.Reveal(), token), t.Context(), aws.String("data")
	for name, try := range map[string]struct {
		call func() error
		want string
	}{
		"an object whose tags a policy asks for": {func() error { _, err := get(t, c, "data", "tagged/x"); return err }, "AccessDenied"},
		"a copy of it": {func() error {
			_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: data, Key: aws.String("k"), CopySource: aws.String("data/tagged/x")})
			return err
		}, "AccessDenied"},
		"deleting one": {func() error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: data, Key: aws.String("k")})
			return err
		}, "AccessDenied"},
		"deleting one of many":              {func() error { return w.deletes(c, types.ObjectIdentifier{Key: aws.String("k")}) }, "AccessDenied"},
		"an object of which no policy asks": {func() error { _, err := get(t, c, "data", "plain"); return err }, ""},
		"writing there":                     {func() error { return put(t, c, "data", "tagged/new", []byte("x")) }, ""},
	} {
		back.mu.Lock()
		before := len(back.seen)
		back.mu.Unlock()
		if err := try.call(); code(err) != try.want {
			t.Errorf("%s: %v", name, err)
		}
		back.mu.Lock()
		if after := len(back.seen); (after > before) != (try.want == "") {
			t.Errorf("%s: the endpoint saw %q", name, back.seen[before:])
		}
		back.mu.Unlock()
	}
	_, err := get(t, c, "data", "tagged/x")
	if err == nil || !strings.Contains(err.Error(), `s3:GetObject on resource: "arn:aws:s3:::data/tagged/x" because the policy asks for s3:ExistingObjectTag, which an endpoint elsewhere does not show`) {
		t.Errorf("the reason is %v", err)
	}
	const because = "because the policy asks for s3:ExistingObjectTag, which an endpoint elsewhere does not show"
	if text := w.explainsUnseen(because); !strings.Contains(text, "--  condition s3:ExistingObjectTag/level StringEquals  an endpoint elsewhere does not show it\n") {
		t.Errorf("explained as\n%s", text)
	}
	if err := w.deletes(c, types.ObjectIdentifier{Key: aws.String("k")}); code(err) != "AccessDenied" {
		t.Error(err)
	}
	w.explainsUnseen(because)
}

// explainsUnseen holds the newest event to its refusal: its last decision does not allow, and says why, as
// does the explanation, which is given.
func (w *world) explainsUnseen(because string) string {
	w.t.Helper()
	e := w.last()
	made := decisions(w.t, e)
	if d := made[len(made)-1]; e.Outcome != audit.Refused || d.Allows() || d.Because != because {
		w.t.Errorf("%s of %s is %s, decided %s %s", e.Outcome, e.Operation, e.Code, d.Result, d.Because)
	}
	r, err := explain.FromEvent(e, func(trust.Decision, string) explain.Answer { return explain.Answer{} })
	must(w.t, err)
	var b strings.Builder
	must(w.t, explain.Text{}.Write(&b, r))
	if r.Pass || r.Change != "" || !strings.Contains(b.String(), "  ("+because+")\n") {
		w.t.Errorf("explained as\n%s", b.String())
	}
	return b.String()
}

// deletes deletes one of many, and gives its refusal.
func (w *world) deletes(c *s3.Client, o types.ObjectIdentifier) error {
	w.t.Helper()
	out, err := c.DeleteObjects(w.t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("data"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{o}}})
	if err == nil && len(out.Errors) == 1 {
		err = fmt.Errorf("%s", *out.Errors[0].Code)
	}
	return err
}

func TestDeletingManyKeepsWhatBecameOfEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket(w.root(), "data")
	s, token := w.session(nil, statement("Allow", "s3:DeleteObject", "arn:aws:s3:::data/may/*"))
	var in types.Delete
	for i := range 60 {
		for _, folder := range []string{"not", "may"} {
			in.Objects = append(in.Objects, types.ObjectIdentifier{Key: aws.String(fmt.Sprintf("%s/%d", folder, i))})
		}
	}
	in.Objects = append(in.Objects, types.ObjectIdentifier{Key: aws.String("may/v"), VersionId: aws.String("v")},
		types.ObjectIdentifier{Key: aws.String("may/v"), VersionId: aws.String(strings.Repeat("v", 50_000))})
	out, err := w.client(s.KeyID, s.Secret.Reveal(), token).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("data"), Delete: &in})
	if err != nil || len(out.Deleted) != 60 || len(out.Errors) != 62 {
		t.Fatalf("%d deleted, %d not, %v", len(out.Deleted), len(out.Errors), err)
	}
	e := w.last()
	var v struct{ Objects []objectResult }
	must(t, json.Unmarshal(e.Evidence, &v))
	if len(v.Objects) != len(in.Objects) || e.Code != "AccessDenied" {
		t.Fatalf("%d objects of %d, code %s", len(v.Objects), len(in.Objects), e.Code)
	}
	for i, o := range v.Objects[:120] {
		if want := []string{"AccessDenied", ""}[i%2]; o.Key != *in.Objects[i].Key || o.Code != want {
			t.Errorf("object %d is %+v", i, o)
		}
	}
	if last := v.Objects[120]; last != (objectResult{Key: "may/v", Version: "v", Code: "InvalidArgument"}) {
		t.Errorf("the version that is none: %+v", last)
	}
	if long := v.Objects[121]; len(long.Version) != 2048 || long.Code != "InvalidArgument" {
		t.Errorf("of a long version %d bytes are kept, code %s", len(long.Version), long.Code)
	}
	count := map[bool]int{}
	for _, d := range decisions(t, e) {
		count[d.Allows()]++
	}
	if count[true] != maxEvidence || count[false] != maxEvidence {
		t.Errorf("%v decisions", count)
	}
}
