package policy

import "strings"

// ARN is the name of something in the cloud, taken apart ("Amazon Resource Names", AWS general reference).
// Region and Account may be empty; Resource may have colons and slashes.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN takes an ARN apart.
func ParseARN(s string) (ARN, bool) {
	cut, ok := cutARN(s)
	a := ARN{Partition: cut[1], Service: cut[2], Region: cut[3], Account: cut[4], Resource: cut[5]}
	return a, ok && a.Partition != "" && a.Service != "" && a.Resource != ""
}

func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// isEntity reports whether it is a user or a role.
func (a ARN) isEntity() bool {
	return a.Service == "iam" && (strings.HasPrefix(a.Resource, "user/") || strings.HasPrefix(a.Resource, "role/"))
}

// partitions are those of the SDKs' endpoint data. Which of them an account is in depends on its region,
// which a document does not say.
var partitions = map[string]bool{
	"aws": true, "aws-cn": true, "aws-us-gov": true, "aws-eusc": true,
	"aws-iso": true, "aws-iso-b": true, "aws-iso-e": true, "aws-iso-f": true,
}
