package iam

import "github.com/treatyfed/treaty/wire/saml"

// checkSAMLMetadata refuses what is not the metadata of an identity provider that signs.
func checkSAMLMetadata(document string) error {
	if _, err := saml.ParseMetadata(document); err != nil {
		return refusal(invalidInput, "Could not parse metadata")
	}
	return nil
}
