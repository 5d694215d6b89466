package iam_test

import (
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
)

func TestAccessKeysWorkUntilTheyAreSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("Ann")})))
	must(t, fails(w.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: new("ann"), PolicyArn: new("arn:aws:iam::aws:policy/AdministratorAccess")})))
	made, err := w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: new("ann")})
	must(t, err)
	k := made.AccessKey
	of, _ := credential.AccountOf(*k.AccessKeyId)
	if *k.UserName != "Ann" || len(*k.AccessKeyId) != 20 || len(*k.SecretAccessKey) != 40 || k.Status != "Active" || !k.CreateDate.Equal(start) || of != account {
		t.Errorf("%+v", k)
	}
	ann := w.with(*k.AccessKeyId, *k.SecretAccessKey, "")
	listed, err := ann.ListAccessKeys(ctx, nil) // its own
	must(t, err)
	w.has("AccessKeyMetadata", "IsTruncated", "-SecretAccessKey")
	if len(listed.AccessKeyMetadata) != 1 || *listed.AccessKeyMetadata[0].AccessKeyId != *k.AccessKeyId || *listed.AccessKeyMetadata[0].UserName != "Ann" {
		t.Errorf("%+v", listed.AccessKeyMetadata)
	}
	set := func(status types.StatusType) {
		must(t, fails(w.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: new("ann"), AccessKeyId: k.AccessKeyId, Status: status})))
	}
	set("Inactive")
	refused(t, fails(ann.ListAccessKeys(ctx, nil)), "InvalidClientTokenId", "The security token included in the request is invalid.")
	listed, err = w.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: new("ann")})
	must(t, err)
	if listed.AccessKeyMetadata[0].Status != "Inactive" {
		t.Errorf("%+v", listed.AccessKeyMetadata)
	}
	set("Active")
	second, err := ann.CreateAccessKey(ctx, nil)
	must(t, err)
	refused(t, fails(ann.CreateAccessKey(ctx, nil)), "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	must(t, fails(ann.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{AccessKeyId: k.AccessKeyId})))
	refused(t, fails(ann.ListAccessKeys(ctx, nil)), "InvalidClientTokenId", "")
	must(t, fails(w.with(*second.AccessKey.AccessKeyId, *second.AccessKey.SecretAccessKey, "").ListAccessKeys(ctx, nil)))
}

func TestTheRootHasAccessKeysAsWell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	made, err := w.CreateAccessKey(ctx, nil)
	must(t, err)
	refused(t, fails(w.CreateAccessKey(ctx, nil)), "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	second := w.with(*made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")
	out, err := second.GetUser(ctx, nil)
	must(t, err)
	if *out.User.UserId != account {
		t.Errorf("%+v", out.User)
	}
	must(t, fails(second.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{AccessKeyId: made.AccessKey.AccessKeyId})))
	listed, err := w.ListAccessKeys(ctx, nil)
	must(t, err)
	if len(listed.AccessKeyMetadata) != 1 {
		t.Errorf("%+v", listed.AccessKeyMetadata)
	}
}

func TestAccessKeysRememberTheirLastUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann")})))
	made, err := w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: new("ann")})
	must(t, err)
	id := made.AccessKey.AccessKeyId
	out, err := w.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: id})
	must(t, err)
	w.has("-LastUsedDate")
	if u := out.AccessKeyLastUsed; *out.UserName != "ann" || *u.ServiceName != "N/A" || *u.Region != "N/A" {
		t.Errorf("%+v", u)
	}
	must(t, w.store.Usage.NoteUse(ctx, *id, directory.Use{At: start.Add(time.Minute), Service: "s3", Region: "eu-west-1"}))
	out, err = w.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: id})
	must(t, err)
	if u := out.AccessKeyLastUsed; u.LastUsedDate == nil || !u.LastUsedDate.Equal(start.Add(time.Minute)) || *u.ServiceName != "s3" || *u.Region != "eu-west-1" {
		t.Errorf("%+v", u)
	}
}

func TestAccessKeysAreRefusedInAWSsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann")})))
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("bob")})))
	made, err := w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: new("bob")})
	must(t, err)
	bobs := made.AccessKey.AccessKeyId
	for name, tt := range map[string]struct {
		err           error
		code, message string
	}{
		"a user who is not":       {fails(w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: new("carol")})), "NoSuchEntity", "The user with name carol cannot be found."},
		"another user's key":      {fails(w.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: new("ann"), AccessKeyId: bobs})), "NoSuchEntity", "The Access Key with id " + *bobs + " cannot be found."},
		"switching another's":     {fails(w.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: new("ann"), AccessKeyId: bobs, Status: "Inactive"})), "NoSuchEntity", "The Access Key with id " + *bobs + " cannot be found."},
		"the use of an unknown":   {fails(w.GetAccessKeyLastUsed(ctx, &sdk.GetAccessKeyLastUsedInput{AccessKeyId: new("AKIAIOSFODNN7EXAMPLE")})), "NoSuchEntity", "The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found."},
		"a status that is none":   {fails(w.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: new("bob"), AccessKeyId: bobs, Status: "Paused"})), "ValidationError", ""},
		"the status Expired":      {fails(w.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: new("bob"), AccessKeyId: bobs, Status: "Expired"})), "ValidationError", ""},
		"too short an id":         {fails(w.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: new("bob"), AccessKeyId: new("AKIA")})), "ValidationError", ""},
		"the keys of who is not":  {fails(w.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{UserName: new("carol")})), "NoSuchEntity", "The user with name carol cannot be found."},
		"switching nobody's keys": {fails(w.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{UserName: new("carol"), AccessKeyId: bobs, Status: "Active"})), "NoSuchEntity", "The user with name carol cannot be found."},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tt.err, tt.code, tt.message) })
	}
}
