package folder

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// systemBundles are the places where systems keep their authorities in one file: Debian, Fedora and RHEL,
// openSUSE, Alpine and macOS.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// WriteAuthorities writes the local authorities, of which the first is what Authority gave: alone, and before
// the system's.
func (f *Folder) WriteAuthorities(authorities []byte, fromEnv string) error {
	if err := f.Write(CAFile, authorities, 0o644); err != nil {
		return err
	}
	return f.writeBundle(authorities, fromEnv)
}

// writeBundle writes the local authorities and the system's in one file: the variables that name a bundle
// (AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE, SSL_CERT_FILE) replace a client's own list, and what is tunnelled
// must still verify. fromEnv is a bundle that the user set for himself; it comes before the system's.
func (f *Folder) writeBundle(authorities []byte, fromEnv string) error {
	var b bytes.Buffer
	b.WriteString("# Treaty's local authorities, then the system's. Written at each start.\n")
	b.Write(authorities)
	candidates := systemBundles
	if fromEnv != "" && filepath.Clean(fromEnv) != f.Path(BundleFile) {
		candidates = append([]string{fromEnv}, systemBundles...)
	}
	for _, file := range candidates {
		system, err := os.ReadFile(file)
		if err == nil && len(system) > 0 {
			fmt.Fprintf(&b, "# %s\n", file)
			b.Write(system)
			break
		}
	}
	return f.Write(BundleFile, b.Bytes(), 0o644)
}
