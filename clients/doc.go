// Package clients holds the tests by clients that nobody here wrote: the aws CLI, boto3, az, MSAL for
// Python, azidentity and MSAL for Go, @azure/identity and the AWS SDKs, and at issuers outside both clouds
// go-oidc, x/oauth2, Authlib, kubectl and the libraries of GitHub, Kubernetes and Google, and OpenTofu with
// Terraform's AWS provider, unmodified, against a real `treaty serve` process and through its proxy, under
// the clouds' and the issuers' own names.
//
// Each test asserts on decoded content. There is no code here but tests.
package clients
