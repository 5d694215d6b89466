package cognitoidentity

import (
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/treatyfed/treaty/core/fault"
)

// newID makes the id of a pool or an identity: REGION:GUID.
func newID(region string, rand io.Reader) (string, error) {
	id, err := uuid.NewRandomFromReader(rand)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "cognito-identity new id", err)
	}
	return region + ":" + id.String(), nil
}

// partition is the part of AWS that a region belongs to (AWS General Reference, "ARN format").
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// poolARN is arn:PARTITION:cognito-identity:REGION:ACCOUNT:identitypool/ID.
func poolARN(region, account, id string) string {
	return "arn:" + partition(region) + ":" + Name + ":" + region + ":" + account + ":identitypool/" + id
}

// arn is an ARN in its six parts.
type arn struct{ partition, service, region, account, resource string }

func parseARN(s string) (a arn, ok bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return arn{}, false
	}
	return arn{p[1], p[2], p[3], p[4], p[5]}, true
}

// iamResource returns what follows KIND/ in the ARN of an IAM entity of that kind, and its account.
func iamResource(s, kind string) (account, name string, ok bool) {
	a, ok := parseARN(s)
	if !ok || a.service != "iam" || a.region != "" || !strings.HasPrefix(a.partition, "aws") || len(a.account) != 12 {
		return "", "", false
	}
	name, ok = strings.CutPrefix(a.resource, kind+"/")
	return a.account, name, ok && name != ""
}
