package policy

import "strings"

// Texts of IAM for resources that are not what they should be.
const (
	errNotARN       = `Resource %s must be in ARN format or "*".`
	errPartition    = `Partition "%s" is not valid for resource "arn:%s:%s".`
	errResource     = "Resource vendor must be fully qualified and cannot contain regexes."
	errIAMRegion    = "IAM resource %s cannot contain region information."
	errBucketRegion = "Resource %s can not contain region information."
	errIAMPath      = `IAM resource path must either be "*" or start with %s.`
)

// iamPaths are the beginnings of the names of IAM's resources, in the order of IAM's text. The text is older
// than the root as a resource, which sts:AssumeRoot has.
var iamPaths = []string{
	"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
	"sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
}

// regionalS3 are the beginnings of the names of S3's resources that have a region (service authorization
// reference, "Resource types defined by Amazon S3"); a pattern or a variable may stand for one.
var regionalS3 = []string{
	"accesspoint", "job/", "storage-lens", "access-grants", "async-request/", "*", "?", "${",
}

// isLegacyARN reports whether IAM's first parser refuses an ARN: its service is empty, or it is cut short
// after an empty segment. ARNs cut short elsewhere it takes.
func isLegacyARN(arn string) bool {
	segments := strings.Split(arn, ":")
	return len(segments) > 2 && segments[2] == "" || len(segments) < 6 && strings.Contains(arn, "::")
}

// resourceFormat words what is wrong with an entry of Resource.
func resourceFormat(r string) *Malformed {
	s := strings.SplitN(r, ":", 6)
	switch {
	case r == "*":
		return nil
	case len(s) == 1:
		return malformed(errNotARN, r)
	case !partitions[s[1]] && s[1] != "*": // CDK Pipelines and AWS's own policies write arn:*:
		return malformed(errPartition, s[1], s[1], padded(s[2:]))
	case s[0] != "arn":
		return malformed(errNotARN, r)
	case len(s) == 2 || !vendorForm.MatchString(s[2]):
		return malformed(errResource)
	case len(s) < 4:
		return nil
	case s[2] == "iam" && s[3] != "":
		return malformed(errIAMRegion, r)
	case s[2] == "s3" && s[3] != "" && !(len(s) == 6 && s[4] != "" && beginsWith(s[5], regionalS3)):
		return malformed(errBucketRegion, r)
	case s[2] == "iam" && len(s) == 6 && s[5] != "*" && s[5] != "root" && !beginsWith(s[5], iamPaths):
		return malformed(errIAMPath, strings.Join(iamPaths, ", "))
	}
	return nil
}

// padded shows the segments after the partition as IAM does: those that are missing are "*".
func padded(segments []string) string {
	if len(segments) == 1 && segments[0] == "" {
		segments = nil
	}
	for len(segments) < 4 {
		segments = append(segments[:len(segments):len(segments)], "*")
	}
	return strings.Join(segments, ":")
}

func beginsWith(s string, starts []string) bool {
	for _, start := range starts {
		if strings.HasPrefix(s, start) {
			return true
		}
	}
	return false
}
