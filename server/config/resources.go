package config

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"regexp"

	"github.com/treatyfed/treaty/core/credential"
)

// Resources says what stands behind Amazon S3 and Amazon DynamoDB.
type Resources struct {
	S3       S3       `yaml:"s3"`
	DynamoDB DynamoDB `yaml:"dynamodb"`
}

// S3 keeps objects in a folder, or passes requests on to an endpoint that keeps one account's.
type S3 struct {
	// Enabled is true of a twin and false of a hub, when it is not said and nothing else here is.
	Enabled *bool `yaml:"enabled"`
	// Folder is where objects are; default s3 in the data folder.
	Folder string `yaml:"folder"`
	// Endpoint is an S3 server elsewhere, http(s)://host[:port][/path], instead of the folder.
	Endpoint            string            `yaml:"endpoint"`
	Region              string            `yaml:"region"` // that the endpoint wants to be signed for; default region
	AccessKeyID         string            `yaml:"access_key_id"`
	SecretAccessKey     credential.Secret `yaml:"secret_access_key"`
	SecretAccessKeyFile string            `yaml:"secret_access_key_file"` // instead, a file with the secret alone
	Account             string            `yaml:"account"`                // whose the endpoint's buckets are, twelve digits
}

// DynamoDB passes requests on to an endpoint that keeps the tables of one account in one region. Without an
// endpoint there is no DynamoDB.
type DynamoDB struct {
	Endpoint            string            `yaml:"endpoint"`
	Region              string            `yaml:"region"` // of the tables, and what the endpoint is signed for; default region
	AccessKeyID         string            `yaml:"access_key_id"`
	SecretAccessKey     credential.Secret `yaml:"secret_access_key"`
	SecretAccessKeyFile string            `yaml:"secret_access_key_file"`
	Account             string            `yaml:"account"`
}

// Behind is an endpoint that stores, with all that it takes to call it.
type Behind struct {
	URL                          *url.URL
	Region, AccessKeyID, Account string
	SecretAccessKey              credential.Secret
}

// S3On reports whether S3 is answered.
func (c Config) S3On() bool {
	s := c.Resources.S3
	if s.Enabled != nil {
		return *s.Enabled
	}
	return !c.Hub() || s.Folder != "" || s.Endpoint != ""
}

// Behind reads the endpoint of a configuration that was checked; nil when there is none.
func (s S3) Behind() (*Behind, error) {
	return behind(s.Endpoint, s.Region, s.AccessKeyID, s.Account, s.SecretAccessKey, s.SecretAccessKeyFile)
}

// Behind reads the endpoint of a configuration that was checked; nil when there is none.
func (d DynamoDB) Behind() (*Behind, error) {
	return behind(d.Endpoint, d.Region, d.AccessKeyID, d.Account, d.SecretAccessKey, d.SecretAccessKeyFile)
}

// maxSecret bounds a file that holds a secret, in bytes.
const maxSecret = 4 << 10

func behind(endpoint, region, id, account string, secret credential.Secret, file string) (*Behind, error) {
	if endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", endpoint, err)
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the secret access key: %w", err)
		}
		b = bytes.TrimSpace(b)
		if len(b) == 0 || len(b) > maxSecret {
			return nil, fmt.Errorf("read the secret access key: %s has %d bytes", file, len(b))
		}
		secret = credential.Secret(b)
	}
	return &Behind{URL: u, Region: region, AccessKeyID: id, Account: account, SecretAccessKey: secret}, nil
}

var (
	accountIDs = regexp.MustCompile(`^[0-9]{12}$`)
	// scopeRegions are what other servers than AWS call their region: minio's us-east-1, garage, local-1.
	scopeRegions = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
)

// checkResources finds what is wrong with the storage.
func (c Config) checkResources(ps *Problems) {
	s, d := c.Resources.S3, c.Resources.DynamoDB
	if s.Folder != "" && s.Endpoint != "" {
		ps.Add("resources.s3", "folder and endpoint do not go together")
	}
	checkBehind(ps, "resources.s3", s.Endpoint, s.AccessKeyID, s.Account, s.SecretAccessKey, s.SecretAccessKeyFile)
	if s.Region != "" && !scopeRegions.MatchString(s.Region) {
		ps.Add("resources.s3.region", "%q is no name of a region", s.Region)
	}
	checkBehind(ps, "resources.dynamodb", d.Endpoint, d.AccessKeyID, d.Account, d.SecretAccessKey, d.SecretAccessKeyFile)
	if d.Region != "" && d.Region != c.Region && !regions.MatchString(d.Region) {
		ps.Add("resources.dynamodb.region", "%q is no AWS region", d.Region)
	}
}

func checkBehind(ps *Problems, at, endpoint, id, account string, secret credential.Secret, file string) {
	if endpoint == "" {
		if id != "" || secret != "" || file != "" || account != "" {
			ps.Add(at+".endpoint", "the keys and the account are an endpoint's: name it, or leave them out")
		}
		return
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		ps.Add(at+".endpoint", "%q is no http or https URL of a server", endpoint)
	}
	if id == "" {
		ps.Add(at+".access_key_id", "the endpoint's own access key is missing")
	}
	if (secret == "") == (file == "") {
		ps.Add(at+".secret_access_key", "set it or secret_access_key_file, one of them")
	}
	if !accountIDs.MatchString(account) {
		ps.Add(at+".account", "name the account whose data it is, twelve digits")
	}
}
