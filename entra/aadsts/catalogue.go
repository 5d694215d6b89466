package aadsts

// The codes that the surfaces answer with. Texts are those of the catalogue below.
const (
	UnknownInstance         Code = 50049
	TenantNotFound          Code = 90002
	TenantMalformed         Code = 900023
	NoTenant                Code = 50059
	ParameterMissing        Code = 900144 // the parameter
	FieldMissing            Code = 90014  // the claim
	RequestMalformed        Code = 9002313
	PostOnly                Code = 900561 // the method
	GrantUnsupported        Code = 70003  // the grant type
	GrantNotShared          Code = 9001023
	ResponseTypeUnsupported Code = 70005   // the response type
	NotMultiTenant          Code = 50194   // appId, display name
	ApplicationNotFound     Code = 700016  // appId, directory
	ApplicationInvalid      Code = 700038  // appId
	PrincipalMissing        Code = 7000229 // appId, tenant id
	ApplicationDisabled     Code = 7000112 // appId, display name
	SecretInvalid           Code = 7000215 // appId
	SecretExpired           Code = 7000222 // appId
	CredentialRequired      Code = 7000216 // the grant type
	CredentialParameter     Code = 7000218
	ClientPublic            Code = 700025
	AssertionClientMismatch Code = 700021
	AssertionAudience       Code = 700023
	AssertionTime           Code = 700024 // now, valid from, expiry
	AssertionKey            Code = 700027 // sentence, reasons
	AssertionMalformed      Code = 50027
	AlgorithmUnsupported    Code = 5002738 // the algorithm, the supported ones
	ThumbprintMissing       Code = 5002723
	ResourceNotFound        Code = 500011  // resource, directory
	ResourceDisabled        Code = 500014  // resource
	ScopeInvalid            Code = 70011   // scope
	ScopeNotDefault         Code = 1002012 // scope
	RoleNotAssigned         Code = 501051  // appId, name, resource, its name
	FederatedNone           Code = 70025
	FederatedIssuer         Code = 700211  // issuer
	FederatedAudience       Code = 700212  // audience
	FederatedSubject        Code = 700213  // subject
	FederatedSubjectCase    Code = 7002138 // subject
	FederatedExpression     Code = 7002131 // subject
	FederatedExpressionOf   Code = 7002241 // issuer
	FederatedAppToken       Code = 700226
	FederatedOwnAudience    Code = 700227
	FederatedUserToken      Code = 700229
	FederatedTenant         Code = 700236 // issuer
	FederatedDiscovery      Code = 90061
	TokenIssuanceError      Code = 50000
	ServiceUnavailable      Code = 90033
)

const (
	credentialsPage = "https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials"
	federationPage  = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
	federationHint  = "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. " + federationPage
	wrongTenant     = "This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. "
)

type row struct {
	oauth    string
	text     string // {} are holes
	page     bool   // the body has error_uri
	suberror string
}

// catalogue holds texts in their newest recorded form. Numbers and errors: Microsoft, "Microsoft Entra
// authentication and authorization error codes"; texts and the presence of error_uri: bodies recorded in
// the tests of MSAL .NET (MockHelpers), Azure/kubelogin and issues of Azure/login and
// Azure/azure-workload-identity. 70025, 90033, 50000 and the 70022x family are known by meaning or quotation only.
var catalogue = map[Code]row{
	UnknownInstance: {oauth: "invalid_instance", page: true, text: "Unknown or invalid instance."},
	TenantNotFound: {oauth: "invalid_request", page: true,
		text: "Tenant '{}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."},
	TenantMalformed: {oauth: "invalid_request", page: true,
		text: "Specified tenant identifier '{}' is neither a valid DNS name, nor a valid external domain."},
	NoTenant: {oauth: "invalid_request", page: true,
		text: "No tenant-identifying information found in either the request or implied by any provided credentials."},
	ParameterMissing: {oauth: "invalid_request", page: true, text: "The request body must contain the following parameter: '{}'."},
	FieldMissing: {oauth: "invalid_request", page: true,
		text: "The required field '{}' is missing from the credential. Ensure that you have all the necessary parameters for the login request."},
	RequestMalformed: {oauth: "invalid_request", page: true, text: "Invalid request. Request is malformed or invalid."},
	PostOnly:         {oauth: "invalid_request", page: true, text: "The endpoint only accepts POST requests. Received a {} request."},
	GrantUnsupported: {oauth: "unsupported_grant_type", text: "The app requested an unsupported grant type '{}'."},
	GrantNotShared: {oauth: "invalid_request", page: true,
		text: "The grant type isn't supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint."},
	ResponseTypeUnsupported: {oauth: "unsupported_response_type", page: true,
		text: "The app returned an unsupported response type '{}'."},
	NotMultiTenant: {oauth: "invalid_request", page: true,
		text: "Application '{}'({}) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such applications created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant."},
	ApplicationNotFound: {oauth: "unauthorized_client", page: true,
		text: "Application with identifier '{}' was not found in the directory '{}'. " + wrongTenant + "You may have sent your authentication request to the wrong tenant."},
	ApplicationInvalid: {oauth: "unauthorized_client", text: "{} is not a valid application identifier."},
	PrincipalMissing: {oauth: "invalid_client", page: true,
		text: "The client application {} is missing service principal in the tenant {}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119"},
	ApplicationDisabled: {oauth: "unauthorized_client", page: true, text: "Application '{}'({}) is disabled."},
	SecretInvalid: {oauth: "invalid_client", page: true,
		text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{}'."},
	SecretExpired: {oauth: "invalid_client", page: true,
		text: "The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."},
	CredentialRequired: {oauth: "invalid_client", page: true,
		text: "'client_assertion', 'client_secret' or 'request' is required for the '{}' grant type."},
	CredentialParameter: {oauth: "invalid_client", page: true,
		text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."},
	ClientPublic: {oauth: "invalid_client", page: true,
		text: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."},
	AssertionClientMismatch: {oauth: "invalid_client", page: true,
		text: "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at " + credentialsPage + " ."},
	AssertionAudience: {oauth: "invalid_client", page: true,
		text: "Client assertion audience claim does not match Realm issuer. Review the documentation at " + credentialsPage + " ."},
	AssertionTime: {oauth: "invalid_client", page: true,
		text: "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of assertion {}. Review the documentation at " + credentialsPage + " ."},
	AssertionKey:       {oauth: "invalid_client", page: true, text: "{} [Reason - {}]."},
	AssertionMalformed: {oauth: "invalid_request", page: true, text: "JWT token is invalid or malformed."},
	AlgorithmUnsupported: {oauth: "invalid_client", page: true,
		text: "Invalid JWT token. '{}' is not a supported signature algorithm. Supported signing algorithms are: '{}'"},
	ThumbprintMissing: {oauth: "invalid_client", page: true,
		text: "Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId specified in token header."},
	ResourceNotFound: {oauth: "invalid_resource", page: true,
		text: "The resource principal named {} was not found in the tenant named {}. " + wrongTenant + "You might have sent your authentication request to the wrong tenant."},
	ResourceDisabled: {oauth: "invalid_resource", page: true,
		text: "The service principal for resource '{}' is disabled. This indicate that a subscription within the tenant has lapsed, or that the administrator for this tenant has disabled the application, preventing tokens from being issued for it."},
	ScopeInvalid: {oauth: "invalid_scope",
		text: "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {} is not valid."},
	ScopeNotDefault: {oauth: "invalid_scope",
		text: "The provided value for scope {} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."},
	RoleNotAssigned: {oauth: "invalid_grant", page: true,
		text: "Application '{}'({}) is not assigned to a role for the application '{}'({})."},

	FederatedNone: {oauth: "invalid_client", page: true,
		text: "The client application has no configured federated identity credentials."},
	FederatedIssuer: {oauth: "invalid_client", page: true,
		text: "No matching federated identity record found for presented assertion issuer '{}'. " + federationHint},
	FederatedAudience: {oauth: "invalid_client", page: true,
		text: "No matching federated identity record found for presented assertion audience '{}'. " + federationHint},
	FederatedSubject: {oauth: "invalid_client", page: true,
		text: "No matching federated identity record found for presented assertion subject '{}'. " + federationHint},
	FederatedSubjectCase: {oauth: "invalid_client", page: true,
		text: "No matching federated identity record found for presented assertion subject '{}'. The subject matches with case-insensitive comparison, but not with case-sensitive comparison. " + federationHint},
	FederatedExpression: {oauth: "invalid_client", page: true,
		text: "No matching federated identity record found for presented assertion subject '{}' or no federated identity credential expression matched. Please check your federated identity credential Subject, Expression, Audience and Issuer against the presented assertion. " + federationPage},
	FederatedExpressionOf: {oauth: "invalid_client", page: true, text: "Issuer '{}' may not use credentials matching via expression."},
	FederatedAppToken: {oauth: "invalid_client", page: true,
		text: "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer."},
	FederatedOwnAudience: {oauth: "invalid_client", page: true, text: "Forbidden token audience."},
	FederatedUserToken: {oauth: "invalid_client", page: true,
		text: "Forbidden token type. Only app-only tokens may be used as Federated Identity Credentials for AAD issuer."},
	FederatedTenant: {oauth: "invalid_client", page: true,
		text: "Entra ID tokens issued by issuer '{}' may not be used for federated identity credential flows for applications or managed identities registered in this tenant."},
	FederatedDiscovery: {oauth: "invalid_request", text: "Request to External OIDC endpoint failed."},

	TokenIssuanceError: {oauth: "server_error", text: "There was an error issuing a token or an issue with our sign-in service."},
	ServiceUnavailable: {oauth: "temporarily_unavailable", text: "A transient error has occurred. Please try again."},
}
