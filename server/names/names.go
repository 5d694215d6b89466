// Package names knows the clouds' own host names: which of them a server answers in twin mode and with
// which surface, and which belong to a cloud at all.
//
// It owns the two tables and nothing else. The proxy asks it what to answer, what to refuse and what to
// tunnel; the local authority asks it which certificates it may issue; routing asks it for the surface.
// Sources: AWS endpoint rules of the services' own models (sts, cognito-identity: regional, FIPS and
// dual-stack names); Microsoft's instance discovery document for the authority's aliases.
package names

import (
	"net/netip"
	"regexp"
	"strings"
)

// Surface is a part of Treaty that answers requests.
type Surface string

// The surfaces. None means that no surface answers the name.
const (
	None             Surface = ""
	AWS              Surface = "aws"               // the AWS operation dispatcher
	CognitoDiscovery Surface = "cognito-discovery" // issuer documents of identity pools
	AccountTokens    Surface = "account-tokens"    // issuer documents of the tokens that STS signs for accounts
	S3               Surface = "s3"                // Amazon S3
	DynamoDB         Surface = "dynamodb"          // Amazon DynamoDB
	Authority        Surface = "authority"         // Entra's authority and token service
	Graph            Surface = "graph"             // Microsoft Graph
	ResourceManager  Surface = "arm"               // Azure Resource Manager
	ManagedIdentity  Surface = "managed-identity"  // where machines of Azure get their identities' tokens
	Issuers          Surface = "idp"               // issuers outside both clouds, by their own host names
	IssuersByName    Surface = "idp-by-name"       // the same, by their names here
)

// maxName is the longest host name (RFC 1035 section 2.3.4, without the final dot).
const maxName = 253

// platform are the addresses at which the clouds answer their own machines: instance metadata of EC2 and
// Azure, credentials of ECS tasks and EKS pods, and Azure's platform address.
var platform = map[string]bool{
	"169.254.169.254": true, "fd00:ec2::254": true,
	"169.254.170.2": true, "169.254.170.23": true, "fd00:ec2::23": true,
	"168.63.129.16": true,
}

// metadata are the names of the service that tells a machine of Azure or Google about itself, over plain
// http (Microsoft, "Azure Instance Metadata Service"; Google, "About VM metadata").
var metadata = map[string]bool{"169.254.169.254": true, "metadata.google.internal": true, "metadata": true}

// exact lists the names that stand for one host.
var exact = map[string]Surface{
	"sts.amazonaws.com":              AWS, // global endpoint, signs as us-east-1
	"iam.amazonaws.com":              AWS,
	"iam-fips.amazonaws.com":         AWS,
	"iam.global.api.aws":             AWS,
	"cognito-identity.amazonaws.com": CognitoDiscovery,
	"s3.amazonaws.com":               S3,
	"login.microsoftonline.com":      Authority,
	"login.windows.net":              Authority,
	"login.microsoft.com":            Authority,
	"sts.windows.net":                Authority,
	"graph.microsoft.com":            Graph,
	"management.azure.com":           ResourceManager,
}

// regional are names with a region, a bucket or an account's issuer in them.
var regional = []struct {
	pattern *regexp.Regexp
	surface Surface
}{
	{regexp.MustCompile(`^(?:sts|cognito-identity)(?:-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-[0-9])\.(?:amazonaws\.com|api\.aws)$`), AWS},
	{regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tokens\.sts\.global\.api\.aws$`), AccountTokens},
	{regexp.MustCompile(`^(?:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2,4}(?:-[a-z]+)+-[0-9])?\.amazonaws\.com$`), S3},
	{regexp.MustCompile(`^dynamodb(?:-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-[0-9])\.(?:amazonaws\.com|api\.aws)$`), DynamoDB},
	{regexp.MustCompile(`^[0-9]{12}\.ddb(?:-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-[0-9])\.amazonaws\.com$`), DynamoDB}, // account-based endpoints
	{regexp.MustCompile(`^[a-z][a-z0-9]{1,30}\.login\.microsoft\.com$`), Authority},                              // AZURE_REGIONAL_AUTHORITY_NAME
}

// families are the domains that belong to a cloud: a name in one of them that no surface answers is
// refused, so that nothing meant for a cloud leaves the machine.
var families = []string{
	"amazonaws.com", "amazonaws.com.cn", "api.aws", "amazoncognito.com", "awsapps.com", "aws.amazon.com",
	"signin.aws", "on.aws", "app.aws", "amazonaws.eu", "api.amazonwebservices.com.cn", "aws.dev",
	"microsoftonline.com", "microsoftonline.us", "microsoftonline.de", "microsoftonline.cn", "microsoftonline-p.com",
	"microsoft.com", "microsoft.us", "windows.net", "azure.com", "azure.net", "azure.us", "azure.cn", "azure-api.net",
	"b2clogin.com", "ciamlogin.com", "onmicrosoft.com", "msidentity.com", "msauth.net", "msftauth.net", "live.com",
	"office.com", "office.net", "office365.com", "visualstudio.com", "aka.ms", "azureedge.net", "azurefd.net",
	"azurewebsites.net", "cloudapp.net", "chinacloudapi.cn", "usgovcloudapi.net", "applicationinsights.io",
	"sovcloud-identity.fr", "sovcloud-identity.de", "sovcloud-identity.sg",
}

// Host lowers a name and takes off a port, brackets and final dots.
func Host(hostport string) string {
	h := hostport
	if strings.HasPrefix(h, "[") {
		if i := strings.IndexByte(h, ']'); i > 0 {
			return strings.ToLower(h[1:i])
		}
	}
	if strings.Count(h, ":") == 1 {
		h, _, _ = strings.Cut(h, ":")
	}
	return strings.ToLower(strings.TrimRight(h, "."))
}

// Of gives the surface that answers a cloud's host name (a port is ignored), None for any other.
func Of(hostport string) Surface {
	h := Host(hostport)
	if len(h) > maxName {
		return None
	}
	if s, ok := exact[h]; ok {
		return s
	}
	for _, r := range regional {
		if r.pattern.MatchString(h) {
			return r.surface
		}
	}
	return None
}

// Cloud reports whether a name or address belongs to one of the clouds, answered here or not.
func Cloud(hostport string) bool {
	h := Host(hostport)
	for _, f := range families {
		if h == f || len(h) > len(f) && h[len(h)-len(f)-1] == '.' && strings.HasSuffix(h, f) {
			return true
		}
	}
	a, err := netip.ParseAddr(h)
	if err != nil {
		return false
	}
	return platform[a.Unmap().String()]
}

// Metadata reports whether a name or address is that of a machine's own metadata service.
func Metadata(hostport string) bool { return metadata[Host(hostport)] }

// Loopback reports whether a name or address can only be this machine.
func Loopback(hostport string) bool {
	h := Host(hostport)
	if h == "localhost" || strings.HasSuffix(h, ".localhost") { // RFC 6761 section 6.3
		return true
	}
	a, err := netip.ParseAddr(h)
	return err == nil && a.Unmap().IsLoopback()
}

// Families lists the clouds' domains.
func Families() []string { return append([]string(nil), families...) }

// Examples lists one name of each kind that a server answers, in a region, for people to read.
func Examples(region string) []string {
	return []string{
		"sts.amazonaws.com", "sts." + region + ".amazonaws.com",
		"iam.amazonaws.com", "cognito-identity.amazonaws.com", "cognito-identity." + region + ".amazonaws.com",
		"s3." + region + ".amazonaws.com", "dynamodb." + region + ".amazonaws.com",
		"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net",
		"graph.microsoft.com", "management.azure.com",
	}
}
