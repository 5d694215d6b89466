package op

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// filler fills any SDK struct with random values that are hard on a codec. Lists in lists are shorter, or an
// account's authorization details alone would be megabytes.
type filler struct {
	*rand.Rand
	depth int // of lists
}

func (f filler) fill(v reflect.Value, name string) {
	switch t := v.Type(); {
	case name == "ResultMetadata", name == "PolicyExclusionList": // a list of unions, which the query codec refuses
	case t == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1_600_000_000+int64(f.IntN(1e8)), 0).UTC()))
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		f.fill(v.Elem(), "")
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				f.fill(v.Field(i), t.Field(i).Name)
			}
		}
	case t.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(t, 1+f.IntN(12>>(2*f.depth)+1), 13))
		f.depth++
		for i := range v.Len() {
			f.fill(v.Index(i), "")
		}
	case t.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(t))
		for range 1 + f.IntN(3) {
			key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			f.fill(key, "")
			f.fill(value, "")
			v.SetMapIndex(key, value)
		}
	case t.Kind() == reflect.String:
		v.SetString(fmt.Sprintf("s%d <&\"'é\U0001f600> +%%;=\\/\t\n x", f.IntN(1e6)))
	case t.Kind() == reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case v.CanInt():
		v.SetInt(int64(f.IntN(1e6)))
	case v.CanUint(): // a byte of a blob
		v.SetUint(uint64(f.IntN(256)))
	default:
		panic("a kind of member that the codecs have not met: " + t.String())
	}
}

// unsigned are the operations that the SDKs call without a signature.
var unsigned = []string{"GetId", "GetOpenIdToken", "GetCredentialsForIdentity", "UnlinkIdentity", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"}

// resultless are the operations whose answer has a result element, though it never holds anything (the SDK
// does not read an answer without).
var resultless = []string{"UpdateRole", "PutAccountProperties"}

// Every operation of a service goes through its real client: what the client sends arrives, what is
// answered it reads, and signed operations verify.
func TestEveryOperationThroughTheSDK(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		service Service
		client  func(cfg aws.Config) any
		count   int
	}{
		{Service{Name: "cognito-identity", Protocol: JSON11, Target: "AWSCognitoIdentityService"},
			func(cfg aws.Config) any { return cognitoidentity.NewFromConfig(cfg) }, 23},
		{Service{Name: "sts", Protocol: Query, Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"},
			func(cfg aws.Config) any { return sts.NewFromConfig(cfg) }, 11},
		{Service{Name: "iam", Protocol: Query, Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/"},
			func(cfg aws.Config) any { return iam.NewFromConfig(cfg) }, 180},
	} {
		t.Run(s.service.Name, func(t *testing.T) {
			t.Parallel()
			var got, reply any
			methods := reflect.TypeOf(s.client(aws.Config{}))
			for i := range methods.NumMethod() {
				m := methods.Method(i)
				if m.Type.NumIn() != 4 || m.Type.NumOut() != 2 || !strings.HasSuffix(m.Type.In(2).String(), "."+m.Name+"Input") {
					continue
				}
				mode := authenticated
				if slices.Contains(unsigned, m.Name) {
					mode = public
				}
				s.service.Operations = append(s.service.Operations, Operation{
					name: m.Name, mode: mode,
					fresh: func() any { return reflect.New(m.Type.In(2).Elem()).Interface() },
					call:  func(_ context.Context, in any) (any, error) { got = in; return reply, nil },
				})
			}
			if len(s.service.Operations) != s.count {
				t.Errorf("%d operations, want %d", len(s.service.Operations), s.count)
			}
			d, _ := world(t, s.service)
			d.Now = time.Now // the real client's clock
			server := httptest.NewServer(d)
			defer server.Close()
			client := reflect.ValueOf(s.client(aws.Config{
				Region: region, BaseEndpoint: &server.URL, HTTPClient: server.Client(),
				Credentials: credentials.NewStaticCredentialsProvider(rootKey, "root-secret", ""),
			}))
			f := filler{Rand: rand.New(rand.NewPCG(1, 2))}
			ignored := cmp.Options{
				cmpopts.EquateEmpty(),
				cmp.FilterPath(func(p cmp.Path) bool {
					n, ok := p.Last().(cmp.StructField)
					return ok && (n.Name() == "ResultMetadata" || n.Name() == "noSmithyDocumentSerde")
				}, cmp.Ignore()),
			}
			for _, o := range s.service.Operations {
				for range max(2, 115/s.count) {
					m := client.MethodByName(o.name)
					in := reflect.ValueOf(o.fresh())
					out := reflect.New(m.Type().Out(0).Elem())
					f.fill(in.Elem(), "")
					f.fill(out.Elem(), "")
					got, reply = nil, out.Interface()
					if slices.Contains(resultless, o.name) {
						reply = &struct{ Nothing *string }{}
					}
					result := m.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
					if err, failed := result[1].Interface().(error); failed {
						t.Fatalf("%s: %v", o.name, err)
					}
					if diff := cmp.Diff(in.Interface(), got, ignored); diff != "" {
						t.Fatalf("%s: what arrived is not what was sent (-sent +arrived):\n%s", o.name, diff)
					}
					if diff := cmp.Diff(out.Interface(), result[0].Interface(), ignored); diff != "" {
						t.Fatalf("%s: what was read is not what was answered (-answered +read):\n%s", o.name, diff)
					}
				}
			}
		})
	}
}
