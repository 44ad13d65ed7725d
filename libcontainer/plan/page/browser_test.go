package page

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/ociruntime/ociruntime/libcontainer/plan"
	"github.com/ociruntime/ociruntime/libcontainer/trace"
)

// hundred is a plan of some 100 steps, as an engine's container has, with the trace of a run.
func hundred() *Page {
	b := plan.NewBuilder()
	b.Plan.Clone = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
	p := &Page{Title: "hundred", Subtitle: "/bundles/hundred", Plan: &b.Plan, Spec: &specs.Spec{
		Hostname: "web", Process: &specs.Process{Args: []string{"sh"}, Cwd: "/"},
		Linux: &specs.Linux{Sysctl: map[string]string{"net.ipv4.ip_forward": "1"}},
	}}
	at := 100.0
	add := func(group plan.Group, from, what string, n int) {
		b.Group = group
		for i := range n {
			from := strings.ReplaceAll(from, "%d", strconv.Itoa(i))
			b.Step(from, fmt.Sprintf(what, i), plan.Fsopen("tmpfs").Into(b.Reg()), plan.Mkdir(plan.CWD(), fmt.Sprint("dir", i), 0o755).Allowing(unix.EEXIST))
			p.Spans = append(p.Spans, trace.Span{Name: fmt.Sprintf(what, i), From: from, Init: true, Start: at, Took: 10, Self: 10})
			at += 10
			if strings.HasPrefix(from, "mounts") {
				p.Spec.Mounts = append(p.Spec.Mounts, specs.Mount{Destination: fmt.Sprint("/dir", i), Type: "tmpfs"})
			}
		}
	}
	add(plan.Namespaces, "default", "prepare %d", 8)
	add(plan.Cgroup, "linux.cgroupsPath", "join cgroup %d", 2)
	add(plan.Rootfs, "mounts[%d]", "mount tmpfs on /dir%d (nosuid,noexec,nodev,mode=1777,size=65536k)", 20)
	b.Host("hook", "hooks.createContainer", "run the createContainer hooks")
	p.Spans = append(p.Spans, trace.Span{Name: "run the createContainer hooks", From: "hooks.createContainer", Init: true, Waits: true, Start: at, Took: 60, Self: 10},
		trace.Span{Name: "run the createContainer hooks", From: "hooks.createContainer", Start: at + 5, Took: 50, Self: 50})
	at += 60
	add(plan.Rootfs, "linux.maskedPaths[%d]", "mask /proc/secret%d", 30)
	add(plan.Process, "linux.sysctl.net.ipv4.ip_forward", "write sysctl %d", 1)
	add(plan.Process, "process.cwd", "process step %d", 36)
	p.Spans = append(p.Spans, trace.Span{Name: "compile the plan", From: "default", Start: 0, Took: 90, Self: 90})
	return p
}

func saved(t *testing.T, p *Page) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(written(t, p)), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBrowser opens the page as a file and uses it as a reader would: by mouse, by keyboard, in
// light and dark, wide and narrow. PAGE_SHOTS is a folder for pictures to look at.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	file := saved(t, hundred())
	b.size(1200, 900)
	b.open(file)
	b.want(`document.title`, "hundred · ociruntime explain")
	b.want(`document.querySelectorAll(".step").length`, 98)
	b.want(`document.querySelectorAll("details[open]").length`, 0)
	b.want(`document.querySelector("#facts").textContent.replace(/\s+/g, " ")`, "98 steps196 system calls97 by the init1 by the host1.13 ms in all")
	b.want(`[...document.querySelectorAll(".room.made b")].map((e) => e.textContent).join()`, "mount,pid,network,ipc,uts")
	b.want(`[...document.querySelectorAll(".room.host b")].map((e) => e.textContent).join()`, "user,cgroup,time")

	// A click opens a step: its system calls, and its place.
	b.click("#step-13 summary")
	b.want(`document.querySelectorAll("details[open]").length`, 1)
	b.want(`document.querySelector("#step-13 .calls")?.textContent.includes('mkdirat(cwd, "dir2", 0755)')`, true)
	b.want(`JSON.parse(document.querySelector("#step-13 pre")?.textContent || "{}").destination`, "/dir2")
	b.want(`document.querySelector("#step-62 details").open`, false)
	b.click("#step-62 summary")
	b.want(`document.querySelector("#step-62 pre")?.textContent`, `"1"`)
	// One in the timeline leads to its step.
	b.eval(`window.scrollTo(0, 0)`)
	b.click(".lane:nth-child(2) .block:nth-child(20)")
	b.want(`document.activeElement.closest(".step").id`, "step-20")
	b.want(`document.querySelector("#step-20 details").open`, true)
	shots(b, "open")
	// By order, every step has a block.
	b.click("#scale button:last-child")
	b.want(`document.querySelectorAll(".block:not(.extra)").length`, 98)
	b.want(`document.querySelectorAll(".meet").length`, 2)

	keyboard(b)
	for _, width := range []int{1200, 700, 360} {
		b.size(width, 900)
		b.want(fmt.Sprintf(`"%d: " + (document.documentElement.scrollWidth > innerWidth ? "too wide" : "fits")`, width), fmt.Sprintf("%d: fits", width))
	}
	b.scheme("light")
	light := b.eval(`getComputedStyle(document.body).backgroundColor`)
	b.scheme("dark")
	if dark := b.eval(`getComputedStyle(document.body).backgroundColor`); dark == light {
		t.Errorf("dark is as light: %v", dark)
	}
	for _, c := range b.complaints(file) {
		t.Error(c)
	}
}

// keyboard does without a mouse.
func keyboard(b *browser) {
	b.t.Helper()
	b.eval(`document.activeElement.blur()`)
	b.press("/", "/")
	b.want(`document.activeElement.id + document.activeElement.value`, "search")
	for _, c := range "mask SECRET7" {
		b.press(string(c), string(c))
	}
	b.want(`document.querySelector("#count").textContent`, "1 of 98")
	b.want(`[...document.querySelectorAll(".step:not([hidden])")].map((e) => e.id).join()`, "step-39")
	b.want(`document.querySelectorAll(".block:not(.dim):not(.extra)").length`, 1)
	b.press("ArrowDown", "")
	b.want(`document.activeElement.closest(".step").id`, "step-39")
	b.press("Enter", "")
	b.want(`document.querySelector("#step-39 details").open`, true)
	b.eval(`document.querySelector("#search").focus()`)
	b.press("Escape", "")
	b.want(`document.querySelectorAll(".step:not([hidden])").length`, 98)
	b.eval(`document.querySelector("#step-39 summary").focus()`)
	b.press("ArrowDown", "")
	b.press("ArrowDown", "")
	b.press("ArrowUp", "")
	b.want(`document.activeElement.closest(".step").id`, "step-40")
	b.click("#all")
	b.want(`document.querySelectorAll("details[open]").length`, 98)
	b.click("#all")
	b.want(`document.querySelectorAll("details[open]").length`, 0)
}

// Text that would like to be markup is text.
func TestBrowserEscape(t *testing.T) {
	b := newBrowser(t)
	file := saved(t, sample())
	b.open(file)
	b.click("#step-3 summary")
	b.click("#all")
	b.want(`document.querySelector("h1").textContent`, evil)
	b.want(`document.querySelector("#step-3 .what").textContent`, "execute "+evil)
	b.want(`document.querySelector("#notes li").textContent`, evil)
	b.want(`document.querySelectorAll("img").length`, 0)
	b.want(`document.querySelectorAll("script").length`, 2)
	for _, c := range b.complaints(file) {
		t.Error(c)
	}
}

// shots takes pictures, where they are asked for.
func shots(b *browser, name string) {
	b.t.Helper()
	dir := os.Getenv("PAGE_SHOTS")
	if dir == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{1200, 390} {
			b.scheme(scheme)
			b.size(width, 900)
			b.eval(`window.scrollTo(0, 0)`)
			var r struct{ Data string }
			b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": map[string]any{"x": 0, "y": 0, "width": width, "height": 1800, "scale": 1}}, &r)
			data, err := base64.StdEncoding.DecodeString(r.Data)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), data, 0o644)
			}
			if err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.scheme("light")
	b.size(1200, 900)
}
