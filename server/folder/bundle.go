package folder

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/treatyfed/treaty/server/localca"
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

// WriteBundle writes the local authority and the system's in one file: the variables that name a bundle
// (AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE, SSL_CERT_FILE) replace a client's own list, and what is tunnelled
// must still verify. fromEnv is a bundle that the user set for himself; it comes before the system's.
func (f *Folder) WriteBundle(root *localca.Root, fromEnv string) error {
	var b bytes.Buffer
	b.WriteString("# Treaty's local authority, then the system's authorities. Written at each start.\n")
	b.Write(root.PEM())
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
