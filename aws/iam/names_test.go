package iam

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/credential"
)

func FuzzDocumentsAreDecodedToWhatTheyWere(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[]}`)
	f.Add("%7B a+b ~é\n\x00")
	f.Fuzz(func(t *testing.T, document string) {
		encoded := encodeDocument(document)
		if got, err := url.PathUnescape(encoded); err != nil || got != document {
			t.Errorf("%q, %v", got, err)
		}
		if strings.ContainsFunc(encoded, func(r rune) bool { return r > '~' || strings.ContainsRune(" +{}\"/:*", r) }) {
			t.Errorf("%q is not encoded by RFC 3986", encoded)
		}
	})
}

func FuzzWildMatchesAsAnExpressionDoes(f *testing.F) {
	f.Add("sts:AssumeRoleWith*", "sts:AssumeRoleWithWebIdentity")
	f.Add("*a?b**", "xxaybz")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 40 || len(s) > 60 || strings.ContainsFunc(pattern+s, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Skip()
		}
		expression := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		if want := regexp.MustCompile("^(?:" + expression + ")$").MatchString(s); wild(pattern, s) != want {
			t.Errorf("wild(%q, %q) is not %t", pattern, s, want)
		}
	})
}

func FuzzMarkersOfOthersAreRefused(f *testing.F) {
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), strings.NewReader(strings.Repeat("n", 1<<16)))
	if err != nil {
		f.Fatal(err)
	}
	s := &Service{Sealer: sealer}
	p, err := s.page("roles", nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	ours, err := p.next("worker")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(*ours)
	f.Add("guess")
	f.Fuzz(func(t *testing.T, marker string) {
		if _, err := s.page("users", &marker, nil); !errors.Is(err, errMarker) {
			t.Errorf("%q is taken for another list: %v", marker, err)
		}
		if p, err := s.page("roles", &marker, nil); err == nil && p.after != "worker" {
			t.Errorf("%q goes on after %q", marker, p.after)
		}
	})
}

func FuzzPrincipalsHaveOneForm(f *testing.F) {
	for _, s := range []string{"*", "123456789012", "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/a/b", "AROAAAAAAAAAAAAAAAAAA", "arn:aws:sts::123456789012:assumed-role/a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		n := 0
		for _, form := range []*regexp.Regexp{accountForm, idForm, entityForm, otherForm} {
			if form.MatchString(value) {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%q has %d forms", value, n)
		}
	})
}
