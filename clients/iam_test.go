package clients

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// same compares members of a decoded object, by names that may have dots, with what they must be.
func same(t *testing.T, what string, got object, want map[string]any) {
	t.Helper()
	for name, w := range want {
		g, _ := json.Marshal(got[name])
		x, _ := json.Marshal(w)
		if !bytes.Equal(g, x) {
			t.Errorf("%s: %s is %s, want %s", what, name, g, x)
		}
	}
}

// boto3 makes, lists, tags, versions and deletes what IAM has, and gets its errors as classes.
func TestIAMByBoto3(t *testing.T) {
	t.Parallel()
	need(t, boto3)
	n := unique("boto")
	out := must[object](t, shared, nil, "/usr/bin/env", "NAME="+n, python, "testdata/iam.py")
	policy := arnIAM + "policy/" + n + "/" + n + "-p"
	same(t, "boto3", out, map[string]any{
		"pages": []any{[]any{3, true, true}, []any{3, true, true}, []any{1, false, false}}, "listed": []string{"0", "1", "2", "3", "4", "5", "6"},
		"in a list": []any{"number 0", 7200, true, false}, "max items": []any{4, true},
		"waiter": "Waiter UserExists failed: Max attempts exceeded. Previously accepted state: Matched expected service error code: NoSuchEntity",
		"tags":   []any{[]string{"cost", ""}, []string{"team", "blue"}}, "untagged": []object{{"Key": "cost", "Value": ""}},
		"inline": true, "inline names": []string{"Inline"},
		"policy": object{"Arn": policy, "DefaultVersionId": "v1", "AttachmentCount": 0, "IsAttachable": true, "Path": "/" + n + "/"},
		"v2":     []any{"v2", false}, "v3": []any{"v3", true}, "v5": []any{"v5", false}, "versions": []string{"v5", "v4", "v3", "v2", "v1"},
		"document": object{"Version": "2012-10-17", "Statement": []object{{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}}},
		"entities": []any{[]string{n + "-0"}, []any{}, []any{}}, "attached": []any{1, "of a test", 2},
		"user": []any{arnIAM + "user/" + n + "/" + n + "-u", "AIDA", 21}, "group": []any{arnIAM + "group/" + n + "/" + n + "-g", "AGPA"},
		"members": []string{n + "-u"}, "groups": []string{n + "-g"}, "keys": []any{true, []string{"Active", "Active"}, false},
		"renamed": []any{true, []string{n + "-v"}}, "left": 0,
	})
	refused, _ := out["errors"].(object)
	same(t, "refusals", refused, iamRefusals(n, policy))
}

// iamRefusals are the class, code, message, status and type of what boto3 is refused.
func iamRefusals(n, policy string) map[string]any {
	missing := func(message string) any {
		return []any{"NoSuchEntityException", "NoSuchEntity", message, 404, "Sender"}
	}
	exists := func(message string) any {
		return []any{"EntityAlreadyExistsException", "EntityAlreadyExists", message, 409, "Sender"}
	}
	conflict := func(message string) any {
		return []any{"DeleteConflictException", "DeleteConflict", message, 409, "Sender"}
	}
	limit := func(message string) any {
		return []any{"LimitExceededException", "LimitExceeded", message, 409, "Sender"}
	}
	malformed := func(message string) any {
		return []any{"MalformedPolicyDocumentException", "MalformedPolicyDocument", message, 400, "Sender"}
	}
	invalid := func(message string) any { return []any{"ClientError", "ValidationError", message, 400, "Sender"} }
	return map[string]any{
		"tag prefix":      []any{"InvalidInputException", "InvalidInput", "Tag keys beginning with aws: are reserved for system use.", 400, "Sender"},
		"six versions":    limit("A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."),
		"default version": conflict("Cannot delete the default version of a policy."),
		"no version":      missing("Policy " + policy + " version v9 does not exist or is not attachable."),
		"attached policy": conflict("Cannot delete a policy attached to entities."),
		"no role":         missing("The role with name " + n + "-none cannot be found."),
		"no user":         missing("The user with name " + n + "-none cannot be found."),
		"role twice":      exists("Role with name " + strings.ToUpper(n) + "-0 already exists."),
		"policy twice":    exists("A policy called " + n + "-p already exists. Duplicate names are not allowed."),
		"no JSON":         malformed("Syntax errors in policy."),
		"no vendor":       malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
		"principal":       malformed("Policy document should not specify a principal."),
		"no principal":    malformed(`Invalid principal in policy: "AWS":"` + arnIAM + "user/" + n + `-none"`),
		"bad ARN":         invalid("Invalid ARN:  Could not be parsed!"),
		"no policy":       missing("Policy arn:aws:iam::aws:policy/NoSuchPolicyAtAll does not exist or is not attachable."),
		"role in use":     conflict("Cannot delete entity, must detach all policies first."),
		"path":            invalid(`1 validation error detected: Value 'team' at 'path' failed to satisfy constraint: Member must satisfy regular expression pattern: (\u002F)|(\u002F[\u0021-\u007E]+\u002F)`),
		"eleven policies": limit("Cannot exceed quota for PoliciesPerRole: 10"),
		"three keys":      limit("Cannot exceed quota for AccessKeysPerUser: 2"),
		"user in use":     conflict("Cannot delete entity, must remove referenced objects first."),
		"group in use":    conflict("Cannot delete entity, must remove users from group first."),
	}
}

// A user's key does what policies, groups, boundary and second factor let it, and nothing once it is off.
func TestUsersKeysByBoto3(t *testing.T) {
	t.Parallel()
	need(t, boto3)
	n := unique("keys")
	out := must[object](t, shared, nil, "/usr/bin/env", "NAME="+n, "OTHER_ID="+other.id, "OTHER_SECRET="+other.secret, python, "testdata/iam_keys.py")
	me := arnIAM + "user/" + n
	refused := func(code, message string) any { return []any{code, message} }
	off := refused("InvalidClientTokenId", "The security token included in the request is invalid.")
	listRoles := "User: " + me + " is not authorized to perform: iam:ListRoles on resource: " + arnIAM + "role/ "
	same(t, "boto3", out, map[string]any{
		"who": true, "nothing": refused("AccessDenied", denied(me, "iam:GetUser", "user "+n)), "itself": true,
		"another":                 refused("AccessDenied", denied(me, "iam:GetUser", "user "+n+"-none")),
		"before the group":        refused("AccessDenied", denied(me, "iam:ListRoles", arnIAM+"role/")),
		"by the group":            true,
		"outside of the boundary": refused("AccessDenied", listRoles+"because no permissions boundary allows the iam:ListRoles action"),
		"boundary":                object{"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"},
		"denied":                  refused("AccessDenied", listRoles+"with an explicit deny in an identity-based policy"),
		"simulated": []any{
			[]any{"iam:GetUser", "allowed", []string{"user_" + n + "_self"}}, []any{"iam:ListRoles", "explicitDeny", []string{"user_" + n + "_never"}},
			[]any{"s3:GetObject", "implicitDeny", []string{}},
		},
		"custom":   []any{"implicitDeny", []string{"aws:RequestedRegion"}},
		"inactive": off, "active again": true, "deleted": off, "last used": []any{true, "sts", "us-east-1"},
		"codes in the wrong order": refused("InvalidAuthenticationCode", "Authentication code for device is not valid."),
		"devices":                  []bool{true},
		"without a second factor":  refused("AccessDenied", denied(me, "iam:ListUsers", arnIAM+"user/")),
		"a wrong code":             refused("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."),
		"with a second factor":     true,
		"the same code again":      refused("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."),
		"session":                  true, "IAM by a session without a second factor": off,
		"a session of a session":      refused("AccessDenied", "Cannot call GetSessionToken with session credentials"),
		"a device in use":             refused("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first."),
		"aliases":                     []bool{true, false},
		"an alias of another account": refused("EntityAlreadyExists", "The account alias "+n+" already exists."),
		"details":                     true,
	})
	wants(t, "account summary", out, map[string]any{"summary.0": 1, "summary.1": 5000, "summary.2": 1000, "summary.3": 2})
}

// The aws command line makes a user whose key signs, and whose policy it shows, simulates and enforces.
func TestIAMByTheCommandLine(t *testing.T) {
	t.Parallel()
	n := unique("cli")
	var root caller
	ann := user(t, root, n, allows(arnIAM+"role/"+n+"-*", "iam:GetRole", "iam:CreateRole"))
	ann.is(t, arnIAM+"user/"+n)
	roleARN := role(t, ann, n+"-r", trusts(arnIAM+"root"))
	root.do(t, "iam", "wait", "role-exists", "--role-name", n+"-r")
	ann.fails(t, "AccessDenied", denied(arnIAM+"user/"+n, "iam:CreateRole", arnIAM+"role/x"+n), "iam", "create-role", "--role-name", "x"+n, "--assume-role-policy-document", trusts(arnIAM+"root"))
	ann.fails(t, "AccessDenied", denied(arnIAM+"user/"+n, "iam:DeleteRole", "role "+n+"-r"), "iam", "delete-role", "--role-name", n+"-r")
	wants(t, "simulate-principal-policy", root.do(t, "iam", "simulate-principal-policy", "--policy-source-arn", arnIAM+"user/"+n, "--action-names", "iam:GetRole", "iam:DeleteRole", "--resource-arns", roleARN), map[string]any{
		"EvaluationResults.0.EvalDecision": "allowed", "EvaluationResults.0.MatchedStatements.0.StartPosition.Line": 1, "EvaluationResults.1.EvalDecision": "implicitDeny",
	})
	// The documents are decoded by the client: the service sends them percent-encoded.
	wants(t, "get-user-policy", root.do(t, "iam", "get-user-policy", "--user-name", n, "--policy-name", "p0"), map[string]any{
		"PolicyDocument.Statement.0.Resource": arnIAM + "role/" + n + "-*",
	})
	root.fails(t, "DeleteConflict", "Cannot delete entity, must delete policies first.", "iam", "delete-user", "--user-name", n)
	root.do(t, "iam", "delete-user-policy", "--user-name", n, "--policy-name", "p0")
	ann.fails(t, "AccessDenied", denied(arnIAM+"user/"+n, "iam:GetRole", "role "+n+"-r"), "iam", "get-role", "--role-name", n+"-r")
	root.do(t, "iam", "update-access-key", "--user-name", n, "--access-key-id", ann.id, "--status", "Inactive")
	ann.fails(t, "InvalidClientTokenId", "The security token included in the request is invalid.", "sts", "get-caller-identity")
}
