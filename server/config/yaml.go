package config

import (
	"errors"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The decoder's problems name the types of our structs, which nobody who writes YAML knows.
var (
	unknownKey = regexp.MustCompile(`^(line [0-9]+): field (.*) not found in type .+$`)
	twiceKey   = regexp.MustCompile(`^(line [0-9]+): field (.*) already set in type .+$`)
	wrongKind  = regexp.MustCompile("(?s)^(line [0-9]+): cannot unmarshal (!\\S*)(?: `.*`)? into (.+)$")
)

// kinds are YAML's types in words (YAML 1.2.2, section 10).
var kinds = map[string]string{
	"!!str": "a text", "!!int": "a number", "!!float": "a number", "!!bool": "true or false", "!!null": "nothing",
	"!!seq": "a list", "!!map": "a mapping", "!!timestamp": "a date",
}

// worded says of a document what its writer can see in it: Problems, where the decoder has found several.
func worded(err error) error {
	var several *yaml.TypeError
	if !errors.As(err, &several) {
		return err
	}
	var ps Problems
	for _, line := range several.Errors {
		if m := unknownKey.FindStringSubmatch(line); m != nil {
			ps.Add(m[1], "there is no key %.64q", m[2])
		} else if m := twiceKey.FindStringSubmatch(line); m != nil {
			ps.Add(m[1], "the key %.64q is there twice", m[2])
		} else if m := wrongKind.FindStringSubmatch(line); m != nil {
			ps.Add(m[1], "%s stands where %s belongs", said(kinds[m[2]]), wanted(m[3]))
		} else {
			at, rest, _ := strings.Cut(line, ": ")
			ps.Add(at, "%s", rest)
		}
	}
	return ps
}

func said(kind string) string {
	if kind == "" {
		return "a value"
	}
	return kind
}

// wanted is a type of Go in words.
func wanted(goType string) string {
	t := strings.TrimPrefix(goType, "*")
	switch {
	case strings.HasPrefix(t, "[]"):
		return kinds["!!seq"]
	case t == "string", t == "credential.Secret":
		return kinds["!!str"]
	case t == "bool":
		return kinds["!!bool"]
	case strings.HasPrefix(t, "int"), strings.HasPrefix(t, "uint"), strings.HasPrefix(t, "float"):
		return kinds["!!int"]
	case t == "time.Time":
		return kinds["!!timestamp"]
	}
	return kinds["!!map"] // structs and maps
}
