package main

import (
	"slices"
	"strings"

	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/names"
)

// variable is one environment variable; an empty Value with Unset takes it away.
type variable struct {
	Name  string
	Value string
	Unset bool
}

// variables sends unmodified tools to a server: through its proxy under the clouds' own names, or, with
// endpoints, to its address. environ is the environment that they would have.
func variables(s folder.Server, c folder.Credentials, endpoints bool, getenv func(string) string, environ []string) []variable {
	set := func(list []variable, pairs ...string) []variable {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, variable{Name: pairs[i], Value: pairs[i+1]})
		}
		return list
	}
	var out []variable
	if endpoints {
		out = endpointVariables(s)
	} else {
		keep := noProxy(getenv("NO_PROXY"), getenv("no_proxy"))
		out = set(out, "HTTPS_PROXY", s.Proxy, "https_proxy", s.Proxy, "NO_PROXY", keep, "no_proxy", keep,
			"NODE_USE_ENV_PROXY", "1") // Node 22.21 and 24 on look at HTTPS_PROXY only when told
		out = append(out, elsewhere(environ)...)
	}
	out = set(out,
		"AWS_CA_BUNDLE", s.CABundle, "SSL_CERT_FILE", s.CABundle, "REQUESTS_CA_BUNDLE", s.CABundle, "CURL_CA_BUNDLE", s.CABundle,
		"NODE_EXTRA_CA_CERTS", s.CA, // adds to Node's own list, so ours alone is enough
		"AWS_ACCESS_KEY_ID", c.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY", c.AWS.SecretAccessKey,
		"AWS_REGION", s.Region, "AWS_DEFAULT_REGION", s.Region,
		"AZURE_TENANT_ID", c.Azure.TenantID, "AZURE_CLIENT_ID", c.Azure.ClientID, "AZURE_CLIENT_SECRET", c.Azure.ClientSecret,
		"AZURE_SUBSCRIPTION_ID", c.Azure.SubscriptionID,
	)
	return append(out, unset(
		// What would take precedence over the keys above, or lead elsewhere.
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID",
		"AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_USERNAME", "AZURE_PASSWORD",
		"AZURE_TOKEN_CREDENTIALS",
	)...)
}

// endpointVariables names the server's address. Where there is a plain listener, AWS's tools get that.
func endpointVariables(s folder.Server) (out []variable) {
	base := s.URL
	if s.PublicURL != "" {
		base = s.PublicURL
	}
	aws := base
	if s.HTTP != "" {
		aws = s.HTTP
	}
	for _, v := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_COGNITO_IDENTITY"} {
		out = append(out, variable{Name: v, Value: aws})
	}
	return append(out, variable{Name: "AZURE_AUTHORITY_HOST", Value: base})
}

// elsewhere are the variables, to be unset, by which a tool would ask another address than the cloud's own
// name, or come with another credential: those that SDKs and az read, and of those that name a service, or
// that Terraform reads, the ones that environ has.
func elsewhere(environ []string) []variable {
	out := unset(
		"AWS_ENDPOINT_URL", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AZURE_AUTHORITY_HOST", "AZURE_REGIONAL_AUTHORITY_NAME", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "ARM_CLOUD_METADATA_URL",
		"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET",
	)
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL_") || strings.HasPrefix(name, "AWS_BEARER_TOKEN_") || slices.Contains(terraform, name) {
			out = append(out, variable{Name: name, Unset: true})
		}
	}
	return out
}

// isolated adds what keeps a command away from the user's own logins and from the real clouds.
func isolated(list []variable, s folder.Server) []variable {
	for _, p := range [][2]string{
		{"HTTP_PROXY", s.Proxy}, {"http_proxy", s.Proxy}, // instance metadata is plain http
		{"AZURE_CONFIG_DIR", s.AzureFolder},
		{"AWS_CONFIG_FILE", s.AWSFolder + "/config"},
		{"AWS_SHARED_CREDENTIALS_FILE", s.AWSFolder + "/credentials"},
		{"AWS_EC2_METADATA_DISABLED", "true"},
		{"AZURE_CORE_COLLECT_TELEMETRY", "0"},
		{"AZURE_CORE_SURVEY_MESSAGE", "0"},
		{"AZURE_CORE_ERROR_RECOMMENDATION", "off"}, // asks a service of Microsoft's what a failed command meant
	} {
		list = append(list, variable{Name: p[0], Value: p[1]})
	}
	return list
}

// terraform are the variables by which Terraform's azurerm and azuread providers sign in, and find a cloud
// (their "Argument Reference"); they come before az's login.
var terraform = []string{
	"ARM_CLIENT_ID", "ARM_CLIENT_ID_FILE_PATH", "ARM_CLIENT_SECRET", "ARM_CLIENT_SECRET_FILE_PATH", "ARM_CLIENT_CERTIFICATE",
	"ARM_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_CERTIFICATE_PASSWORD", "ARM_TENANT_ID", "ARM_SUBSCRIPTION_ID", "ARM_AUXILIARY_TENANT_IDS",
	"ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_OIDC_REQUEST_TOKEN", "ARM_OIDC_REQUEST_URL", "ARM_MSI_ENDPOINT",
	"ARM_OIDC_AZURE_SERVICE_CONNECTION_ID", "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
	"ARM_USE_OIDC", "ARM_USE_MSI", "ARM_USE_CLI", "ARM_USE_AKS_WORKLOAD_IDENTITY",
	"ARM_METADATA_HOSTNAME", "ARM_METADATA_HOST", "ARM_ENVIRONMENT", "ARM_ACCESS_KEY", "ARM_SAS_TOKEN",
}

func unset(list ...string) (out []variable) {
	for _, n := range list {
		out = append(out, variable{Name: n, Unset: true})
	}
	return out
}

// noProxy keeps the user's exceptions that cover no cloud's name, and adds loopback.
func noProxy(lists ...string) string {
	keep := []string{"localhost", "127.0.0.1", "::1"}
	for _, list := range lists {
		for e := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			if !coversCloud(e) && !slices.Contains(keep, e) {
				keep = append(keep, e)
			}
		}
	}
	return strings.Join(keep, ",")
}

// coversCloud reports whether an exception ("*", ".com", "*.azure.com", "sts.amazonaws.com:443") would send
// requests for a cloud's name past the proxy.
func coversCloud(exception string) bool {
	e := strings.TrimLeft(names.Host(exception), "*.")
	if e == "" || names.Cloud(e) {
		return true
	}
	return slices.ContainsFunc(names.Families(), func(f string) bool { return strings.HasSuffix(f, "."+e) })
}

// apply lays variables over an environment.
func apply(environ []string, list []variable) []string {
	changed := map[string]bool{}
	for _, v := range list {
		changed[v.Name] = true
	}
	out := slices.DeleteFunc(slices.Clone(environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return changed[name]
	})
	for _, v := range list {
		if !v.Unset {
			out = append(out, v.Name+"="+v.Value)
		}
	}
	return out
}
