package op

import "github.com/treatyfed/treaty/core/credential"

// Moved to core/credential.
var (
	NewAccessKeyID     = credential.NewAccessKeyID
	NewKeyID           = credential.NewKeyID
	NewUniqueID        = credential.NewUniqueID
	AccountOf          = credential.AccountOf
	NewSecretAccessKey = credential.NewSecretAccessKey
)
