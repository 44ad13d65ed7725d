package plan

import (
	"os"
	"testing"
)

func TestX(t *testing.T) {
	p := sample()
	if err := Check(p); err != nil {
		t.Error(err)
	}
	Print(os.Stdout, p, PrintOptions{Calls: true})
	Print(os.Stdout, p, PrintOptions{})
}
