package storage

import (
	"context"
	"encoding/xml"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/policy"
)

// ownOperations are answered here, not by the gateway: what a bucket is known by.
var ownOperations = map[string]func(*s3Call, context.Context) error{
	"CreateBucket":          (*s3Call).createBucket,
	"GetBucketLocation":     (*s3Call).getBucketLocation,
	"GetBucketPolicy":       (*s3Call).getBucketPolicy,
	"GetBucketPolicyStatus": (*s3Call).getBucketPolicyStatus,
	"PutBucketPolicy":       (*s3Call).putBucketPolicy,
	"DeleteBucketPolicy":    (*s3Call).deleteBucketPolicy,
}

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

var regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]$`)

type tagXML struct{ Key, Value string }

// createConfiguration is CreateBucket's body. Where a bucket is to be is kept here: the gateway is nowhere.
type createConfiguration struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string   `xml:",omitempty"`
	Tags               *struct {
		Tag []tagXML
	} `xml:",omitempty"`
}

// tagging is PutObjectTagging's body.
type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	TagSet  struct{ Tag []tagXML }
}

// readDocument reads what a policy may ask about: the tags of an object, the place of a bucket. What is
// read goes on as it was understood here.
func (x *s3Call) readDocument() error {
	if header := x.r.Header.Values("X-Amz-Tagging"); header != nil {
		return x.readTags(strings.Join(header, ","))
	}
	switch x.operation.name {
	case "PutObjectTagging":
		b, err := x.read()
		if err != nil {
			return err
		}
		var t tagging
		if xml.Unmarshal(b, &t) != nil {
			return &errMalformedXML
		}
		x.tags = map[string]string{}
		for _, tag := range t.TagSet.Tag {
			if _, twice := x.tags[tag.Key]; twice {
				e := s3Error{Code: "InvalidTag", Message: "Cannot provide multiple Tags with the same key", Status: http.StatusBadRequest}
				return e.with("TagKey", tag.Key)
			}
			x.tags[tag.Key] = tag.Value
		}
		t.XMLName = xml.Name{Space: s3Namespace, Local: "Tagging"}
		x.document, err = xml.Marshal(t)
		return err
	case "CreateBucket":
		return x.readCreate()
	}
	return nil
}

// readTags reads the header by which an object gets tags.
func (x *s3Call) readTags(header string) error {
	x.tags = map[string]string{}
	for pair := range strings.SplitSeq(header, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value, ok := unescapeBoth(name, value)
		if _, twice := x.tags[name]; twice || !ok || strings.Contains(pair, ";") {
			return errInvalidArgument.saying("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.").
				with("ArgumentName", "x-amz-tagging").with("ArgumentValue", header)
		}
		if name != "" {
			x.tags[name] = value
		}
	}
	return nil
}

func (x *s3Call) readCreate() error {
	b, err := x.read()
	if err != nil || len(b) == 0 {
		return err
	}
	var c createConfiguration
	if xml.Unmarshal(b, &c) != nil {
		return &errMalformedXML
	}
	if x.location = c.LocationConstraint; x.location == "EU" { // S3's first name of it
		x.location = "eu-west-1"
	}
	if x.location != "" && (!regionName.MatchString(x.location) || x.location == "us-east-1") {
		e := s3Error{Code: "InvalidLocationConstraint", Message: "The specified location-constraint is not valid", Status: http.StatusBadRequest}
		return e.with("LocationConstraint", x.location)
	}
	if x.s.Gateway == nil {
		x.document = b
		return nil
	}
	x.document = []byte{}
	if c.Tags != nil {
		c.LocationConstraint, c.XMLName = "", xml.Name{Space: s3Namespace, Local: "CreateBucketConfiguration"}
		x.document, err = xml.Marshal(c)
	}
	return err
}

// createBucket makes a bucket, whose owner is the caller's account.
func (x *s3Call) createBucket(ctx context.Context) error {
	if x.caller.nameless {
		return &errAccessDenied
	}
	answer, err := x.send(ctx)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK && x.location != "" {
		if err := x.s.Gateway.SetRegion(ctx, x.target.bucket, x.location); err != nil {
			return err
		}
	}
	x.w.Header().Set("Location", "/"+x.target.bucket)
	return x.answer(ctx, answer)
}

// document answers with XML.
func (x *s3Call) xml(v any) error {
	b, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", "application/xml")
	_, _ = x.w.Write(append([]byte(xml.Header), b...))
	return nil
}

func (x *s3Call) getBucketLocation(context.Context) error {
	region := x.bucket.Region // of us-east-1 there is none
	return x.xml(struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
		Region  string   `xml:",chardata"`
	}{Region: region})
}

func (x *s3Call) getBucketPolicy(context.Context) error {
	if x.bucket.Policy == nil {
		return errNoBucketPolicy.with("BucketName", x.target.bucket)
	}
	x.w.Header().Set("Content-Type", "application/json")
	_, _ = x.w.Write(x.bucket.Policy)
	return nil
}

// getBucketPolicyStatus says whether anybody at all is allowed anything without a condition.
func (x *s3Call) getBucketPolicyStatus(context.Context) error {
	if x.bucket.Policy == nil {
		return errNoBucketPolicy.with("BucketName", x.target.bucket)
	}
	doc, err := policy.Parse(string(x.bucket.Policy), policy.Resource)
	if err != nil {
		return err
	}
	public := slices.ContainsFunc(doc.Statements, func(s policy.Statement) bool {
		anybody := s.NotPrincipals != nil || s.Principals != nil && (s.Principals.Any || slices.Contains(s.Principals.AWS, "*"))
		return s.Effect == policy.Allow && anybody && len(s.Conditions) == 0
	})
	return x.xml(struct {
		XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ PolicyStatus"`
		IsPublic bool
	}{IsPublic: public})
}

// maxPolicy bounds a bucket's policy in bytes (S3 user guide, "Policies and permissions in Amazon S3").
const maxPolicy = 20 << 10

func (x *s3Call) putBucketPolicy(ctx context.Context) error {
	b, err := x.read()
	if err != nil {
		return err
	}
	if len(b) > maxPolicy {
		return errMalformedPolicy.saying("Policy exceeds the maximum allowed document size.")
	}
	if err := checkBucketPolicy(b, x.target.bucket); err != nil {
		return err
	}
	if err := x.s.Gateway.SetPolicy(ctx, x.target.bucket, b); err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkBucketPolicy looks whether a policy is one, and speaks of S3 and of this bucket alone.
func checkBucketPolicy(text []byte, bucket string) error {
	doc, err := policy.Parse(string(text), policy.Resource)
	if err != nil {
		return errMalformedPolicy.saying("%s", err)
	}
	for _, s := range doc.Statements {
		for _, a := range append(slices.Clone(s.Actions), s.NotActions...) {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "s3:") {
				return errMalformedPolicy.saying("Policy has invalid action")
			}
		}
		for _, r := range append(slices.Clone(s.Resources), s.NotResources...) {
			name, ok := strings.CutPrefix(r, "arn:aws:s3:::")
			first, _, _ := strings.Cut(name, "/")
			if !ok || first != bucket && !strings.ContainsAny(first, "*?$") {
				return errMalformedPolicy.saying("Policy has invalid resource")
			}
		}
	}
	return nil
}

func (x *s3Call) deleteBucketPolicy(ctx context.Context) error {
	if err := x.s.Gateway.SetPolicy(ctx, x.target.bucket, nil); err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}
