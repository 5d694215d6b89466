#!/usr/bin/env bash
# Installs the real clients that the tests run, from Debian's packages, the npm registry and the Go module proxy,
# where they are missing. Without root it installs nothing from Debian: the tests that need a missing client then skip
# with their reason, or fail when CI=true.
set -euo pipefail
cd "$(dirname "$0")/.."

# A mirror that does not answer at once is asked again; what it says is shown when it never does.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
persistently() {
	local rest
	for rest in 5 20 60 0; do
		"$@" >"$log" 2>&1 && return
		echo "failed: $*" >&2
		sleep "$rest"
	done
	cat "$log" >&2
	return 1
}

missing=()
need() { [ -e "$1" ] || missing+=("$2"); }
need /usr/bin/aws awscli
need /usr/bin/az azure-cli
need /usr/bin/curl curl
need /usr/bin/kubectl kubernetes-client
need /usr/bin/xmlsec1 xmlsec1
need /usr/lib/python3/dist-packages/authlib python3-authlib
need /usr/lib/python3/dist-packages/boto3 python3-boto3
need /usr/lib/python3/dist-packages/google/auth python3-google-auth
need /usr/lib/python3/dist-packages/httpx python3-httpx
need /usr/lib/python3/dist-packages/msal python3-msal
need /usr/bin/openssl openssl
need /usr/lib/python3/dist-packages/azure/identity python3-azure
command -v npm >/dev/null || missing+=(npm)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)

if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing from Debian: ${missing[*]}"
		export DEBIAN_FRONTEND=noninteractive
		persistently apt-get update -q
		persistently apt-get install -y -q --no-install-recommends "${missing[@]}"
	else
		echo "not installed (no root): ${missing[*]}" >&2
	fi
fi

if command -v npm >/dev/null; then
	if ! [ -d clients/node/node_modules ] || [ clients/node/package-lock.json -nt clients/node/node_modules ]; then
		echo "installing from npm: clients/node"
		persistently npm ci --prefix clients/node --no-audit --no-fund --ignore-scripts --loglevel=error
		touch clients/node/node_modules
	fi
else
	echo "npm is not installed: the Node clients will not be tested" >&2
fi

# OpenTofu and Terraform's AWS provider are in no package of Debian: they are built from the Go module proxy, each by a
# module of its own, which alone says their versions (docs/decisions/0008-terraform.md).
build() { # the module's folder, the package, the binary
	local module=clients/terraform/$1 out=$PWD/bin/clients/$3
	if [ -e "$out" ] && [ -z "$(find "$module" -newer "$out" -print -quit)" ]; then return; fi
	echo "building $3 from the Go module proxy takes some minutes" >&2
	persistently go -C "$module" list -deps "$2" &&
		CGO_ENABLED=0 go -C "$module" build -trimpath -ldflags '-s -w' -o "$out" "$2" &&
		touch "$out" && # go build leaves a binary alone that would come out the same
		echo "built $3" >&2
}
build core github.com/opentofu/opentofu/cmd/tofu tofu || echo "OpenTofu is not built: Terraform will not be tested" >&2
build provider github.com/terraform-providers/terraform-provider-aws terraform-provider-aws ||
	echo "Terraform's AWS provider is not built: it will not be tested" >&2
