package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/server"
)

const publishHelp = `Write the public documents of issuers as files: discovery and keys, all that AWS and Entra read of an issuer
which they trust. Uploaded to a bucket or CDN that answers at the issuer's URL, they make it a real issuer,
though the server itself is not public. Without names all issuers are written.

DIR becomes the root of the issuer's host; for an issuer whose URL has a path the files lie below that path.
Issuers of several hosts get a folder each, DIR/HOST. Both documents are JSON: have them served as
application/json, over https. Publish again after a key was made: a day before it is used, unless by
treaty issuer rotate.`

// published is one file that was written.
type published struct {
	Issuer string `json:"issuer"`
	File   string `json:"file"`
	URL    string `json:"url"`
}

func (a *app) issuerPublish() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "publish DIR [NAME…]", Short: "Write discovery and keys as files for a bucket or CDN", Long: publishHelp,
		Example: "  treaty issuer publish site acme && aws s3 sync site s3://sso-acme-example --content-type application/json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "" {
				return usage("treaty issuer publish --help has an example", "publish takes a folder")
			}
			return nil
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return completed(a.issuerNames)(c, args[1:], part)
		},
		RunE: func(c *cobra.Command, args []string) error {
			out, err := a.publish(c.Context(), args[0], args[1:])
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(map[string]any{"files": out})
			}
			for _, p := range out {
				fmt.Fprintf(a.stdout, "%s: wrote %s for %s\n", p.Issuer, p.File, p.URL)
			}
			for _, p := range out {
				if strings.HasSuffix(p.URL, "/openid-configuration") {
					fmt.Fprintf(a.stdout, "check with: curl -fsS %s\n", p.URL)
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// publish writes the documents of the named issuers, or of all.
func (a *app) publish(ctx context.Context, dir string, wanted []string) (out []published, err error) {
	if len(wanted) == 0 {
		if wanted, err = a.issuerNames(ctx); err != nil {
			return nil, err
		}
		if len(wanted) == 0 {
			return nil, &hinted{errors.New("there is no issuer"), "make one with treaty issuer create", exitFailure}
		}
	}
	type site struct {
		name string
		at   *url.URL
		docs map[string]string
	}
	var sites []site
	hosts := map[string]bool{}
	for _, name := range wanted {
		var v server.DocumentsView
		if err := a.control(ctx, http.MethodGet, issuerPath(name)+"/documents", nil, &v); err != nil {
			return nil, err
		}
		u, err := url.Parse(v.Issuer)
		if err != nil {
			return nil, fmt.Errorf("the URL of issuer %s: %w", name, err)
		}
		hosts[u.Host] = true
		sites = append(sites, site{name, u, v.Documents})
	}
	for _, s := range sites {
		root, err := siteRoot(dir, s.at.Host, len(hosts) > 1)
		if err != nil {
			return nil, fmt.Errorf("publish issuer %s: %w", s.name, err)
		}
		for _, below := range slices.Sorted(maps.Keys(s.docs)) {
			at := *s.at
			at.Path, at.RawPath = path.Join("/", s.at.Path, below), ""
			file, err := writePublic(root, at.Path, s.docs[below])
			if err != nil {
				return nil, fmt.Errorf("publish issuer %s: %w", s.name, err)
			}
			out = append(out, published{s.name, file, at.String()})
		}
	}
	return out, nil
}

// siteRoot is the folder of a host, which is one of several or the only one.
func siteRoot(dir, host string, several bool) (string, error) {
	if !several {
		return dir, nil
	}
	below := strings.ReplaceAll(host, ":", "_")
	if !filepath.IsLocal(below) {
		return "", fmt.Errorf("the folder of its host %q would lie outside of %s", host, dir)
	}
	return filepath.Join(dir, below), nil
}

// writePublic writes a file that others read, below a folder, in one step: a web server never sees half.
func writePublic(root, at, text string) (file string, err error) {
	name := filepath.FromSlash(strings.TrimPrefix(at, "/"))
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%s would lie outside of %s", at, root)
	}
	file = filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return "", fmt.Errorf("%s is a folder: %w", file, fs.ErrExist)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".treaty-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return file, os.Rename(f.Name(), file)
}
