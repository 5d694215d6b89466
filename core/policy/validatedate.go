package policy

import (
	"strconv"
	"strings"
)

// The dates that IAM's first parser takes are more than those that can ever match a request: years beyond
// four digits, hours without minutes, "01T". The bounds of the year are those of Java's milliseconds.
const (
	firstYear = -292275054
	lastYear  = 292278993
)

func areDates(values []string) bool {
	for _, v := range values {
		if !isDate(strings.ToLower(v)) {
			return false
		}
	}
	return true
}

func isDate(v string) bool {
	if !strings.ContainsAny(v, "t-") {
		n, err := strconv.ParseInt(v, 10, 64) // seconds since 1970
		return err == nil && n >= 0
	}
	day, clock, _ := strings.Cut(v, "t")
	return isDay(day) && isClock(clock)
}

func isDay(day string) bool {
	year, rest, _ := strings.Cut(strings.TrimPrefix(day, "-"), "-")
	if strings.HasPrefix(day, "-") {
		year = "-" + year
	}
	month, date, _ := strings.Cut(rest, "-")
	return between(year, firstYear, lastYear) &&
		(month == "" && date == "" || between(month, 1, 12)) &&
		(date == "" || between(date, 1, 31))
}

// isClock reads a time with its zone.
func isClock(clock string) bool {
	if at := strings.IndexAny(clock, "z+-"); at >= 0 {
		if !isZone(clock[at:]) {
			return false
		}
		clock = clock[:at]
	}
	hours, rest, _ := strings.Cut(clock, ":")
	minutes, rest, _ := strings.Cut(rest, ":")
	seconds, fraction, _ := strings.Cut(rest, ".")
	return (clock == "" || between(hours, 0, 23)) &&
		(minutes == "" && rest == "" || between(minutes, 0, 59)) &&
		(rest == "" || between(seconds, 0, 59)) &&
		(fraction == "" || len(fraction) <= 9 && digits(fraction))
}

func isZone(zone string) bool {
	if zone == "z" {
		return true
	}
	hours, minutes, _ := strings.Cut(zone[1:], ":")
	return zone[0] != 'z' && len(hours) == 2 && between(hours, 0, 23) &&
		(minutes == "" || len(minutes) == 2 && between(minutes, 0, 59))
}

func between(s string, least, most int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= most
}
