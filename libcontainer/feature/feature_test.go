package feature

import "testing"

func TestVersion(t *testing.T) {
	for release, want := range map[string]Version{
		"6.18.5": {6, 18}, "5.15.0-91-generic": {5, 15}, "6.1-rc2": {6, 1}, "5.14.0-427.el9.x86_64": {5, 14}, "": {}, "six": {},
	} {
		if got := parse(release); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
	if v := (Version{5, 2}); !v.Before(Version{5, 12}) || !v.Before(Version{6, 0}) || v.Before(v) || v.Before(Version{4, 20}) {
		t.Error("the order of versions")
	}
}

func TestHas(t *testing.T) {
	for v, want := range map[Version]bool{{6, 10}: false, {6, 11}: true, {7, 0}: true, {}: false} {
		if got := v.Has(OverlayLayers); got != want {
			t.Errorf("Linux %v: %v", v, got)
		}
	}
	if (Version{6, 18}).Has("nothing") {
		t.Error("a feature that is not in the table")
	}
	if Running() == (Version{}) {
		t.Error("the version of this kernel is not known")
	}
}
