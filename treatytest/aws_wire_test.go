package treatytest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	stsHost, iamHost, poolHost = "sts.us-east-1.amazonaws.com", "iam.amazonaws.com", "cognito-identity.us-east-1.amazonaws.com"
	whoAmI                     = "Action=GetCallerIdentity&Version=2011-06-15"
	mismatch                   = "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)

// answered names the operation whose answer comes back.
type answered struct{ XMLName xml.Name }

func (w *awsWorld) operation(req *http.Request) (string, error) {
	var a answered
	err := w.send(req, &a)
	return strings.TrimSuffix(a.XMLName.Local, "Response"), err
}

// signed is a signed form for sts.
func (w *awsWorld) signed(body string, edit ...func(*http.Request)) *http.Request {
	req := w.formText(stsHost, body)
	for _, e := range edit {
		e(req)
	}
	return w.sign(w.root, req, body, "sts", "us-east-1")
}

// presign is a presigned GET of sts.
func (w *awsWorld) presign(c aws.Config, query string, at time.Time) *http.Request {
	w.t.Helper()
	req, err := http.NewRequest("GET", "https://"+stsHost+"/?"+query, nil)
	w.must(err)
	empty := sha256.Sum256(nil)
	address, headers, err := v4.NewSigner().PresignHTTP(context.Background(), w.keysOf(c), req, hex.EncodeToString(empty[:]), "sts", "us-east-1", at)
	w.must(err)
	out, err := http.NewRequest("GET", address, nil)
	w.must(err)
	for name, v := range headers {
		if name != "Host" {
			out.Header[name] = v
		}
	}
	return out
}

// json11 is a call of cognito-identity, unsigned.
func (w *awsWorld) json11(target, body string) *http.Request {
	w.t.Helper()
	req, err := http.NewRequest("POST", "https://"+poolHost+"/", strings.NewReader(body))
	w.must(err)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	if target != "" {
		req.Header.Set("X-Amz-Target", target)
	}
	return req
}

func TestWhatIsSignedIsWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	now := w.Now()
	send := func(req func() *http.Request) func() error { return func() error { return w.send(req(), nil) } }
	after := func(edit func(*http.Request)) func() error {
		return func() error {
			req := w.signed(whoAmI)
			edit(req)
			return w.send(req, nil)
		}
	}
	header := func(change func(string) string) func() error {
		return after(func(r *http.Request) { r.Header.Set("Authorization", change(r.Header.Get("Authorization"))) })
	}
	swap := func(old, with string) func() error {
		return header(func(s string) string { return strings.Replace(s, old, with, 1) })
	}
	body := func(s string) func(*http.Request) {
		return func(r *http.Request) {
			fresh := w.formText(stsHost, s)
			r.Body, r.ContentLength, r.GetBody = fresh.Body, fresh.ContentLength, nil
		}
	}
	scoped := func(service, region, host, form string) func() error {
		return send(func() *http.Request { return w.sign(w.root, w.formText(host, form), form, service, region) })
	}
	at := func(d time.Duration) func() error {
		return func() error {
			req := w.formText(stsHost, whoAmI)
			sum := sha256.Sum256([]byte(whoAmI))
			w.must(v4.NewSigner().SignHTTP(context.Background(), w.keysOf(w.root), req, hex.EncodeToString(sum[:]), "sts", "us-east-1", now.Add(d)))
			return w.send(req, nil)
		}
	}
	stamp := func(d time.Duration) string { return now.Add(d).UTC().Format("20060102T150405Z") }
	day := now.UTC().Format("20060102")
	listUsers := "Action=ListUsers&Version=2010-05-08"
	withstand(t, 40, []attack{
		{"a signed call", "", send(func() *http.Request { return w.signed(whoAmI) })},
		{"not signed", "MissingAuthenticationToken: Request is missing Authentication Token", send(func() *http.Request { return w.formText(stsHost, whoAmI) })},
		{"another body", mismatch, after(body("Action=GetSessionToken&Version=2011-06-15"))},
		{"another method", mismatch, after(func(r *http.Request) { r.Method, r.URL.RawQuery = "GET", whoAmI })},
		{"a query that was not signed", mismatch, after(func(r *http.Request) { r.URL.RawQuery = "Action=GetSessionToken" })},
		{"another path", mismatch, after(func(r *http.Request) { r.URL.Path = "/x" })},
		{"another host", mismatch, after(func(r *http.Request) { r.Host = "sts.amazonaws.com" })},
		{"another signed header's value", mismatch, after(func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=x") })},
		{"a second value of a signed header", mismatch, after(func(r *http.Request) { r.Header.Add("Content-Type", "application/x-www-form-urlencoded") })},
		{"a body that says it is not signed", mismatch, func() error {
			req := w.formText(stsHost, whoAmI)
			req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			w.must(v4.NewSigner().SignHTTP(context.Background(), w.keysOf(w.root), req, "UNSIGNED-PAYLOAD", "sts", "us-east-1", now))
			return w.send(req, nil)
		}},
		{"a header that nobody signed", "", after(func(r *http.Request) { r.Header.Set("X-Extra", "1") })},
		{"a target that nobody signed", "InvalidSignatureException", after(func(r *http.Request) { r.Header.Set("X-Amz-Target", "AWSCognitoIdentityService.ListIdentityPools") })},
		{"a session token that nobody signed", "SignatureDoesNotMatch: 'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.", after(func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") })},
		{"another date", "SignatureDoesNotMatch", after(func(r *http.Request) { r.Header.Set("X-Amz-Date", stamp(time.Minute)) })},
		{"signed 15 minutes and a second ago", "SignatureDoesNotMatch: Signature expired: " + stamp(-901*time.Second) + " is now earlier than " + stamp(-15*time.Minute) + " (" + stamp(0) + " - 15 min.)", at(-901 * time.Second)},
		{"signed 15 minutes ago", "", at(-15 * time.Minute)},
		{"signed in 16 minutes", "SignatureDoesNotMatch: Signature not yet current: " + stamp(16*time.Minute) + " is still later than " + stamp(15*time.Minute) + " (" + stamp(0) + " + 15 min.)", at(16 * time.Minute)},
		{"for another service", "SignatureDoesNotMatch: Credential should be scoped to correct service: 'sts'.", scoped("iam", "us-east-1", stsHost, whoAmI)},
		{"a signature for sts on IAM's operation", "SignatureDoesNotMatch: Credential should be scoped to correct service: 'iam'.", scoped("sts", "us-east-1", iamHost, listUsers)},
		{"at the host of sts as well", "SignatureDoesNotMatch: Credential should be scoped to correct service: 'iam'.", scoped("sts", "us-east-1", stsHost, listUsers)},
		{"for another region", "SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'eu-west-1'.", scoped("sts", "eu-west-1", stsHost, whoAmI)},
		{"IAM for another region", "SignatureDoesNotMatch: Credential should be scoped to a valid region, not 'eu-west-1'.", scoped("iam", "eu-west-1", iamHost, listUsers)},
		{"for a region that is none", "SignatureDoesNotMatch", scoped("sts", "us-east-1.evil", stsHost, whoAmI)},
		{"another terminator", "SignatureDoesNotMatch", swap("/aws4_request", "/aws5_request")},
		{"another day in the scope", "SignatureDoesNotMatch", swap(day+"/", "20010101/")},
		{"four parts of a credential", "IncompleteSignature", swap("/aws4_request", "")},
		{"another algorithm", "IncompleteSignature: Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'.", swap("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")},
		{"the asymmetric algorithm", "IncompleteSignature", swap("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")},
		{"the older scheme", "MissingAuthenticationToken", swap("AWS4-HMAC-SHA256", "AWS3-HTTPS")},
		{"no signature", "IncompleteSignature", header(func(s string) string { return s[:strings.Index(s, ", Signature=")] })},
		{"an empty signature", "IncompleteSignature", header(func(s string) string { return s[:strings.Index(s, "Signature=")+10] })},
		{"half a signature", mismatch, header(func(s string) string { return s[:len(s)-32] })},
		{"a signature in capitals", mismatch, header(func(s string) string {
			i := strings.Index(s, "Signature=") + 10
			return s[:i] + strings.ToUpper(s[i:])
		})},
		{"a second signature behind the first: the last counts", mismatch, header(func(s string) string { return s + ", Signature=" + strings.Repeat("0", 64) })},
		{"two authorisations", "IncompleteSignature", after(func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) })},
		{"no host among the signed headers", "SignatureDoesNotMatch: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.", swap(";host", "")},
		{"no date among the signed headers", "SignatureDoesNotMatch: 'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.", swap(";x-amz-date", "")},
		{"ten thousand signed headers", "IncompleteSignature", header(func(s string) string {
			return strings.Replace(s, "SignedHeaders=", "SignedHeaders="+strings.Repeat("a;", 3000), 1)
		})},
		{"presigned", "", send(func() *http.Request { return w.presign(w.root, whoAmI, now) })},
		{"presigned, and again", "", send(func() *http.Request { return w.presign(w.root, whoAmI, now) })},
		{"presigned for one action and used for another", mismatch, func() error {
			req := w.presign(w.root, whoAmI, now)
			req.URL.RawQuery = strings.Replace(req.URL.RawQuery, "GetCallerIdentity", "GetSessionToken", 1)
			return w.send(req, nil)
		}},
		{"presigned with an action more", mismatch, func() error {
			req := w.presign(w.root, whoAmI, now)
			req.URL.RawQuery += "&Action=GetSessionToken"
			return w.send(req, nil)
		}},
		{"presigned with an action in the body", mismatch, func() error {
			req := w.presign(w.root, whoAmI, now)
			req.Method = "POST"
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			body("Action=GetSessionToken&Version=2011-06-15")(req)
			return w.send(req, nil)
		}},
		{"presigned with a target", "InvalidSignatureException", func() error {
			req := w.presign(w.root, whoAmI, now)
			req.Method = "POST"
			req.Header.Set("X-Amz-Target", "AWSCognitoIdentityService.ListIdentityPools")
			return w.send(req, nil)
		}},
		{"presigned and signed", "IncompleteSignature", func() error {
			req := w.presign(w.root, whoAmI, now)
			req.Header.Set("Authorization", w.signed(whoAmI).Header.Get("Authorization"))
			return w.send(req, nil)
		}},
		{"presigned 16 minutes ago, however long it says it is good for", "SignatureDoesNotMatch", send(func() *http.Request {
			return w.presign(w.root, whoAmI+"&X-Amz-Expires=604800", now.Add(-16*time.Minute))
		})},
		{"presigned for longer than a week", "IncompleteSignature", send(func() *http.Request {
			return w.presign(w.root, whoAmI+"&X-Amz-Expires=604801", now)
		})},
		{"presigned for less than no time", "IncompleteSignature", send(func() *http.Request { return w.presign(w.root, whoAmI+"&X-Amz-Expires=-1", now) })},
		{"JSON: signed six minutes ago", "InvalidSignatureException", func() error {
			req := w.json11("AWSCognitoIdentityService.ListIdentityPools", `{"MaxResults":1}`)
			sum := sha256.Sum256([]byte(`{"MaxResults":1}`))
			w.must(v4.NewSigner().SignHTTP(context.Background(), w.keysOf(w.root), req, hex.EncodeToString(sum[:]), "cognito-identity", "us-east-1", now.Add(-6*time.Minute)))
			return w.send(req, nil)
		}},
		{"JSON: the target changed to another", "InvalidSignatureException", func() error {
			req := w.sign(w.root, w.json11("AWSCognitoIdentityService.ListIdentityPools", `{"MaxResults":1}`), `{"MaxResults":1}`, "cognito-identity", "us-east-1")
			req.Header.Set("X-Amz-Target", "AWSCognitoIdentityService.CreateIdentityPool")
			return w.send(req, nil)
		}},
		{"JSON: for another service", "InvalidSignatureException: Credential should be scoped to correct service: 'cognito-identity'.", func() error {
			return w.send(w.sign(w.root, w.json11("AWSCognitoIdentityService.ListIdentityPools", `{"MaxResults":1}`), `{"MaxResults":1}`, "sts", "us-east-1"), nil)
		}},
		{"an open operation with a broken signature: it is not looked at", "InvalidIdentityToken", func() error {
			form := "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/x&RoleSessionName=ab&WebIdentityToken=undefined"
			req := w.formText(stsHost, form)
			req.Header.Set("Authorization", "AWS4-HMAC-SHA256 nonsense")
			return w.send(req, nil)
		}},
	})
}

func TestOneRequestIsReadInOneWay(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	sts := func(body string) func() error { return func() error { return w.send(w.signed(body), nil) } }
	query := func(query, body string) (string, error) {
		req := w.formText(stsHost, body)
		req.URL.RawQuery = query
		return w.operation(w.sign(w.root, req, body, "sts", "us-east-1"))
	}
	json11 := func(target, body string) func() error {
		return func() error {
			return w.send(w.sign(w.root, w.json11(target, body), body, "cognito-identity", "us-east-1"), nil)
		}
	}
	const target = "AWSCognitoIdentityService."
	session := "Action=GetSessionToken&Version=2011-06-15"
	tag := "Action=GetFederationToken&Version=2011-06-15&Name=bob&"
	w.must(w.ask(w.root, "CreateUser", "UserName", "t")())
	iamTag := func(parameters string) func() error {
		return func() error {
			body := "Action=TagUser&Version=2010-05-08&UserName=t&" + parameters
			return w.send(w.sign(w.root, w.formText(iamHost, body), body, "iam", "us-east-1"), nil)
		}
	}
	withstand(t, 38, []attack{
		{"an action in the query and another in the body: one is done", "", func() error {
			for _, pair := range [][2]string{{whoAmI, session}, {session, whoAmI}} {
				got, err := query(pair[0], pair[1])
				if err != nil || !strings.Contains(pair[0], got) {
					t.Errorf("%s in the query, %s in the body: %s, %v", pair[0], pair[1], got, err)
				}
			}
			return nil
		}},
		{"a version in the query and another in the body", "InvalidAction", func() error {
			_, err := query("Version=2010-05-08", whoAmI)
			return err
		}},
		{"a target beside a form", "SerializationException", func() error {
			body := "Action=GetCallerIdentity&Version=2011-06-15"
			req := w.formText(stsHost, body)
			req.Header.Set("X-Amz-Target", target+"ListIdentityPools")
			return w.send(w.sign(w.root, req, body, "cognito-identity", "us-east-1"), nil)
		}},
		{"a form that says it is JSON", "MissingAction", func() error {
			req := w.formText(stsHost, whoAmI)
			req.Header.Set("Content-Type", "application/json")
			return w.send(w.sign(w.root, req, whoAmI, "sts", "us-east-1"), nil)
		}},
		{"an action in small letters", "InvalidAction: Could not find operation getcalleridentity for version 2011-06-15", sts("Action=getcalleridentity&Version=2011-06-15")},
		{"a parameter called action in small letters", "MissingAction", sts("action=GetCallerIdentity&Version=2011-06-15")},
		{"another service's action", "InvalidAction", sts("Action=ListUsers&Version=2011-06-15")},
		{"no version", "InvalidAction: Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED", sts("Action=GetCallerIdentity")},
		{"an action with a null character", "InvalidAction", sts("Action=GetCallerIdentity%00&Version=2011-06-15")},
		{"a semicolon for an ampersand", "MalformedQueryString", sts(whoAmI + ";Action=GetSessionToken")},
		{"an escape that is none", "MalformedQueryString", sts(whoAmI + "&x=%zz")},
		{"a number with spaces", "MalformedInput", sts(session + "&DurationSeconds=+900+")},
		{"a number with an exponent", "MalformedInput", sts(session + "&DurationSeconds=9e2")},
		{"a number past all numbers", "MalformedInput", sts(session + "&DurationSeconds=99999999999999999999")},
		{"a number with zeros before it", "", sts(session + "&DurationSeconds=0900")},
		{"too small a number", "ValidationError", sts(session + "&DurationSeconds=899")},
		{"a negative number", "ValidationError", sts(session + "&DurationSeconds=-900")},
		{"a list index of a billion", "MalformedInput", sts(tag + "Tags.member.999999999.Key=a&Tags.member.999999999.Value=b")},
		{"past 32 bits", "MalformedInput", sts(tag + "Tags.member.99999999999.Key=a&Tags.member.99999999999.Value=b")},
		{"of nothing", "MalformedInput", sts(tag + "Tags.member.0.Key=a&Tags.member.0.Value=b")},
		{"below nothing", "MalformedInput", sts(tag + "Tags.member.-1.Key=a&Tags.member.-1.Value=b")},
		{"with a sign", "MalformedInput", sts(tag + "Tags.member.%2B1.Key=a&Tags.member.%2B1.Value=b")},
		{"in words", "MalformedInput", sts(tag + "Tags.member.one.Key=a")},
		{"the same twice by zeros", "MalformedInput", sts(tag + "Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.01.Key=c&Tags.member.01.Value=d")},
		{"a list as a text", "MalformedInput", sts(tag + "Tags=x")},
		{"an element as a text", "MalformedInput", sts(tag + "Tags.member.1=x")},
		{"a text as a list", "MalformedInput", sts(session + "&SerialNumber.member.1=x")},
		{"names a hundred deep", "MalformedInput", sts(session + "&" + strings.Repeat("a.", 100) + "b=x")},
		{"three thousand parameters", "MalformedInput", func() error {
			form := url.Values{}
			for i := range 3000 {
				form.Set("x"+raw(i), "")
			}
			return sts(session + "&" + form.Encode())()
		}},
		{"a hundred thousand parameters", "MalformedQueryString", sts(session + strings.Repeat("&x", 100_000))},
		{"a body of more than a megabyte", "RequestEntityTooLarge", sts(session + "&x=" + strings.Repeat("x", 1<<20))},
		{"a tag without its value", "ValidationError", iamTag("Tags.member.1.Key=a")},
		{"a tag given twice by one index: one counts", "", iamTag("Tags.member.1.Key=a&Tags.member.1.Key=aws:b&Tags.member.1.Value=c")},
		{"a boolean with a capital", "MalformedInput", func() error {
			return w.ask(w.root, "CreatePolicyVersion", "PolicyArn", "arn:aws:iam::123456789012:policy/x", "PolicyDocument", "{}", "SetAsDefault", "True")()
		}},
		{"JSON: a target in other letters", "UnknownOperationException", json11(target+"listidentitypools", `{"MaxResults":1}`)},
		{"JSON: another service's target", "UnknownOperationException", json11("AWSCognitoIdentityProviderService.ListUserPools", `{"MaxResults":1}`)},
		{"JSON: no target", "UnknownOperationException", json11("", `{"MaxResults":1}`)},
		{"JSON: a member twice", "SerializationException", json11(target+"ListIdentityPools", `{"MaxResults":1,"MaxResults":60}`)},
		{"JSON: a member in other letters is none", "ValidationException", json11(target+"ListIdentityPools", `{"maxresults":1}`)},
		{"JSON: a number in text", "SerializationException", json11(target+"ListIdentityPools", `{"MaxResults":"1"}`)},
		{"JSON: a number past all numbers", "SerializationException", json11(target+"ListIdentityPools", `{"MaxResults":1e400}`)},
		{"JSON: a list", "SerializationException", json11(target+"ListIdentityPools", `[]`)},
		{"JSON: a second value", "SerializationException", json11(target+"ListIdentityPools", `{"MaxResults":1}{}`)},
		{"JSON: nested a hundred thousand times", "SerializationException", json11(target+"ListIdentityPools", `{"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`)},
		{"JSON: half a character", "SerializationException", json11(target+"DescribeIdentityPool", "{\"IdentityPoolId\":\"\xff\"}")},
	})
}
