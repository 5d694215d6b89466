package credential

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/treatyfed/treaty/core/fault"
)

// An access key id is a prefix of four letters and 16 characters of base32: 80 bits, of which the first
// 48 carry a marker bit, the account number in bits 46 to 7 and chance in the rest. The account can so be
// read without a look-up (that AWS's ids are made this way is shown by published id and account pairs).
const (
	accountMask  = 0x7fffffffff80
	accountShift = 7
	markerBit    = 1 << 47
	maxAccount   = 999_999_999_999
	keyIDLen     = 20
)

// NewAccessKeyID makes the id of a long-term key (AKIA…) of a twelve-digit account.
func NewAccessKeyID(account string, rand io.Reader) (string, error) {
	return NewKeyID("AKIA", account, rand)
}

// NewKeyID makes an id with a four-letter prefix ("AKIA" long-term, "ASIA" temporary) of a twelve-digit account.
func NewKeyID(prefix, account string, rand io.Reader) (string, error) {
	n, err := strconv.ParseUint(account, 10, 64)
	if err != nil || len(account) != 12 || len(prefix) != 4 {
		return "", fault.New(fault.Invalid, "access key id", fmt.Sprintf("want a prefix of 4 letters and an account of 12 digits, got %q and %q", prefix, account))
	}
	var b [10]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fault.Wrap(fault.Internal, "access key id", err)
	}
	var head [8]byte
	copy(head[2:], b[:6])
	z := binary.BigEndian.Uint64(head[:])&^accountMask | markerBit | n<<accountShift
	binary.BigEndian.PutUint64(head[:], z)
	copy(b[:6], head[2:])
	return prefix + base32.StdEncoding.EncodeToString(b[:]), nil
}

// idLetters are those that a unique id has after the part that it shares with access key ids.
const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// NewUniqueID makes the unique id of an IAM entity (IAM user guide, "IAM identifiers"): 21 characters that
// begin with four letters: AROA roles, AIDA users, AGPA groups, ANPA managed policies. It carries the
// account as key ids do.
func NewUniqueID(prefix, account string, rand io.Reader) (string, error) {
	id, err := NewKeyID(prefix, account, rand)
	if err != nil {
		return "", err
	}
	var b [1]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fault.Wrap(fault.Internal, "unique id", err)
	}
	return id + idLetters[b[0]&31:][:1], nil
}

// AccountOf reads the account out of an access key id; ok is false when the id cannot carry one.
func AccountOf(keyID string) (account string, ok bool) {
	if len(keyID) != keyIDLen {
		return "", false
	}
	b, err := base32.StdEncoding.DecodeString(keyID[4:])
	if err != nil {
		return "", false
	}
	var head [8]byte
	copy(head[2:], b[:6])
	n := binary.BigEndian.Uint64(head[:]) & accountMask >> accountShift
	if n > maxAccount {
		return "", false
	}
	return fmt.Sprintf("%012d", n), true
}

// NewSecretAccessKey makes a secret access key: 40 characters of base64, 240 bits.
func NewSecretAccessKey(rand io.Reader) (Secret, error) {
	var b [30]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fault.Wrap(fault.Internal, "secret access key", err)
	}
	return Secret(base64.StdEncoding.EncodeToString(b[:])), nil
}
