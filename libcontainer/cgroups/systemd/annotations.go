package systemd

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	godbus "github.com/godbus/dbus/v5"

	"github.com/ociruntime/ociruntime/specconv/names"
)

// FromAnnotations returns the properties of the unit that annotations ask for, by name. The key of
// such an annotation is the property's name behind [names.SystemdProperty], its value is in
// GVariant text format: org.systemd.property.TimeoutStopUSec=uint64 5000000. For times, "…Sec" in
// seconds is understood beside systemd's own "…USec".
func FromAnnotations(annotations map[string]string) ([]Property, error) {
	var props []Property
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, names.SystemdProperty)
		if !ok {
			continue
		}
		place := fmt.Sprintf("annotations[%q]", key)
		if len(name) < 3 || strings.ContainsFunc(name, func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' }) {
			return nil, fmt.Errorf("%s: %q is not the name of a systemd property", place, name)
		}
		value, err := godbus.ParseVariant(annotations[key], godbus.Signature{})
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a value in GVariant text format: %w", place, annotations[key], err)
		}
		if name, value, err = toMicroseconds(name, value); err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		props = append(props, Property{name, value, place})
	}
	return props, nil
}

// toMicroseconds renames a property in seconds, "TimeoutStopSec", to what it is called on D-Bus.
// The letter in front tells it from the "USec" of a name that is right already.
func toMicroseconds(name string, value godbus.Variant) (string, godbus.Variant, error) {
	stem, ok := strings.CutSuffix(name, "Sec")
	if !ok || stem == "" || stem[len(stem)-1] < 'a' || stem[len(stem)-1] > 'z' {
		return name, value, nil
	}
	us, ok := microseconds(value.Value())
	if !ok {
		return "", godbus.Variant{}, fmt.Errorf("%s is not a number of seconds that systemd could be told", value)
	}
	return stem + "USec", godbus.MakeVariant(us), nil
}

// microseconds gives seconds of any type of number. The largest number stays what it is: to systemd
// it is "infinity".
func microseconds(seconds any) (us uint64, ok bool) {
	const most = math.MaxUint64 / second
	v := reflect.ValueOf(seconds)
	switch {
	case v.CanFloat():
		return uint64(v.Float() * second), v.Float() >= 0 && v.Float() < most
	case v.CanInt():
		return uint64(v.Int()) * second, v.Int() >= 0 && v.Int() <= most
	case v.CanUint() && v.Uint() == math.MaxUint64:
		return math.MaxUint64, true
	case v.CanUint():
		return v.Uint() * second, v.Uint() <= most
	}
	return 0, false
}
