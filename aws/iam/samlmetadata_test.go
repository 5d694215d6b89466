package iam

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/policy"
)

func FuzzProviderName(f *testing.F) {
	for _, url := range []string{"https://issuer.example/a/", "https://issuer.example:443", "HTTPS://A", "https://[::1]:8443/x", "https://a?b", "https://a#", "http://a", "https:/a", "https:///a"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		name, err := providerName(url)
		if err != nil {
			return
		}
		again, err := providerName("https://" + name)
		if name == "" || strings.ContainsAny(name, "?#") || err != nil || again != name && !strings.Contains(name, ":443") {
			t.Errorf("%q gives %q, which gives %q, %v", url, name, again, err)
		}
	})
}

func TestWhereStatementsStand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       []int32 // of each statement: line and column of its begin, then of its end
	}{
		{"in one line", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}`, []int32{1, 38, 1, 86}},
		{"without a list", `{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}`, []int32{1, 15, 1, 62}},
		{"with tabs", "{\n\t\"Version\": \"2012-10-17\",\n\t\"Statement\": [\n\t\t{\n\t\t\t\"Effect\": \"Allow\", \"Action\": \"a:b\", \"Resource\": \"*\"\n\t\t}\n\t]\n}", []int32{3, 16, 6, 4}},
		{"two", "{\"Statement\": [\n{\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\"},\n\n  {\"Effect\":\"Deny\",\"Action\":\"a:b\",\"Resource\":\"*\"}]}", []int32{1, 16, 2, 49, 2, 50, 4, 50}},
	} {
		doc, err := policy.Parse(tt.text, policy.Identity)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got []int32
		for _, s := range doc.Statements {
			from, to := simulatedPositions(tt.text, s.Start, s.End)
			got = append(got, from.Line, from.Column, to.Line, to.Column)
		}
		if len(got) != len(tt.want) {
			t.Fatalf("%s: %v", tt.name, got)
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
				break
			}
		}
	}
}

func FuzzSimulatedPositions(f *testing.F) {
	f.Add("{\n [ {} ]}", 2, 4, 2, 5)
	f.Add("", 1, 1, 1, 1)
	f.Add("\n\n\n", 4, 9, -3, 0)
	f.Fuzz(func(t *testing.T, text string, line, column, endLine, endColumn int) {
		from, _ := simulatedPositions(text, policy.Position{Line: line, Column: column}, policy.Position{Line: endLine, Column: endColumn})
		if lines := strings.Count(text, "\n") + 1; line >= 1 && line <= lines && column >= 1 && from.Line < 1 {
			t.Errorf("line %d of %d", from.Line, lines)
		}
	})
}

func TestTheFormatsOfARNs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		resources []string
		want      string
	}{
		{[]string{"*"}, "*"},
		{[]string{"arn:aws:s3:::b"}, "arn:${Partition}:s3:::${BucketName}"},
		{[]string{"arn:aws:s3:::b", "arn:aws:s3:::b/k"}, "*"},
		{[]string{"arn:aws:dynamodb:us-east-1:123456789012:table/t"}, "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}"},
		{[]string{"arn:aws:dynamodb:us-east-1:123456789012:table/t/index/i"}, "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}/index/${IndexName}"},
		{[]string{"arn:aws:moon:::x"}, "*"},
	} {
		if got := template(tt.resources); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.resources, got, tt.want)
		}
	}
}

func TestContextEntriesOfOneAndOfManyValues(t *testing.T) {
	t.Parallel()
	k := policy.Context{}
	err := entriesInto(k, []types.ContextEntry{
		{ContextKeyName: new("aws:SourceIp"), ContextKeyType: types.ContextKeyTypeEnumIp, ContextKeyValues: []string{"192.0.2.1"}},
		{ContextKeyName: new("aws:TagKeys"), ContextKeyType: types.ContextKeyTypeEnumStringList, ContextKeyValues: []string{"a"}},
		{ContextKeyName: new("x:y"), ContextKeyValues: []string{"a", "b"}},
	})
	if err != nil || k["aws:sourceip"].Many || !k["aws:tagkeys"].Many || !k["x:y"].Many {
		t.Errorf("%v, %v", k, err)
	}
}
