package policy

import (
	"net/netip"
	"strings"
)

// network is a value of IpAddress. The zero value contains nothing.
type network struct {
	address netip.Addr
	bits    int
}

// parseNetwork reads a CIDR block, or an address alone. Zeros may lead numbers and a "+" the length. Host
// bits of IPv4 do not count; those of IPv6 do, so that 2001:db8::5/64 contains nothing at all.
func parseNetwork(s string) (network, bool) {
	text, length, has := strings.Cut(s, "/")
	a, ok := parseAddress(text)
	if !ok {
		return network{}, false
	}
	n := network{a, a.BitLen()}
	if has {
		bits, ok := signedDigits(length)
		if !ok || length[0] == '-' || bits > int64(a.BitLen()) {
			return network{}, false
		}
		n.bits = int(bits)
	}
	if a.Is4() {
		p, err := a.Prefix(n.bits)
		if err != nil {
			return network{}, false
		}
		n.address = p.Addr()
	}
	return n, true
}

// contains compares within one family: IPv4 mapped into IPv6 counts as IPv4 in a request, but not in a
// policy, where it therefore contains nothing.
func (n network) contains(a netip.Addr) bool {
	if !n.address.IsValid() || n.address.BitLen() != a.BitLen() {
		return false
	}
	p, err := a.Prefix(n.bits)
	return err == nil && p.Addr() == n.address
}

// maxAddress bounds the text of an address.
const maxAddress = 64

// parseAddress reads an address. The cloud takes 192.000.002.1 and 2001:db8:::1, but no shorter forms of
// IPv4, no zones and a dotted tail only of mapped addresses.
func parseAddress(s string) (netip.Addr, bool) {
	if len(s) > maxAddress || strings.Contains(s, "%") {
		return netip.Addr{}, false
	}
	if !strings.Contains(s, ":") {
		return parseIPv4(s)
	}
	a, err := netip.ParseAddr(strings.Replace(s, ":::", "::", 1))
	if err != nil || strings.Contains(s, ".") && !a.Is4In6() {
		return netip.Addr{}, false
	}
	return a, true
}

func parseIPv4(s string) (netip.Addr, bool) {
	var octets [4]byte
	for i := range octets {
		part, rest, more := strings.Cut(s, ".")
		if more != (i < 3) || part == "" || len(part) > 3 || !digits(part) {
			return netip.Addr{}, false
		}
		n := 0
		for j := range len(part) {
			n = 10*n + int(part[j]-'0')
		}
		if n > 255 {
			return netip.Addr{}, false
		}
		octets[i], s = byte(n), rest
	}
	return netip.AddrFrom4(octets), true
}
