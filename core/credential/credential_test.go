package credential_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
)

func sealer(t *testing.T, key byte) *credential.Sealer {
	t.Helper()
	s, err := credential.NewSealer(bytes.Repeat([]byte{key}, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	s := credential.Secret("hunter2")
	held := struct{ S credential.Secret }{s}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "held", held)
	all := log.String() + s.String() + s.GoString()
	for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %t %c") {
		all += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, held)
	}
	if strings.Contains(all, "hunter2") || strings.Contains(strings.ToLower(all), "68756e74657232") {
		t.Error(all)
	}
	if s.String() != "[7 bytes]" || s.Reveal() != "hunter2" {
		t.Error(s.String())
	}
	if !s.Equal("hunter2") || s.Equal("hunter3") || s.Equal("") {
		t.Error("Equal")
	}
}

func TestSealedValuesOpenOnlyWhereTheyBelong(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	sealed, err := s.Seal("keys/entra/1", []byte("private"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := s.Open("keys/entra/1", sealed); err != nil || string(plain) != "private" {
		t.Errorf("%q, %v", plain, err)
	}
	if again, _ := s.Seal("keys/entra/1", []byte("private")); bytes.Equal(again, sealed) {
		t.Error("sealing twice gives the same bytes")
	}
	if bytes.Contains(sealed, []byte("private")) {
		t.Error("not sealed")
	}
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another label":      func() ([]byte, error) { return s.Open("keys/entra/2", sealed) },
		"another master key": func() ([]byte, error) { return sealer(t, 2).Open("keys/entra/1", sealed) },
		"altered":            func() ([]byte, error) { return s.Open("keys/entra/1", altered) },
		"cut short":          func() ([]byte, error) { return s.Open("keys/entra/1", sealed[:5]) },
		"empty":              func() ([]byte, error) { return s.Open("keys/entra/1", nil) },
	} {
		if plain, err := open(); !errors.Is(err, fault.Internal) {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
}

func TestHashedSecretsAreRecognised(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1)
	h := s.Hash("hunter2")
	if !s.Matches("hunter2", h) || s.Matches("hunter3", h) || s.Matches("hunter2", nil) || sealer(t, 2).Matches("hunter2", h) {
		t.Error("Matches")
	}
}

func TestSealersNeedAWholeKeyAndRandomness(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 31, 33} {
		if _, err := credential.NewSealer(make([]byte, n), rand.Reader); !errors.Is(err, fault.Invalid) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	s, err := credential.NewSealer(make([]byte, 32), iotest.ErrReader(errors.New("no entropy")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal("x", nil); err == nil {
		t.Error("sealed without randomness")
	}
}
