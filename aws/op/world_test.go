package op

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

const (
	account = "123456789012"
	rootKey = "AKIARZPUZDIKGB2VALC4" // carries 123456789012
	userKey = "AKIARZPUZDIKGB2VALC5"
	offKey  = "AKIARZPUZDIKGB2VALC6"
	region  = "eu-central-1"
)

var (
	keys = map[string]directory.AccessKey{
		rootKey: {ID: rootKey, AccountID: account, Principal: "arn:aws:iam::" + account + ":root", PrincipalID: account, Secret: "root-secret", Active: true},
		userKey: {ID: userKey, AccountID: account, Principal: "arn:aws:iam::" + account + ":user/ann", PrincipalID: "AIDAEXAMPLE", Secret: "user-secret", Active: true},
		offKey:  {ID: offKey, AccountID: account, Principal: "arn:aws:iam::" + account + ":root", PrincipalID: account, Secret: "off-secret"},
	}
	now = time.Date(2026, 11, 20, 10, 30, 0, 0, time.UTC)
)

// accounts is a directory.Accounts over a map, as far as signatures need one.
type accounts struct {
	unused
	keys map[string]directory.AccessKey
}

// unused is what nobody here asks for.
type unused interface{ directory.Accounts }

// users has ann, who may nothing but what a test gives her, and no groups.
type users struct {
	directory.Entities[directory.IAMUser]
	directory.Memberships
	grants directory.Grants
}

func (u users) WithID(_ context.Context, id string) (directory.IAMUser, error) {
	if id != "AIDAEXAMPLE" {
		return directory.IAMUser{}, fault.New(fault.NotFound, "user "+id, "")
	}
	return directory.IAMUser{
		IAMEntity: directory.IAMEntity{ID: id, AccountID: account, Name: "ann", ARN: "arn:aws:iam::" + account + ":user/ann", Tags: []directory.Tag{{Key: "team", Value: "red"}}},
		Grants:    u.grants,
	}, nil
}

func (users) GroupsOf(context.Context, string) ([]directory.IAMGroup, error) { return nil, nil }

func (a accounts) AccessKey(_ context.Context, id string) (directory.AccessKey, error) {
	if id == "AKIABROKEN" {
		return directory.AccessKey{}, fault.New(fault.Unavailable, "access key", "the disk has a secret to tell")
	}
	k, ok := a.keys[id]
	if !ok {
		return k, fault.New(fault.NotFound, "access key "+id, "")
	}
	return k, nil
}

// journal is an audit.Recorder in memory.
type journal struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.events = append(j.events, e)
	}
	return j.err
}

func (j *journal) last(t testing.TB) audit.Event {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.events) == 0 {
		t.Fatal("nothing was recorded")
	}
	return j.events[len(j.events)-1]
}

// counting is a source of bytes that are never the same.
type counting struct {
	mu sync.Mutex
	n  byte
}

func (c *counting) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

func clock() time.Time { return now }

// world is a dispatcher with what it depends on.
func world(t testing.TB, services ...Service) (*Dispatcher, *journal) {
	t.Helper()
	j := &journal{}
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), &counting{})
	if err != nil {
		t.Fatal(err)
	}
	d := &Dispatcher{
		Services: services, Audit: j, Region: "us-east-1",
		Access: &access.Decider{
			Accounts: accounts{keys: keys}, Users: users{}, Memberships: users{}, Sealer: sealer,
			Managed: func(string) (string, bool) { return "", false }, Now: clock, Rand: &counting{},
		},
		Now: clock, Rand: &counting{},
	}
	if err := d.Prepare(); err != nil {
		t.Fatal(err)
	}
	return d, j
}

// A service of either protocol, small enough to see through.
type (
	PingInput  struct{ Name *string }
	PingOutput struct{ Account, Region *string }
	OpenInput  struct{ Name *string }
	FailInput  struct{ How string }
	WhoInput   struct{}
	NoneOutput struct{}
)

const toyTable = "PingInput.Name req 1..5\nFailInput.How enum=own,fault,panic,mapped"

func toy(p Protocol) Service {
	s := Service{
		Name: "toy", Protocol: p, Target: "Toy", Version: "2020-01-01", Namespace: "https://toy/", Constraints: toyTable, CORS: p == JSON11,
		Operations: []Operation{
			Signed(func(ctx context.Context, in *PingInput) (*PingOutput, error) {
				c := CallerOf(ctx)
				return &PingOutput{Account: &c.Account, Region: new(RegionOf(ctx))}, nil
			}, func(c Caller, in *PingInput) string {
				return "arn:aws:toy:" + c.Region + ":" + c.Account + ":thing/" + *in.Name
			}),
			Authenticated(func(ctx context.Context, _ *WhoInput) (*PingOutput, error) {
				return &PingOutput{Account: new(CallerOf(ctx).ARN), Region: new(RegionOf(ctx))}, nil
			}),
			Public(func(ctx context.Context, _ *OpenInput) (*PingOutput, error) {
				return &PingOutput{Account: new(CallerOf(ctx).Account), Region: new(RegionOf(ctx))}, nil
			}),
			Public(func(_ context.Context, in *FailInput) (*NoneOutput, error) {
				switch in.How {
				case "own":
					return nil, &Error{Code: "ToyException", Message: "no <toys>"}
				case "fault":
					return nil, fault.New(fault.Internal, "toy", "the password is 1234")
				case "mapped":
					return nil, fault.New(fault.NotFound, "toy", "the password is 1234")
				case "panic":
					panic("the password is 1234")
				}
				return &NoneOutput{}, nil
			}),
		},
	}
	s.Fault = func(err error) *Error {
		if fault.KindOf(err) == fault.NotFound {
			return &Error{Code: "ToyNotFound", Message: "There is no such toy.", Status: 404}
		}
		return nil
	}
	return s
}

// call is a request to the toy, not yet signed.
func call(p Protocol, operation, arguments string) *http.Request {
	if p == JSON11 {
		if arguments == "" {
			arguments = "{}"
		}
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/", strings.NewReader(arguments))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "Toy."+operation)
		return r
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/", strings.NewReader("Action="+operation+"&Version=2020-01-01&"+arguments))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

// sign signs as the SDKs do.
func sign(t testing.TB, r *http.Request, id, secret, service string, when time.Time) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, r, hex.EncodeToString(sum[:]), service, region, when)
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers a request under a request id.
func serve(d *Dispatcher, r *http.Request) (*httptest.ResponseRecorder, *audit.Request) {
	info := &audit.Request{ID: "0c0ffee0-0000-4000-8000-000000000000"}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r.WithContext(audit.WithRequest(r.Context(), info)))
	return w, info
}
