package systemd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	godbus "github.com/godbus/dbus/v5"
)

// AnnotationPrefix begins annotations that set any property of the unit. The rest of the key is the
// property's name, the value is in GVariant text format:
// org.systemd.property.TimeoutStopUSec=uint64 5000000.
const AnnotationPrefix = "org.systemd.property."

// FromAnnotations returns the properties that the annotations ask for, by name. For times, "…Sec"
// in seconds is understood beside systemd's own "…USec".
func FromAnnotations(annotations map[string]string) ([]Property, error) {
	var props []Property
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, AnnotationPrefix)
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
	var us uint64
	switch v := value.Value().(type) {
	case float64:
		us = uint64(v * second)
	case int16:
		us = uint64(v) * second
	case uint16:
		us = uint64(v) * second
	case int32:
		us = uint64(v) * second
	case uint32:
		us = uint64(v) * second
	case int64:
		us = uint64(v) * second
	case uint64:
		us = v * second
	default:
		return "", godbus.Variant{}, fmt.Errorf("%s is not a number of seconds", value)
	}
	return stem + "USec", godbus.MakeVariant(us), nil
}
