package treatytest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/server/seed"
)

// The accounts of an AWS world: home is the twin's own, away another one, with a root key of its own.
const (
	home = "123456789012"
	away = "210987654321"
)

// awsWorld is a twin with two accounts and the short words by which attacks are written.
type awsWorld struct {
	*Treaty
	away aws.Config // the other account's root
	root aws.Config // this account's root, which does not try again
}

func newAWSWorld(t *testing.T) *awsWorld {
	t.Helper()
	id, err := credential.NewAccessKeyID(away, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := credential.NewSecretAccessKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	still := &wall{at: time.Now()} // a failed signature has keys read anew after ten seconds, and explain says so
	tt := Config{wall: still.now, Seed: seed.Document{Accounts: []seed.Account{{ID: away, Name: "away", AccessKeys: []seed.AccessKey{{ID: id, Secret: secret}}}}}}.New(t)
	if tt.AccountID != home {
		t.Fatalf("the account is %s", tt.AccountID)
	}
	tt.AWSConfig.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	return &awsWorld{Treaty: tt, root: tt.AWSConfig, away: tt.As(id, secret.Reveal(), "")}
}

func (w *awsWorld) iam(c aws.Config) *iam.Client { return iam.NewFromConfig(c) }
func (w *awsWorld) sts(c aws.Config) *sts.Client { return sts.NewFromConfig(c) }
func (w *awsWorld) pools(c aws.Config) *cognitoidentity.Client {
	return cognitoidentity.NewFromConfig(c)
}

// must ends the test when a preparation failed.
func (w *awsWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// temporary is the configuration of a session's keys.
func (w *awsWorld) temporary(id, secret, token *string) aws.Config {
	return w.As(aws.ToString(id), aws.ToString(secret), aws.ToString(token))
}

// assume takes a role and gives its configuration; a refusal ends the test.
func (w *awsWorld) assume(c aws.Config, role string, edit ...func(*sts.AssumeRoleInput)) aws.Config {
	w.t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("probe")}
	for _, e := range edit {
		e(in)
	}
	out, err := w.sts(c).AssumeRole(context.Background(), in)
	w.must(err)
	return w.temporary(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken)
}

// tryAssume is assume for attacks: only the outcome counts.
func (w *awsWorld) tryAssume(c aws.Config, role string, edit ...func(*sts.AssumeRoleInput)) func() error {
	return func() error {
		in := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("probe")}
		for _, e := range edit {
			e(in)
		}
		_, err := w.sts(c).AssumeRole(context.Background(), in)
		return err
	}
}

// attack is one thing that somebody tries, and what the cloud must say: "" lets it happen, "Code" refuses it
// with that code, "Code: text" in these words as well.
type attack struct {
	name, want string
	try        func() error
}

// withstand makes each attack. At least so many are wanted, so that none gets lost.
func withstand(t *testing.T, atLeast int, attacks []attack) {
	t.Helper()
	if len(attacks) < atLeast {
		t.Errorf("only %d attacks", len(attacks))
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			got := said(a.try())
			if a.want != got && (a.want == "" || strings.Contains(a.want, ": ") || !strings.HasPrefix(got, a.want+": ")) {
				t.Errorf("got  %s\nwant %s", cmpOr(got, "success"), cmpOr(a.want, "success"))
			}
		})
	}
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// said is what the cloud answered, "Code: text", or "" for success.
func said(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return "no answer of the cloud: " + err.Error()
}

// refused is an answer that is no success, read from its bytes.
type refused struct {
	Status        int
	Code, Message string
	ID            string
}

func (r *refused) Error() string                 { return r.Code + ": " + r.Message }
func (r *refused) ErrorCode() string             { return r.Code }
func (r *refused) ErrorMessage() string          { return r.Message }
func (r *refused) ErrorFault() smithy.ErrorFault { return smithy.FaultUnknown }

// send sends a request as it is and reads a refusal in either protocol. The body of a success goes to into.
func (w *awsWorld) send(req *http.Request, into any) error {
	w.t.Helper()
	res, err := w.HTTPClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return err
	}
	json11 := strings.Contains(res.Header.Get("Content-Type"), "json")
	if res.StatusCode == http.StatusOK {
		if into == nil {
			return nil
		}
		if json11 {
			return json.Unmarshal(b.Bytes(), into)
		}
		return xml.Unmarshal(b.Bytes(), into)
	}
	out := &refused{Status: res.StatusCode, ID: res.Header.Get("X-Amzn-Requestid")}
	if json11 {
		var body struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(b.Bytes(), &body); err != nil {
			return errors.New("not JSON: " + b.String())
		}
		out.Code, out.Message = body.Type, body.Message
		return out
	}
	var body struct {
		Error struct{ Type, Code, Message string }
	}
	if err := xml.Unmarshal(b.Bytes(), &body); err != nil || body.Error.Code == "" {
		return errors.New("neither XML nor JSON: " + res.Status + " " + b.String())
	}
	if want := map[bool]string{true: "Sender", false: "Receiver"}[res.StatusCode < 500]; body.Error.Type != want {
		return errors.New("the fault is the " + body.Error.Type + "'s with " + res.Status)
	}
	out.Code, out.Message = body.Error.Code, body.Error.Message
	return out
}

// form is the POST of a query service's form; nothing is signed.
func (w *awsWorld) form(host string, form url.Values) *http.Request {
	w.t.Helper()
	return w.formText(host, form.Encode())
}

// formText is form for bodies that are written by hand.
func (w *awsWorld) formText(host, body string) *http.Request {
	w.t.Helper()
	req, err := http.NewRequest("POST", "https://"+host+"/", strings.NewReader(body))
	w.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// sign signs a request with the body it will have, for a service and region, by the twin's own clock.
func (w *awsWorld) sign(c aws.Config, req *http.Request, body, service, region string) *http.Request {
	w.t.Helper()
	keys, err := c.Credentials.Retrieve(context.Background())
	w.must(err)
	sum := sha256.Sum256([]byte(body))
	w.must(v4.NewSigner().SignHTTP(context.Background(), keys, req, hex.EncodeToString(sum[:]), service, region, w.Now()))
	return req
}

// call signs and sends a form.
func (w *awsWorld) call(c aws.Config, service string, form url.Values) error {
	host := map[string]string{"sts": "sts.us-east-1.amazonaws.com", "iam": "iam.amazonaws.com"}[service]
	return w.send(w.sign(c, w.form(host, form), form.Encode(), service, "us-east-1"), nil)
}

// web asks for a role with a token, by bytes.
func (w *awsWorld) web(role, token string, more ...string) error {
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"probe"}, "WebIdentityToken": {token}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return w.send(w.form("sts.us-east-1.amazonaws.com", form), nil)
}

// identity asks who a configuration is, and gives the ARN.
func (w *awsWorld) identity(c aws.Config) (string, error) {
	out, err := w.sts(c).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Arn), nil
}

// doc is a policy of the statements given, each in JSON without its braces.
func doc(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[{` + strings.Join(statements, "},{") + `}]}`
}

// may is a policy that allows actions on a resource.
func may(action, resource string) string {
	return doc(`"Effect":"Allow","Action":` + raw(strings.Split(action, " ")) + `,"Resource":"` + resource + `"`)
}

// trusts is a trust policy that lets somebody with an ARN, or an account, in, with tags and a source identity.
func trusts(arn string) string {
	return doc(`"Effect":"Allow","Principal":{"AWS":"` + arn + `"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`)
}

// admits is a trust policy for tokens of a provider, with conditions.
func admits(provider, conditions string) string {
	return doc(`"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"],"Condition":` + conditions)
}
