package names

import "testing"

func TestOfGivesTheSurfaceOfACloudName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host string
		want Surface
	}{
		{"sts.amazonaws.com", AWS},
		{"STS.us-east-1.amazonaws.com:443", AWS},
		{"sts-fips.us-gov-west-1.amazonaws.com", AWS},
		{"cognito-identity.eu-central-1.api.aws", AWS},
		{"cognito-identity.ap-southeast-2.amazonaws.com.", AWS},
		{"cognito-identity.amazonaws.com", CognitoDiscovery},
		{"graph.microsoft.com..:443", Graph},
		{"login.microsoftonline.com", Authority},
		{"westus2.login.microsoft.com", Authority},
		{"sts.windows.net", Authority},
		{"graph.microsoft.com:443", Graph},
		{"management.azure.com", ResourceManager},
		{"iam.amazonaws.com", AWS},
		{"iam.us-east-1.amazonaws.com", None},
		{"s3.amazonaws.com", S3},
		{"s3.eu-west-1.amazonaws.com", S3},
		{"s3-eu-west-1.amazonaws.com", S3},
		{"my.bucket.s3.eu-west-1.amazonaws.com", S3},
		{"bucket.s3.dualstack.eu-west-1.amazonaws.com", S3},
		{"s3.amazonaws.com.evil.example", None},
		{"-bad.s3.amazonaws.com", None},
		{"dynamodb.us-east-1.amazonaws.com", DynamoDB},
		{"dynamodb.amazonaws.com", None},
		{"123456789012.ddb.us-east-1.amazonaws.com", DynamoDB},
		{"0c0ffee0-0000-4000-8000-000000000000.tokens.sts.global.api.aws", AccountTokens},
		{"x.tokens.sts.global.api.aws", None},
		{"sts.us-east-1.amazonaws.com.evil.example", None},
		{"evilsts.amazonaws.com", None},
		{"sts.us-east-1.evil.amazonaws.com", None},
		{"a.b.login.microsoft.com", None},
		{"localhost", None},
		{"", None},
	} {
		if got := Of(c.host); got != c.want {
			t.Errorf("Of(%q) = %q, want %q", c.host, got, c.want)
		}
	}
}

func TestCloudKnowsWhatMustNotLeaveTheMachine(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"ec2.amazonaws.com": true, "s3.eu-west-1.amazonaws.com:443": true, "amazonaws.com": true,
		"dc.services.visualstudio.com": true, "portal.azure.com": true, "graph.windows.net": true,
		"169.254.169.254": true, "[fd00:ec2::254]:80": true, "::ffff:169.254.169.254": true, "168.63.129.16:80": true,
		"notamazonaws.com": false, "example.com": false, "localhost:8443": false, "10.0.0.1": false, "amazonaws.com.example": false,
	} {
		if got := Cloud(host); got != want {
			t.Errorf("Cloud(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestEveryAnsweredNameIsACloudName(t *testing.T) {
	t.Parallel()
	for _, n := range Examples("eu-west-1") {
		if Of(n) == None || !Cloud(n) {
			t.Errorf("%s: Of = %q, Cloud = %v", n, Of(n), Cloud(n))
		}
	}
}

func TestLoopbackIsOnlyThisMachine(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "a.localhost": true, "127.0.0.1:1": true, "127.9.9.9": true, "[::1]:8": true,
		"::ffff:127.0.0.1": true, "0.0.0.0": false, "10.0.0.1": false, "localhost.example": false, "": false,
	} {
		if got := Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %v, want %v", host, got, want)
		}
	}
}
