package credential

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"
)

// totpStep is how long a time-based code is shown (RFC 6238 section 4.1, X).
const totpStep = 30 * time.Second

// TOTPStep is the number of the time step that holds at t.
func TOTPStep(t time.Time) int64 { return t.Unix() / int64(totpStep/time.Second) }

// TOTP is the code of six digits that a device with this seed shows in a time step (RFC 6238 with SHA-1;
// truncation by RFC 4226 section 5.3).
func TOTP(seed []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	m := hmac.New(sha1.New, seed)
	m.Write(counter[:])
	sum := m.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	n := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// FindTOTP looks for the first time step between two, both included, in which a device shows the first of
// the codes, and in the steps after it the others. Codes are compared in constant time.
func FindTOTP(seed []byte, from, to int64, codes ...string) (step int64, ok bool) {
	if len(codes) == 0 {
		return 0, false
	}
	for step = from; step <= to; step++ {
		same := 1
		for i, code := range codes {
			same &= subtle.ConstantTimeCompare([]byte(TOTP(seed, step+int64(i))), []byte(code))
			if same == 0 {
				break
			}
		}
		if same == 1 {
			return step, true
		}
	}
	return 0, false
}
