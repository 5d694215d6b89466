package server

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/seed"
)

// What the first start makes. These ids are fixed, so that configuration can be committed; they mean
// nothing outside of a Treaty server.
const (
	AccountID      = "123456789012" // AWS's own example account
	TenantID       = "7ea70000-0000-4000-8000-000000000001"
	SubscriptionID = "7ea70000-0000-4000-8000-000000000002"
	AdminClientID  = "7ea70000-0000-4000-8000-000000000003" // of the administrator application
	AdminObjectID  = "7ea70000-0000-4000-8000-000000000004" // of its service principal
	TenantName     = "Treaty"
	TenantDomain   = "treaty.onmicrosoft.com"
)

// adminPermissions are Microsoft Graph's application permissions of the administrator.
var adminPermissions = []string{
	"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Directory.ReadWrite.All",
}

// administrators derives the first administrators' secrets from the master key (HKDF-SHA256, RFC 5869):
// random as the master key is, the same on every replica that shares it, and the same again after a reset
// to the seeded state. Nothing of them needs to be kept apart from the master key.
func administrators(master []byte, region string) (folder.Credentials, error) {
	chance := func(label string) io.Reader { return &derived{master: master, label: label} }
	id, err := credential.NewAccessKeyID(AccountID, chance("root access key id"))
	if err != nil {
		return folder.Credentials{}, err
	}
	key, err := credential.NewSecretAccessKey(chance("root secret access key"))
	if err != nil {
		return folder.Credentials{}, err
	}
	var b [30]byte
	if _, err := io.ReadFull(chance("administrator client secret"), b[:]); err != nil {
		return folder.Credentials{}, err
	}
	return folder.Credentials{
		AWS: folder.AWSAdministrator{AccountID: AccountID, AccessKeyID: id, SecretAccessKey: key.Reveal(), Region: region},
		Azure: folder.AzureAdministrator{
			TenantID: TenantID, Domain: TenantDomain, ClientID: AdminClientID, ObjectID: AdminObjectID, SubscriptionID: SubscriptionID,
			ClientSecret: secretText(b),
		},
	}, nil
}

// secretText writes a secret in 40 characters without any that a shell would read, and without a hyphen in
// front, for which az takes what follows -p as an option.
func secretText(b [30]byte) string {
	text := base64.RawURLEncoding.EncodeToString(b[:])
	if rest, is := strings.CutPrefix(text, "-"); is {
		return "_" + rest
	}
	return text
}

// derived reads up to 255 hashes of key material for a label.
type derived struct {
	master []byte
	label  string
	rest   []byte
	begun  bool
}

func (d *derived) Read(b []byte) (int, error) {
	if !d.begun {
		out, err := hkdf.Key(sha256.New, d.master, nil, "treaty administrator v1: "+d.label, 256)
		if err != nil {
			return 0, fmt.Errorf("derive %s: %w", d.label, err)
		}
		d.rest, d.begun = out, true
	}
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// first is the document of a first start.
func first(c folder.Credentials) (account, tenant seed.Document) {
	account.Accounts = []seed.Account{{
		ID: c.AWS.AccountID, Name: "Treaty",
		AccessKeys: []seed.AccessKey{{ID: c.AWS.AccessKeyID, Secret: credential.Secret(c.AWS.SecretAccessKey)}},
	}}
	admin := seed.Application{
		Name: "Treaty administrator", AppID: AdminClientID, PrincipalID: AdminObjectID,
		Secrets: []seed.Secret{{Name: "first start", Value: credential.Secret(c.Azure.ClientSecret)}},
		Roles:   []seed.Role{{Role: "Owner", Scope: "/subscriptions/" + SubscriptionID}},
	}
	for _, p := range adminPermissions {
		admin.Permissions = append(admin.Permissions, seed.Permission{Role: p})
	}
	tenant.Tenants = []seed.Tenant{{
		ID: TenantID, Name: TenantName, Domains: []string{TenantDomain}, Applications: []seed.Application{admin},
		Subscriptions: []seed.Subscription{{ID: SubscriptionID, Name: "Treaty twin"}},
	}}
	account.Complete()
	tenant.Complete()
	return account, tenant
}
