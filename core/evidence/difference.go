package evidence

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says how two strings differ, as far as a human would say it in two words.
type Kind string

// Kinds of difference. The first that holds is given, in this order.
const (
	Same          Kind = ""
	Case          Kind = "case"
	TrailingSlash Kind = "trailing slash"
	WhiteSpace    Kind = "white space" // also invisible characters
	URLEncoding   Kind = "URL encoding"
	Scheme        Kind = "scheme"     // https:// is missing, twice there, or http://
	LookAlike     Kind = "look-alike" // letters of another script or width, or 0 and O, 1, l and I
	Other         Kind = "other"
)

// Diff is the difference of a string that was wanted and one that came.
type Diff struct {
	Kind   Kind
	Offset int    // bytes before the first difference; never within a character
	Want   string // the character there, "" at the end of the string
	Got    string
}

// Equal reports that there is none.
func (d Diff) Equal() bool { return d.Kind == Same }

// Difference compares two strings.
func Difference(want, got string) Diff {
	if want == got {
		return Diff{Kind: Same, Offset: len(want)}
	}
	at := 0
	for at < len(want) && at < len(got) {
		w, n := utf8.DecodeRuneInString(want[at:])
		g, m := utf8.DecodeRuneInString(got[at:])
		if w != g || n != m || want[at:at+n] != got[at:at+m] {
			break
		}
		at += n
	}
	return Diff{Kind: kindOf(want, got), Offset: at, Want: character(want[at:]), Got: character(got[at:])}
}

func character(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// maxExplained bounds the strings whose difference is named; no issuer or subject comes near.
const maxExplained = 4096

func kindOf(want, got string) Kind {
	if len(want) > maxExplained || len(got) > maxExplained {
		return Other
	}
	plain := ascii(want) && ascii(got)
	switch {
	case strings.EqualFold(want, got):
		return Case
	case strings.TrimRight(want, "/") == strings.TrimRight(got, "/"):
		return TrailingSlash
	case visible(want) == visible(got):
		return WhiteSpace
	case (strings.Contains(want, "%") || strings.Contains(got, "%")) && decoded(want) == decoded(got):
		return URLEncoding
	case bare(want) == bare(got):
		return Scheme
	case plain && alike(want, got), !plain && skeleton(want) == skeleton(got):
		return LookAlike
	}
	return Other
}

// alike compares skeletons of ASCII, where look-alikes stand one for one.
func alike(want, got string) bool {
	if len(want) != len(got) {
		return false
	}
	for i := range len(want) {
		if w, g := want[i], got[i]; w != g && skeleton(string(w)) != skeleton(string(g)) {
			return false
		}
	}
	return true
}

// ascii reports printable ASCII without spaces, to which most of the kinds do not apply.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// visible leaves out white space and what no reader sees: control and format characters.
func visible(s string) string {
	if ascii(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) {
			return -1
		}
		return r
	}, s)
}

func decoded(s string) string {
	d, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return d
}

func bare(s string) string {
	for {
		switch {
		case strings.HasPrefix(s, "https://"):
			s = s[len("https://"):]
		case strings.HasPrefix(s, "http://"):
			s = s[len("http://"):]
		default:
			return s
		}
	}
}

// lookAlikes maps characters to the ASCII one that they resemble (Unicode TR 39, confusables): Cyrillic and
// Greek letters, the dashes, quotes and dots of word processors, and what ASCII itself confuses.
var lookAlikes = strings.NewReplacer(
	"\u0410", "A", "\u0412", "B", "\u0415", "E", "\u041A", "K", "\u041C", "M", "\u041D", "H", "\u041E", "O", "\u0420", "P",
	"\u0421", "C", "\u0422", "T", "\u0425", "X", "\u0406", "l", "\u0408", "J", "\u0405", "S", "\u0430", "a", "\u0435", "e",
	"\u043E", "o", "\u0440", "p", "\u0441", "c", "\u0443", "y", "\u0445", "x", "\u0456", "i", "\u0458", "j", "\u0455", "s",
	"\u0501", "d", "\u04BB", "h", "\u051B", "q", "\u051D", "w", "\u0391", "A", "\u0392", "B", "\u0395", "E", "\u0396", "Z",
	"\u0397", "H", "\u0399", "l", "\u039A", "K", "\u039C", "M", "\u039D", "N", "\u039F", "O", "\u03A1", "P", "\u03A4", "T",
	"\u03A5", "Y", "\u03A7", "X", "\u03BF", "o", "\u03BD", "v", "\u03B9", "i", "\u0131", "i", "\u0261", "g", "\u2010", "-",
	"\u2011", "-", "\u2012", "-", "\u2013", "-", "\u2014", "-", "\u2212", "-", "\u2018", "'", "\u2019", "'", "\u2024", ".",
	"\u2215", "/", "\u2044", "/", "\u0589", ":", "\u2236", ":", "\uA789", ":",
	"0", "O", "1", "l", "I", "l",
)

func skeleton(s string) string {
	return lookAlikes.Replace(strings.Map(func(r rune) rune {
		if r >= 0xFF01 && r <= 0xFF5E { // full-width forms of ASCII
			return r - 0xFF01 + '!'
		}
		return r
	}, s))
}

// String says in one line where two strings part and how.
func (d Diff) String() string {
	if d.Equal() {
		return "no difference"
	}
	where := fmt.Sprintf("differs from byte %d on: wanted %s, got %s", d.Offset+1, shown(d.Want), shown(d.Got))
	switch d.Kind {
	case Case:
		return where + "; only upper and lower case differ"
	case TrailingSlash:
		return where + "; only the slash at the end differs"
	case WhiteSpace:
		return where + "; only white space or invisible characters differ"
	case URLEncoding:
		return where + "; equal after percent-decoding"
	case Scheme:
		return where + "; only the scheme differs"
	case LookAlike:
		return where + "; the characters only look alike"
	case Same, Other:
	}
	return where
}

func shown(c string) string {
	switch {
	case c == "":
		return "the end"
	case c > "~":
		r, _ := utf8.DecodeRuneInString(c)
		return fmt.Sprintf("%+q (%U)", c, r)
	}
	return fmt.Sprintf("%q", c)
}
