package store

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
)

// TestClonesShareNothing fills every member of what the cache keeps and asks for memory that a clone
// shares with its original, so that a member added to a noun cannot be forgotten here.
func TestClonesShareNothing(t *testing.T) {
	t.Parallel()
	check(t, cloneTenant)
	check(t, cloneApplication)
	check(t, clonePrincipal)
	check(t, cloneFederatedCredentials)
	check(t, clonePool)
	check(t, cloneIdentity)
	check(t, cloneIAMRole)
	check(t, cloneIAMUser)
	check(t, cloneIAMGroup)
	check(t, cloneIAMGroups)
	check(t, cloneIAMPolicy)
	check(t, cloneOIDCProvider)
	check(t, cloneSAMLProvider)
	check(t, cloneMFADevice)
	check(t, cloneIssuer)
	check(t, cloneMachine)
	check(t, itself[directory.Account])
	check(t, itself[directory.AccessKey])
	check(t, func(a directory.AppRoleAssignment) directory.AppRoleAssignment { return a })
}

func check[T any](t *testing.T, clone func(T) T) {
	t.Helper()
	var v T
	fillIn(reflect.ValueOf(&v).Elem())
	c := clone(v)
	if d := cmp.Diff(v, c); d != "" {
		t.Errorf("%T: -original +clone\n%s", v, d)
	}
	shared(t, reflect.TypeFor[T]().String(), reflect.ValueOf(v), reflect.ValueOf(c))
	var zero T
	if d := cmp.Diff(zero, clone(zero)); d != "" {
		t.Errorf("%T: the zero value changes\n%s", v, d)
	}
}

func fillIn(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillIn(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 4)) // room to append, which a clone must not share either
		for i := range 2 {
			fillIn(v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillIn(v.Elem())
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		element := reflect.New(v.Type().Elem()).Elem()
		fillIn(element)
		v.SetMapIndex(reflect.ValueOf("k"), element)
	case reflect.Interface: // what a JSON object may hold
		v.Set(reflect.ValueOf([]any{map[string]any{"k": []any{"v", 1.0, nil}}, true}))
	case reflect.String:
		v.SetString("s")
	}
}

func shared(t *testing.T, path string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			shared(t, path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
		}
	case reflect.Slice:
		if a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared", path)
			return
		}
		for i := range min(a.Len(), b.Len()) {
			shared(t, path, a.Index(i), b.Index(i))
		}
	case reflect.Pointer, reflect.Map:
		if a.Pointer() == b.Pointer() && !a.IsNil() {
			t.Errorf("%s is shared", path)
			return
		}
		if a.Kind() == reflect.Map {
			for _, k := range a.MapKeys() {
				shared(t, path+"."+k.String(), a.MapIndex(k), b.MapIndex(k))
			}
		}
	case reflect.Interface:
		if !a.IsNil() {
			shared(t, path, a.Elem(), b.Elem())
		}
	}
}

// TestAppendingToAClonedRoleDoesNotReachTheNext guards the one array behind all member types.
func TestAppendingToAClonedRoleDoesNotReachTheNext(t *testing.T) {
	t.Parallel()
	out := cloneRoles([]directory.AppRole{{AllowedMemberTypes: []string{"User"}}, {AllowedMemberTypes: []string{"Application"}}})
	_ = append(out[0].AllowedMemberTypes, "Device")
	if out[1].AllowedMemberTypes[0] != "Application" {
		t.Fatal(out)
	}
}

// TestTheCacheIsUsedAndBounded reads behind the store's back.
func TestTheCacheIsUsedAndBounded(t *testing.T) {
	t.Parallel()
	var c cache
	for n := range mostKept + 1 {
		b, _ := json.Marshal(n)
		_, age := c.get(question{})
		c.put(question{"q", string(b), ""}, age, n)
	}
	if len(c.kept) != 1 {
		t.Fatalf("%d kept, want the cache to start anew at its bound", len(c.kept))
	}
	_, age := c.get(question{})
	open := c.shut()
	c.put(question{"late", "", ""}, age, 1)
	_, within := c.get(question{})
	open()
	c.put(question{"later", "", ""}, age, 1)
	c.put(question{"within", "", ""}, within, 1)
	if len(c.kept) != 0 {
		t.Fatal("kept what a writer may have replaced: ", c.kept)
	}
}
