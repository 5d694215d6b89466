package policy

import "testing"

func TestTrustPoliciesMalformed(t *testing.T) {
	checkMalformed(t, Trust, []malformedCase{
		// recorded
		{"no JSON", `{{`, "This policy contains invalid Json"},
		{"a comma too many", `{"Effect":"Allow",,"Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`, "This policy contains invalid Json"},
		{"data after the end", `{{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}}`, "This policy contains invalid Json"},
		{"a resource", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Resource":"*"}`, "Has prohibited field Resource"},
		{"a policy of permissions", `{"Effect":"Allow","Action":"cognito-idp:CreateIdentityProvider","Resource":"*"}`, "Has prohibited field Resource"},
		{"a resource in the second statement before all else", `[{"Effect":"Allow","Action":"sts:AssumeRole"},{"Effect":"Allow","Resource":"*"}]`, "Has prohibited field Resource"},
		{"the bare star", `{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`, `AssumeRolepolicy contained an invalid principal: "STAR":"*".`},
		{"a malformed OIDC provider", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam//818719120165:oidc-provider/x"},"Action":"sts:AssumeRoleWithWebIdentity"}`, "Federated principals must be valid domain names or SAML metadata ARNs"},
		{"an empty federated principal", `{"Effect":"Allow","Principal":{"Federated":""},"Action":"sts:AssumeRoleWithWebIdentity"}`, "Federated principals must be valid domain names or SAML metadata ARNs"},
		{"a group", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:group/dev"},"Action":"sts:AssumeRole"}`, `Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:group/dev"`},
		{"a short account", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::12345678910:role/Orchestration_Role"},"Action":"sts:AssumeRole"}`, `Invalid principal in policy: "AWS":"arn:aws:iam::12345678910:role/Orchestration_Role"`},
		{"a service of no domain of AWS", `{"Effect":"Allow","Principal":{"Service":"eks.example.org"},"Action":"sts:AssumeRole"}`, `Invalid principal in policy: "SERVICE":"eks.example.org"`},
		{"an action of another service", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject"}`, "AssumeRole policy may only specify STS AssumeRole actions."},
		{"all actions", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*"}`, "AssumeRole policy may only specify STS AssumeRole actions."},
		{"one of two actions of another service", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","iam:PassRole"]}`, "AssumeRole policy may only specify STS AssumeRole actions."},
		{"an unknown field", `{{"version":"2012-10-17","statement":[]}`, "Unknown field version"},
		{"an unknown field alone", `{{"probe":"malformed-not-a-trust-policy"}`, "Unknown field probe"},
		// reported by others who compared, not recorded here
		{"a wildcard within an ARN", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/*"},"Action":"sts:AssumeRole"}`, anyText},
		{"a question mark within an ARN", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/a?"},"Action":"sts:AssumeRole"}`, anyText},
		{"any session of a role", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/R/*"},"Action":"sts:AssumeRole"}`, anyText},
		{"a role of any account", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::*:role/R"},"Action":"sts:AssumeRole"}`, anyText},
		{"an account of eleven digits", `{"Effect":"Allow","Principal":{"AWS":"12345678901"},"Action":"sts:AssumeRole"}`, `Invalid principal in policy: "AWS":"12345678901"`},
		{"a role without name", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/"},"Action":"sts:AssumeRole"}`, anyText},
		{"a role with region", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam:us-east-1:123456789012:role/R"},"Action":"sts:AssumeRole"}`, anyText},
		{"root of something", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root/x"},"Action":"sts:AssumeRole"}`, anyText},
		{"a role of STS", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:role/R"},"Action":"sts:AssumeRole"}`, anyText},
		{"a session without name", `{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/R"},"Action":"sts:AssumeRole"}`, anyText},
		{"a user of an unknown partition", `{"Effect":"Allow","Principal":{"AWS":"arn:aws2:iam::123456789012:user/u"},"Action":"sts:AssumeRole"}`, anyText},
		{"the id of an access key", `{"Effect":"Allow","Principal":{"AWS":"AKIAIOSFODNN7EXAMPLE"},"Action":"sts:AssumeRole"}`, anyText},
		{"an empty AWS principal", `{"Effect":"Allow","Principal":{"AWS":""},"Action":"sts:AssumeRole"}`, anyText},
		{"one bad principal of three", `{"Effect":"Allow","Principal":{"AWS":["123456789012","x","*"]},"Action":"sts:AssumeRole"}`, `Invalid principal in policy: "AWS":"x"`},
		{"all services", `{"Effect":"Allow","Principal":{"Service":"*"},"Action":"sts:AssumeRole"}`, anyText},
		{"a service with a wildcard", `{"Effect":"Allow","Principal":{"Service":"*.amazonaws.com"},"Action":"sts:AssumeRole"}`, anyText},
		{"all federations", `{"Effect":"Allow","Principal":{"Federated":"*"},"Action":"sts:AssumeRoleWithSAML"}`, anyText},
		{"a federation by URL", `{"Effect":"Allow","Principal":{"Federated":"https://idp.example.org"},"Action":"sts:AssumeRoleWithWebIdentity"}`, anyText},
		{"a federation that is a role", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:role/R"},"Action":"sts:AssumeRoleWithWebIdentity"}`, anyText},
		{"a provider with a wildcard", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/*"},"Action":"sts:AssumeRoleWithWebIdentity"}`, anyText},
		{"a SAML provider without name", `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:saml-provider/"},"Action":"sts:AssumeRoleWithSAML"}`, anyText},
		{"a canonical user", `{"Effect":"Allow","Principal":{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},"Action":"sts:AssumeRole"}`, anyText},
		{"an unknown type of principal", `{"Effect":"Allow","Principal":{"Group":"x"},"Action":"sts:AssumeRole"}`, anyText},
		{"a type of principal in other case", `{"Effect":"Allow","Principal":{"aws":"*"},"Action":"sts:AssumeRole"}`, anyText},
		{"a principal that is a string", `{"Effect":"Allow","Principal":"123456789012","Action":"sts:AssumeRole"}`, anyText},
		{"a principal that is a list", `{"Effect":"Allow","Principal":["*"],"Action":"sts:AssumeRole"}`, anyText},
		{"a principal null", `{"Effect":"Allow","Principal":null,"Action":"sts:AssumeRole"}`, anyText},
		{"a principal that is a number", `{"Effect":"Allow","Principal":{"AWS":123456789012},"Action":"sts:AssumeRole"}`, anyText},
		{"no principal", `{"Effect":"Allow","Action":"sts:AssumeRole"}`, anyText},
		{"an empty principal", `{"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"}`, anyText},
		{"an empty list of principals", `{"Effect":"Allow","Principal":{"AWS":[]},"Action":"sts:AssumeRole"}`, anyText},
		{"Allow with NotPrincipal", `{"Effect":"Allow","NotPrincipal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`, anyText},
		{"Principal and NotPrincipal", `{"Effect":"Deny","Principal":{"AWS":"*"},"NotPrincipal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`, anyText},
		{"a bare star excepted", `{"Effect":"Deny","NotPrincipal":"*","Action":"sts:AssumeRole"}`, anyText},
		{"NotResource", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","NotResource":"*"}`, anyText},
		{"no action", `{"Effect":"Allow","Principal":{"AWS":"*"}}`, anyText},
		{"an empty list of actions", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":[]}`, anyText},
		{"an action of STS without name", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:"}`, anyText},
		{"an action with two colons", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:a:b"}`, anyText},
		{"no effect", `{"Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`, anyText},
		{"an effect in other case", `{"Effect":"allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`, anyText},
		{"no statement", `{{"Version":"2012-10-17"}`, anyText},
		{"no statements", `[]`, anyText},
		{"a statement that is a number", `7`, anyText},
		{"an unknown version", `{{"Version":"2020-01-01","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`, anyText},
		{"a Sid twice", `[{"Sid":"A","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"},{"Sid":"A","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:TagSession"}]`, anyText},
		{"an unknown operator", `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringMatches":{"sts:ExternalId":"x"}}}`, anyText},
		{"a name twice", `{"Effect":"Allow","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`, anyText},
		{"a list at the top", `{[]`, anyText},
	})
}

func TestTrustPoliciesAccepted(t *testing.T) {
	for name, body := range map[string]string{
		"an account by number":       `{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`,
		"an account by root":         `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}`,
		"everybody":                  `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`,
		"a user with path":           `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/a/b/c@d"},"Action":"sts:AssumeRole"}`,
		"a role of Identity Center":  `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/us-east-1/AWSReservedSSO_X_0123456789abcdef"},"Action":"sts:AssumeRole"}`,
		"a session":                  `{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/R/a@b.c"},"Action":"sts:AssumeRole"}`,
		"a federated user":           `{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:federated-user/bob"},"Action":"sts:AssumeRole"}`,
		"a deleted role":             `{"Effect":"Allow","Principal":{"AWS":"AROAQAAAAAAAIRGDIPJIY"},"Action":"sts:AssumeRole"}`,
		"a deleted user":             `{"Effect":"Allow","Principal":{"AWS":["AIDAQAAAAAAAIRGDIPJIY"]},"Action":"sts:AssumeRole"}`,
		"China":                      `{"Effect":"Allow","Principal":{"AWS":"arn:aws-cn:iam::123456789012:root"},"Action":"sts:AssumeRole"}`,
		"services":                   `{"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com","ec2.amazonaws.com.cn","member.org.stacksets.cloudformation.amazonaws.com"]},"Action":"sts:AssumeRole"}`,
		"an OIDC provider with path": `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/login.microsoftonline.com/9f1c/v2.0"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"login.microsoftonline.com/9f1c/v2.0:aud":"api://x"}}}`,
		"an OIDC provider that ends with a slash": `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/sts.windows.net/9f1c/"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]}`,
		"a SAML provider":                         `{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:saml-provider/Entra.ID-1_x"},"Action":"sts:AssumeRoleWithSAML","Condition":{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}`,
		"built-in providers":                      `{"Effect":"Allow","Principal":{"Federated":["cognito-identity.amazonaws.com","accounts.google.com","graph.facebook.com","www.amazon.com"]},"Action":"sts:AssumeRoleWithWebIdentity"}`,
		"all of STS":                              `{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:*"}`,
		"another case":                            `{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"STS:assumerole"}`,
		"NotAction":                               `{"Effect":"Deny","Principal":{"AWS":"*"},"NotAction":"sts:AssumeRole"}`,
		"Deny with NotPrincipal":                  `{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::123456789012:role/R"]},"Action":"sts:AssumeRole"}`,
		"a Sid in words":                          `{"Sid":"allow the pipeline","Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`,
		"no version":                              `{{"Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}}`,
		"several types":                           `{"Effect":"Allow","Principal":{"AWS":"123456789012","Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`,
		"an empty condition":                      `{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole","Condition":{}}`,
		"two empty Sids":                          `[{"Sid":"","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"},{"Sid":"","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:TagSession"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse(" \n\t"+document(body)+"\n", Trust); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestResourcePoliciesMalformed(t *testing.T) {
	checkMalformed(t, Resource, []malformedCase{
		{"a brace alone", `{{`, "This policy contains invalid Json"},
		{"no JSON", `{{x}`, "This policy contains invalid Json"},
		{"no statement", `{{"Version":"2012-10-17"}`, "Missing required field Statement"},
		{"no statements", `[]`, "Could not parse the policy: Statement is empty!"},
		{"an unknown version", `{{"Version":"2020-01-01","Statement":[]}`, "The policy must contain a valid version string"},
		{"an invalid effect", `{"Effect":"invalid_effect","Principal":"*","Action":"s3:*","Resource":"*"}`, "Invalid effect: invalid_effect"},
		{"no principal", `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`, "Missing required field Principal"},
		{"an empty principal", `{"Effect":"Allow","Principal":{},"Action":"s3:*","Resource":"*"}`, "Missing required field Principal cannot be empty!"},
		{"an account too short", `{"Effect":"Allow","Principal":{"AWS":"123"},"Action":"s3:*","Resource":"*"}`, "Invalid principal in policy"},
		{"a federation that is no domain", `{"Effect":"Allow","Principal":{"Federated":"x"},"Action":"s3:*","Resource":"*"}`, "Invalid principal in policy"},
		{"a service that is none", `{"Effect":"Allow","Principal":{"Service":"x"},"Action":"s3:*","Resource":"*"}`, "Invalid principal in policy"},
		{"a canonical user too short", `{"Effect":"Allow","Principal":{"CanonicalUser":"79a5"},"Action":"s3:*","Resource":"*"}`, "Invalid principal in policy"},
		{"no action", `{"Effect":"Allow","Principal":"*","Resource":"*"}`, "Missing required field Action"},
		{"an action without vendor", `{"Effect":"Allow","Principal":"*","Action":"GetObject","Resource":"*"}`, "Policy has invalid action"},
		{"an action without name", `{"Effect":"Allow","Principal":"*","Action":"s3:","Resource":"*"}`, "Policy has invalid action"},
		{"an action with two colons", `{"Effect":"Allow","Principal":"*","Action":"s3:a:b","Resource":"*"}`, "Policy has invalid action"},
		{"no resource", `{"Effect":"Allow","Principal":"*","Action":"s3:*"}`, "Missing required field Resource"},
		{"a resource that is no ARN", `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"bucket"}`, "Policy has invalid resource"},
		{"a resource of any vendor", `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:*:::b"}`, "Policy has invalid resource"},
		{"an unknown operator", `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"NotARealOperator":{"aws:SourceIp":"1.2.3.4/32"}}}`, "Invalid Condition type : NotARealOperator"},
		{"an unknown field", `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","condition":{}}`, "Unknown field condition"},
		{"a name twice", `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Resource":"*"}`, anyText},
		{"a Sid twice", `[{"Sid":"A","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"},{"Sid":"A","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]`, "The Statement Ids in the policy are not unique"},
		{"a principal that is a string", `{"Effect":"Allow","Principal":"123456789012","Action":"s3:*","Resource":"*"}`, anyText},
		{"an unknown type of principal", `{"Effect":"Allow","Principal":{"Group":"x"},"Action":"s3:*","Resource":"*"}`, anyText},
	})
	for _, text := range []string{"", "x", "[]", ` {"Statement":[]}`} {
		if _, err := Parse(text, Resource); err == nil || err.Error() != "Policies must be valid JSON and the first byte must be '{'" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestResourcePoliciesAccepted(t *testing.T) {
	for name, body := range map[string]string{
		"everybody":               `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`,
		"everybody of AWS":        `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:Get*","s3:List?ucket"],"Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`,
		"a canonical user":        `{"Effect":"Allow","Principal":{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},"Action":"s3:*","Resource":"arn:aws:s3:::b"}`,
		"CloudFront":              `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`,
		"Deny with NotPrincipal":  `{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},"NotAction":"s3:GetObject","NotResource":"arn:aws:s3:::b/public/*"}`,
		"Allow with NotPrincipal": `{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"*","Resource":"*"}`,
		"a federation":            `{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`,
		"a table":                 `{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"dynamodb:GetItem","Resource":"arn:aws:dynamodb:us-east-1:123456789012:table/t"}`,
		"a Sid in words":          `{"Sid":"public read","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse(document(body), Resource); err != nil {
				t.Error(err)
			}
		})
	}
}
