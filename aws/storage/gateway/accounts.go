package gateway

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3err"
)

// accounts tells versitygw who signs: accounts of twelve digits, each with the key that is derived for it.
// They may everything, because aws/storage has decided before; only what they make becomes theirs.
type accounts struct{ of *running }

var _ auth.IAMService = accounts{}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// GetUserAccount finds an account by its id, which is its access key's too.
func (a accounts) GetUserAccount(id string) (auth.Account, error) {
	if !accountID(id) {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	k := a.of.Account(id)
	return auth.Account{Access: k.ID, Secret: k.Secret, Role: auth.RoleAdmin}, nil
}

func accountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// ResolveAccounts gives those ids that nobody has.
func (a accounts) ResolveAccounts(ids []string) (missing []string, err error) {
	for _, id := range ids {
		if !accountID(id) {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func (accounts) CreateAccount(auth.Account) error                  { return unsupported }
func (accounts) UpdateUserAccount(string, auth.MutableProps) error { return unsupported }
func (accounts) DeleteUserAccount(string) error                    { return unsupported }
func (accounts) ListUserAccounts() ([]auth.Account, error)         { return nil, unsupported }
func (accounts) Shutdown() error                                   { return nil }

var unsupported = s3err.GetAPIError(s3err.ErrAdminMethodNotSupported)
