package explain

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
)

// Text writes a report for a terminal. Colour is for terminals only; without it the marks still tell
// passed (ok), failed (no) and not made (--) apart.
type Text struct {
	Colour bool
}

const (
	green = "\x1b[32m"
	red   = "\x1b[31m"
	faint = "\x1b[2m"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
)

func (t Text) paint(colour, s string) string {
	if !t.Colour {
		return s
	}
	return colour + s + plain
}

// Write writes the whole report.
func (t Text) Write(w io.Writer, r Report) error {
	var b strings.Builder
	t.head(&b, r)
	for _, s := range r.Sections {
		t.section(&b, s)
	}
	if r.Change != "" {
		fmt.Fprintf(&b, "\n%s\n  %s\n", t.paint(bold, "What to change"), printable(r.Change))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t Text) head(b *strings.Builder, r Report) {
	switch {
	case r.Pass:
		fmt.Fprintln(b, t.paint(green, "ACCEPTED"))
	case r.Answer.Code != "":
		fmt.Fprintf(b, "%s  %s", t.paint(red, "REFUSED"), r.Answer.Code)
		if r.Answer.Error != "" {
			fmt.Fprintf(b, "  %s", r.Answer.Error)
		}
		if r.Answer.Status != 0 {
			fmt.Fprintf(b, " (HTTP %d)", r.Answer.Status)
		}
		fmt.Fprintln(b)
	default:
		fmt.Fprintln(b, t.paint(red, "REFUSED"))
	}
	if r.Answer.Text != "" {
		fmt.Fprintf(b, "  %s\n", printable(r.Answer.Text))
	}
	for _, f := range []struct{ name, value string }{
		{"request", r.RequestID}, {"correlation", r.CorrelationID}, {"operation", r.Operation}, {"caller", r.Caller}, {"resource", r.Resource},
	} {
		if f.value != "" {
			fmt.Fprintf(b, "  %-12s %s\n", f.name, printable(f.value))
		}
	}
	if !r.Time.IsZero() {
		fmt.Fprintf(b, "  %-12s %s\n", "at", r.Time.UTC().Format("2006-01-02 15:04:05Z"))
	}
}

func (t Text) section(b *strings.Builder, s Section) {
	fmt.Fprintf(b, "\n%s", t.paint(bold, printable(s.Title)))
	if s.Note != "" {
		fmt.Fprintf(b, "  (%s)", printable(s.Note))
	}
	fmt.Fprintln(b)
	for _, c := range s.Checks {
		t.check(b, c)
	}
}

func (t Text) check(b *strings.Builder, c evidence.Check) {
	mark := t.paint(green, "ok")
	switch {
	case c.Skipped:
		mark = t.paint(faint, "--")
	case !c.OK:
		mark = t.paint(red, "no")
	}
	fmt.Fprintf(b, "  %s  %s", mark, printable(c.Name))
	if c.Claim != "" && generic[c.Name] {
		fmt.Fprintf(b, " %s %s", printable(c.Claim), printable(c.Operator))
	}
	if c.OK && !c.Skipped && len(c.Got) > 0 {
		fmt.Fprintf(b, "  %s", t.paint(faint, list(c.Got, printable)))
	}
	if c.Skipped || c.OK {
		if c.Note != "" {
			fmt.Fprintf(b, "  %s", t.paint(faint, printable(c.Note)))
		}
		fmt.Fprintln(b)
		return
	}
	fmt.Fprintln(b)
	t.failed(b, c)
}

// generic are the names of checks that there are many of, told apart by what they looked at.
var generic = map[string]bool{policy.CheckCondition: true, "required claim": true, "certificate": true}

// failed shows what was wanted and what came, one below the other, and marks where they part.
func (t Text) failed(b *strings.Builder, c evidence.Check) {
	show := printable
	if len(c.Want) == 1 && len(c.Got) == 1 && (printable(c.Want[0]) != c.Want[0] || printable(c.Got[0]) != c.Got[0]) {
		show = strconv.Quote // both or neither, so that the columns agree
	}
	if len(c.Want) > 0 {
		fmt.Fprintf(b, "        wanted  %s\n", list(c.Want, show))
	}
	if len(c.Got) > 0 {
		fmt.Fprintf(b, "        got     %s\n", list(c.Got, show))
	} else if c.Claim != "" {
		fmt.Fprintf(b, "        got     %s\n", t.paint(faint, "(absent)"))
	}
	if alike := c.Operator == "equals" || c.Operator == "contains" || c.Operator == "eq"; alike && len(c.Want) == 1 && len(c.Got) == 1 && c.Want[0] != c.Got[0] {
		fmt.Fprintf(b, "                %s%s\n", strings.Repeat(" ", column(c.Want[0], c.Got[0], show)), t.paint(red, "^"))
	}
	if c.Note != "" {
		fmt.Fprintf(b, "        %s\n", printable(inDays(c.Note)))
	}
}

// away begins the note of a check of time.
var away = regexp.MustCompile(`^(expired|lies) ([0-9]+)h[0-9]+m[0-9]+s (ago|ahead)`)

// inDays shows how far a time lies away in days, from two of them on: nobody reads thousands of hours.
func inDays(note string) string {
	m := away.FindStringSubmatch(note)
	if m == nil {
		return note
	}
	hours, err := strconv.Atoi(m[2])
	if err != nil || hours < 48 {
		return note
	}
	return fmt.Sprintf("%s %d days %s", m[1], hours/24, m[3]) + note[len(m[0]):]
}

// column is where the printed forms of two strings first differ, in characters.
func column(want, got string, show func(string) string) int {
	w, g := []rune(show(want)), []rune(show(got))
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return i
		}
	}
	return min(len(w), len(g))
}

func list(vs []string, show func(string) string) string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = show(v)
	}
	return strings.Join(out, ", ")
}

// printable shows white space at the ends and control characters instead of sending them to a terminal:
// claims come from strangers.
func printable(s string) string {
	if s == "" {
		return `""`
	}
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if s != strings.TrimSpace(s) || strings.ContainsFunc(s, hidden) {
		return strconv.Quote(s)
	}
	return s
}

func quote(s string) string { return strconv.Quote(s) }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
