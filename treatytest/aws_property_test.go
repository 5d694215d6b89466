package treatytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/server"
)

// draw is a source of chance that a failure can be repeated from.
type draw struct{ *rand.Rand }

func newDraw(t *testing.T) draw {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return draw{rand.New(rand.NewPCG(seed, 11))}
}

func pick[T any](d draw, of ...T) T { return of[d.IntN(len(of))] }

// question is a call that really is made, and what explain is asked for it.
type question struct {
	action, resource string
	context          map[string][]string
	call             func(c aws.Config) error
}

// TestExplainPolicyAgreesWithTheServer draws policies of users and roles and compares what explain says of a
// principal, an action and a resource with what the server answers to the signed call.
func TestExplainPolicyAgreesWithTheServer(t *testing.T) {
	t.Parallel()
	const rounds, calls = 24, 12
	w := newAWSWorld(t)
	d := newDraw(t)
	ctx := context.Background()
	user := w.AddUser("alice")
	role := w.AddRole("worker", trusts(home))
	w.must(w.ask(w.root, "TagUser", "UserName", "alice", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "red")())
	w.must(w.ask(w.root, "CreateRole", "RoleName", "deep", "Path", "/team/", "AssumeRolePolicyDocument", trusts(home), "Tags.member.1.Key", "team", "Tags.member.1.Value", "blue")())
	w.must(w.ask(w.root, "CreateGroup", "GroupName", "all")())
	w.must(w.ask(w.root, "AddUserToGroup", "GroupName", "all", "UserName", "alice")())
	broker := w.AddUser("broker", may("sts:AssumeRole", "*"))
	session := w.assume(broker, role)
	pool := w.AddPool("p", "my.dev.provider")
	boundary := w.customerPolicy(w.root, "boundary", may("*", "*"))
	managed := w.customerPolicy(w.root, "managed", may("iam:GetUser", "*"))
	w.must(w.ask(w.root, "AttachRolePolicy", "RoleName", "worker", "PolicyArn", managed)())
	at := "arn:aws:iam::" + home + ":"
	poolARN := "arn:aws:cognito-identity:us-east-1:" + home + ":identitypool/" + pool.ID
	questions := []question{
		{"iam:GetRole", at + "role/worker", nil, func(c aws.Config) error { return w.getRole(c, "worker")() }},
		{"iam:GetRole", at + "role/team/deep", map[string][]string{"aws:ResourceTag/team": {"blue"}, "iam:ResourceTag/team": {"blue"}}, func(c aws.Config) error { return w.getRole(c, "DEEP")() }},
		{"iam:GetUser", at + "user/alice", map[string][]string{"aws:ResourceTag/Team": {"red"}, "iam:ResourceTag/Team": {"red"}}, func(c aws.Config) error { return w.ask(c, "GetUser", "UserName", "Alice")() }},
		{"iam:ListUsers", at + "user/", nil, func(c aws.Config) error { return w.ask(c, "ListUsers")() }},
		{"iam:ListRoles", at + "role/team/", nil, func(c aws.Config) error { return w.ask(c, "ListRoles", "PathPrefix", "/team/")() }},
		{"iam:GetPolicy", managed, nil, func(c aws.Config) error { return w.ask(c, "GetPolicy", "PolicyArn", managed)() }},
		{"cognito-identity:ListIdentityPools", "*", nil, func(c aws.Config) error { return w.listPools(c)() }},
		{"cognito-identity:DescribeIdentityPool", poolARN, nil, func(c aws.Config) error { return w.describe(c, pool.ID)() }},
		{"sts:GetAccessKeyInfo", "*", nil, func(c aws.Config) error {
			_, err := w.sts(c).GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: aws.String(w.keysOf(user).AccessKeyID)})
			return err
		}},
	}
	allowed, denied := 0, 0
	for round := 0; round < rounds || (allowed < 10 || denied < 10) && round < 10*rounds; round++ { // more where the draw was narrow
		for _, put := range [][]string{
			{"PutUserPolicy", "UserName", "alice"}, {"PutGroupPolicy", "GroupName", "all"}, {"PutRolePolicy", "RoleName", "worker"},
		} {
			if d.IntN(3) > 0 {
				w.must(w.ask(w.root, put[0], append(put[1:], "PolicyName", "p", "PolicyDocument", d.policy(w.Now()))...)())
			}
		}
		w.must(w.newVersion(managed, d.policy(w.Now())))
		switch d.IntN(4) {
		case 0:
			w.must(w.newVersion(boundary, d.policy(w.Now())))
			w.must(w.ask(w.root, "PutUserPermissionsBoundary", "UserName", "alice", "PermissionsBoundary", boundary)())
			w.must(w.ask(w.root, "PutRolePermissionsBoundary", "RoleName", "worker", "PermissionsBoundary", boundary)())
		case 1:
			_ = w.ask(w.root, "DeleteUserPermissionsBoundary", "UserName", "alice")() // there may be none
			_ = w.ask(w.root, "DeleteRolePermissionsBoundary", "RoleName", "worker")()
		}
		for range calls {
			q := questions[d.IntN(len(questions))]
			c, who := user, at+"user/alice"
			if d.IntN(2) == 0 {
				c, who = session, "arn:aws:sts::"+home+":assumed-role/worker/probe"
			}
			keys := map[string][]string{"aws:RequestedRegion": {"us-east-1"}, "aws:SecureTransport": {"true"}, "aws:SourceIp": {"127.0.0.1"}, "aws:CurrentTime": {w.Now().UTC().Format(time.RFC3339)}, "aws:ViaAWSService": {"false"}}
			for k, v := range q.context {
				keys[k] = v
			}
			told, err := w.server.ExplainPolicy(ctx, server.PolicyQuestion{Principal: who, Action: q.action, Resource: q.resource, Context: keys})
			w.must(err)
			err = q.call(c)
			got := said(err)
			if strings.HasPrefix(got, "no answer") || err != nil && !strings.HasPrefix(got, "AccessDenied") {
				t.Fatalf("%s: %s", q.action, got)
			}
			if told.Pass != (err == nil) {
				t.Fatalf("%s %s %s: explain says %v, the server %s\n%s", who, q.action, q.resource, told.Pass, cmpOr(got, "success"), raw(told))
			}
			if err == nil {
				allowed++
				continue
			}
			denied++
			if _, because, ok := strings.Cut(told.Answer.Text, " on resource: "+q.resource); !ok || !strings.HasSuffix(got, because) {
				t.Fatalf("explain foretells %q, the server says %q", told.Answer.Text, got)
			}
			if kept := w.Explain(requestID(t, err)); kept.Pass || !strings.HasPrefix(kept.Answer.Code, "AccessDenied") {
				t.Fatalf("the refusal is kept as %+v", kept.Answer)
			}
		}
	}
	t.Logf("%d allowed, %d denied", allowed, denied)
	if allowed < 10 || denied < 10 {
		t.Error("the draw is too narrow to prove anything")
	}
}

// requestID is the id by which the cloud kept a refusal.
func requestID(t *testing.T, err error) string {
	t.Helper()
	var own *refused
	var with interface{ ServiceRequestID() string }
	switch {
	case errors.As(err, &own):
		return own.ID
	case errors.As(err, &with):
		return with.ServiceRequestID()
	}
	t.Fatalf("no request id: %v", err)
	return ""
}

// newVersion puts a managed policy's next version in force.
func (w *awsWorld) newVersion(arn, document string) error {
	ctx, c := context.Background(), w.iam(w.root)
	out, err := c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: &arn})
	if err != nil {
		return err
	}
	for _, v := range out.Versions {
		if v.IsDefaultVersion {
			continue
		}
		if _, err := c.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: v.VersionId}); err != nil {
			return err
		}
	}
	_, err = c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: &document, SetAsDefault: true})
	return err
}

// policy draws a policy of some statements, mostly about what is asked.
func (d draw) policy(now time.Time) string {
	list := make([]string, 1+d.IntN(3))
	for i := range list {
		effect := pick(d, "Allow", "Allow", "Allow", "Allow", "Allow", "Deny")
		action := pick(d, "Action", "Action", "Action", "Action", "NotAction")
		actions := []string{pick(d, "*", "iam:*", "iam:Get*", "IAM:getrole", "iam:List*", "iam:GetUse?", "cognito-identity:*", "cognito-identity:Describe*", "sts:*", "s3:*")}
		if d.IntN(3) == 0 {
			actions = append(actions, pick(d, "iam:GetPolicy", "sts:GetAccessKeyInfo", "cognito-identity:ListIdentityPools"))
		}
		resource := pick(d, "Resource", "Resource", "Resource", "Resource", "NotResource")
		resources := pick(d, "*", "*", "arn:aws:iam::*:role/*", "arn:aws:iam::"+home+":user/alice", "arn:aws:iam::"+home+":user/ALICE", "arn:aws:iam::"+home+":user/${aws:username}",
			"arn:aws:iam::"+home+":role/team/*", "arn:*:iam::"+home+":policy/*", "arn:aws:cognito-identity:*:*:identitypool/*", "arn:aws:iam::"+away+":*")
		s := fmt.Sprintf(`"Effect":%q,%q:%s,%q:%q`, effect, action, raw(actions), resource, resources)
		if d.IntN(2) == 0 {
			s += `,"Condition":` + d.condition(now)
		}
		list[i] = s
	}
	return doc(list...)
}

func (d draw) condition(now time.Time) string {
	return pick(d,
		`{"StringEquals":{"aws:PrincipalTag/team":"red"}}`, `{"StringEquals":{"AWS:PRINCIPALTAG/TEAM":["x","red"]}}`, `{"StringNotEquals":{"aws:PrincipalTag/team":"red"}}`,
		`{"StringEqualsIfExists":{"aws:username":"alice"}}`, `{"StringLike":{"aws:username":"al?ce"}}`, `{"Null":{"aws:username":"true"}}`, `{"Null":{"aws:TokenIssueTime":"false"}}`, `{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`,
		`{"StringEquals":{"aws:PrincipalType":["User","Nobody"]}}`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/w*"}}`, `{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::`+home+`:user/alice"}}`,
		`{"StringLike":{"aws:userid":"*:probe"}}`, `{"StringEquals":{"aws:PrincipalAccount":"`+home+`"}}`, `{"StringEquals":{"aws:ResourceAccount":"${aws:PrincipalAccount}"}}`,
		`{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}`, `{"StringEqualsIgnoreCase":{"iam:ResourceTag/Team":"BLUE"}}`,
		`{"Bool":{"aws:SecureTransport":"true"}}`, `{"Bool":{"aws:SecureTransport":"false"}}`, `{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}`, `{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","127.0.0.1"]}}`,
		`{"DateLessThan":{"aws:CurrentTime":"`+now.Add(time.Hour).UTC().Format(time.RFC3339)+`"}}`, `{"StringEquals":{"aws:RequestedRegion":["us-east-1","eu-west-1"]}}`,
		`{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}`, `{"ForAnyValue:StringEquals":{"aws:TagKeys":"a"}}`, `{"StringEquals":{"aws:PrincipalTag/team":"red"},"Bool":{"aws:SecureTransport":"true"}}`,
	)
}

// TestExplainRoleForetellsTheServer draws trust policies and tokens, and compares for each pair what explain
// foretells with what STS then answers, its code and text, and with what the audit keeps of it.
func TestExplainRoleForetellsTheServer(t *testing.T) {
	t.Parallel()
	const roles, tokens = 16, 20
	w := newWebWorld(t)
	d := newDraw(t)
	accepted, codes := 0, map[string]int{}
	for r := 0; r < roles || (accepted < 10 || len(codes) < 3) && r < 10*roles; r++ { // more where the draw was narrow
		trust := admits(w.good.arn, `{}`)
		if r > 0 {
			trust = d.trust(w)
		}
		role := w.AddRole("role"+raw(r), trust)
		for n := range tokens {
			token := d.token(w, role)
			if r == 0 && n == 0 {
				token = w.good.token(w.Now())
			}
			asked := role
			switch d.IntN(30) {
			case 0:
				asked += "x"
			case 1:
				asked = strings.Replace(role, home, away, 1)
			case 2:
				asked = strings.Replace(role, ":role/role", ":role/ROLE", 1)
			}
			told, err := w.server.ExplainRole(t.Context(), server.RoleQuestion{Role: asked, Token: token, Session: "test"})
			w.must(err)
			_, err = w.AssumeWithToken(asked, token)
			if told.Pass != (err == nil) {
				t.Fatalf("explain says %v, STS %s\n%s\n%s", told.Pass, said(err), trust, token)
			}
			if err == nil {
				accepted++
				continue
			}
			if want := told.Answer.Code + ": " + told.Answer.Text; want != said(err) {
				t.Fatalf("explain foretells %s, STS says %s\n%s\n%s", want, said(err), trust, token)
			}
			codes[told.Answer.Code]++
			kept := w.Explain(requestID(t, err))
			if kept.Pass || kept.Answer.Code != told.Answer.Code || len(kept.Sections) != len(told.Sections) || kept.Change != told.Change {
				t.Fatalf("kept as %s\nforetold as %s", raw(kept), raw(told))
			}
			for i, s := range kept.Sections {
				if f := told.Sections[i]; s.Title != f.Title || s.Pass != f.Pass || len(s.Checks) != len(f.Checks) {
					t.Fatalf("kept as %s\nforetold as %s", raw(s), raw(f))
				}
			}
		}
	}
	t.Logf("%d accepted, refused by code: %v", accepted, codes)
	if accepted < 10 || len(codes) < 3 {
		t.Error("the draw is too narrow to prove anything")
	}
}

// trust draws a trust policy.
func (d draw) trust(w *webWorld) string {
	list := make([]string, 1+d.IntN(2))
	for i := range list {
		principal := pick(d, `{"Federated":"`+w.good.arn+`"}`, `{"Federated":"`+w.good.arn+`"}`, `{"Federated":"`+w.good.arn+`"}`, `{"Federated":["`+w.evil.arn+`","`+w.good.arn+`"]}`, `{"AWS":"*"}`, `{"AWS":"`+home+`"}`)
		action := pick(d, `"sts:AssumeRoleWithWebIdentity"`, `["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`, `"sts:*"`, `"sts:AssumeRole*"`, `"sts:AssumeRole"`)
		s := `"Effect":"` + pick(d, "Allow", "Allow", "Allow", "Deny") + `","Principal":` + principal + `,"Action":` + action
		if d.IntN(4) > 0 {
			p := w.good.name
			s += `,"Condition":` + pick(d,
				`{"StringEquals":{"`+p+`:sub":"user"}}`, `{"StringEquals":{"`+p+`:sub":["user","User"],"`+p+`:aud":"app"}}`, `{"StringLike":{"`+p+`:sub":"us*"}}`, `{"StringNotEquals":{"`+p+`:sub":"user"}}`,
				`{"StringEqualsIfExists":{"`+p+`:email":"a@b"}}`, `{"ForAnyValue:StringEquals":{"`+p+`:amr":["mfa","pwd"]}}`, `{"ForAllValues:StringEquals":{"`+p+`:amr":"mfa"}}`, `{"StringEquals":{"`+p+`:amr":"mfa"}}`,
				`{"StringEquals":{"aws:RequestTag/team":"red"}}`, `{"Null":{"aws:TagKeys":"true"}}`, `{"StringLike":{"sts:RoleSessionName":"*t"}}`, `{"StringEquals":{"`+p+`:oaud":"second"}}`)
		}
		list[i] = s
	}
	return doc(list...)
}

// token draws a token that is mostly right.
func (d draw) token(w *webWorld, role string) string {
	now := w.Now()
	claims := m{"sub": pick(d, "user", "user", "user", "User", "us", "", "user "), "aud": pick[any](d, "app", "app", "app", "app", "app", "second", "other", []string{"app"}, []string{"app", "second"})}
	for _, change := range []struct {
		one int
		do  func()
	}{
		{4, func() { claims["amr"] = pick(d, []string{"mfa"}, []string{"mfa", "pwd"}, []string{}) }},
		{8, func() { claims["azp"] = pick[any](d, "app", "app", "evil", "", nil, []string{"app"}) }},
		{12, func() { claims["exp"] = now.Add(-time.Duration(d.IntN(20)) * time.Minute).Unix() }},
		{12, func() { claims["nbf"] = now.Add(time.Duration(d.IntN(20)) * time.Minute).Unix() }},
		{12, func() {
			claims["iss"] = pick(d, w.evil.issuer, w.good.issuer+"/", strings.ToUpper(w.good.issuer), w.good.name)
		}},
		{6, func() {
			claims["https://aws.amazon.com/tags"] = m{"principal_tags": pick(d, m{"team": []string{"red"}}, m{"team": []string{"blue"}}, m{"team": "red"}, m{"aws:x": []string{"y"}})}
		}},
		{10, func() {
			claims["https://aws.amazon.com/roles"] = pick[any](d, role, []string{role, "x"}, []string{"x"}, "")
		}},
		{16, func() { claims["https://aws.amazon.com/source_identity"] = pick(d, "ann", "aws:ann") }},
		{12, func() { claims["email"] = pick(d, "a@b", "c@d") }},
	} {
		if d.IntN(change.one) == 0 {
			change.do()
		}
	}
	all := w.good.claims(now, claims)
	if d.IntN(14) == 0 {
		delete(all, pick(d, "iss", "sub", "aud", "exp", "iat"))
	}
	header := with(m{"alg": "RS256", "kid": "k1"})
	if d.IntN(14) == 0 {
		header = with(header, pick(d, m{"alg": "none"}, m{"alg": "HS256"}, m{"alg": "PS256"}, m{"kid": "k2"}, m{"kid": nil}, m{"crit": []string{"x"}}))
	}
	by := w.good
	if d.IntN(14) == 0 {
		by = w.evil
	}
	token := by.sign(header, all)
	if d.IntN(20) == 0 {
		token = token[:len(token)-2-d.IntN(40)]
	}
	return token
}
