package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Server is server.json: where a running server is and where its files are. Secret but for the paths,
// since it holds the control credential.
type Server struct {
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Mode        string    `json:"mode"` // twin or hub
	URL         string    `json:"url"`  // of the TLS listener, by loopback when it listens everywhere
	PublicURL   string    `json:"publicUrl,omitempty"`
	Proxy       string    `json:"proxy,omitempty"`
	HTTP        string    `json:"http,omitempty"`
	Metrics     string    `json:"metrics,omitempty"`
	Region      string    `json:"region"`
	CA          string    `json:"ca"`
	CABundle    string    `json:"caBundle"`
	Credentials string    `json:"credentials"`
	AWSFolder   string    `json:"awsFolder"`   // holds config and credentials
	AzureFolder string    `json:"azureFolder"` // for AZURE_CONFIG_DIR
	Control     *Control  `json:"control,omitempty"`
}

// Control is the address of the control interface and the credential that opens it.
type Control struct {
	URL        string `json:"url"`
	Credential string `json:"credential"`
}

// Credentials is credentials.json: the administrators that the first start made.
type Credentials struct {
	AWS   AWSAdministrator   `json:"aws"`
	Azure AzureAdministrator `json:"azure"`
}

// AWSAdministrator is the root access key of the first account.
type AWSAdministrator struct {
	AccountID       string `json:"accountId"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	Region          string `json:"region"`
}

// AzureAdministrator is the application that administers the first tenant and owns its subscription.
type AzureAdministrator struct {
	TenantID       string `json:"tenantId"`
	Domain         string `json:"domain"`
	ClientID       string `json:"clientId"`
	ClientSecret   string `json:"clientSecret"`
	ObjectID       string `json:"objectId"` // of its service principal
	SubscriptionID string `json:"subscriptionId"`
}

// WriteServer says that the server is ready; Close takes it back.
func (f *Folder) WriteServer(s Server) error {
	s.CA, s.CABundle, s.Credentials = f.Path(CAFile), f.Path(BundleFile), f.Path(CredentialsFile)
	s.AWSFolder, s.AzureFolder = f.Path(awsFolder), f.Path(azureFolder)
	return f.writeJSON(ServerFile, s)
}

// WriteCredentials keeps the administrators' credentials, as JSON and in the AWS tools' own files.
func (f *Folder) WriteCredentials(c Credentials) error {
	if err := f.writeJSON(CredentialsFile, c); err != nil {
		return err
	}
	// Without the setting older clients presign S3's URLs in us-east-1 by signature version 2, which S3 refuses
	// for buckets made since June 2020.
	config := fmt.Sprintf("[default]\nregion = %s\ns3 =\n    signature_version = s3v4\n", c.AWS.Region)
	keys := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AWS.AccessKeyID, c.AWS.SecretAccessKey)
	for name, text := range map[string]string{"config": config, "credentials": keys} {
		name = filepath.Join(awsFolder, name)
		if _, err := os.Stat(f.Path(name)); err == nil {
			continue // the user's own profiles may be there by now
		}
		if err := f.Write(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return f.Write(name, append(b, '\n'), 0o600)
}

// ErrNoServer says that no server runs on a folder.
var ErrNoServer = errors.New("no server is running")

// ReadServer reads server.json of a folder; ErrNoServer when there is none.
func ReadServer(dir string) (Server, error) {
	var s Server
	err := readJSON(filepath.Join(dir, ServerFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("%w on the data folder %s", ErrNoServer, dir)
	}
	return s, err
}

// ReadCredentials reads the administrators' credentials that a running server names.
func (s Server) ReadCredentials() (c Credentials, err error) {
	return c, readJSON(s.Credentials, &c)
}

func readJSON(file string, into any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(file), err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}
