package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// image is what critest expects to find below one or more names.
type image struct {
	names []string
	user  string
	cmd   []string
	files []file // on top of busybox
}

type file struct {
	name string
	mode fs.FileMode
	text string
}

// busybox of Debian has neither of these.
const (
	pgrep = "#!/bin/sh\nfor i in /proc/[0-9]*; do [ \"$(cat $i/comm 2>/dev/null)\" != \"$1\" ] || { echo ${i#/proc/}; found=1; }; done\n[ \"$found\" ]\n"
	ipcs  = "#!/bin/sh\nexec cat /proc/sysvipc/shm\n"
	// Others are links to busybox: a mount on one of them would cover all.
	ls = "#!/bin/sh\nexec /bin/busybox ls \"$@\"\n"
	// readable is the mode of what is no program.
	readable, executable, setuid fs.FileMode = 0o644, 0o755, 0o4755
)

func tools() []file {
	return []file{
		{"bin/pgrep", executable, pgrep},
		{"bin/ipcs", executable, ipcs},
		{"bin/ls", executable, ls},
		{"var/run/", executable, ""},
	}
}

// images are all that there is. program is this one, which stands in for web servers.
func images(program string) []image {
	const e2e, staging = "e2e-test-images/", "k8s-staging-cri-tools/"
	// Not sleep: tests look for processes of that name, and a pod may share its pids.
	pause, shell := []string{"tail", "-f", "/dev/null"}, []string{"sh"}
	list := []image{
		{names: []string{"pause:latest"}, cmd: pause, user: "65535:65535"},
		{names: []string{"pause:3.9"}, cmd: pause},
		{names: []string{"test:latest", e2e + "busybox:1.29-2"}, cmd: shell},
		{names: []string{e2e + "nginx:1.14-2"}, cmd: []string{"/bin/nginx", "80"}, files: []file{{"bin/nginx", executable, program}}},
		{names: []string{e2e + "httpd:2.4.39-4"}, cmd: []string{"/bin/httpd", "80"}, files: []file{{"bin/httpd", executable, program}}},
		{names: []string{e2e + "nonewprivs:1.3"}, cmd: []string{"/bin/nnp"}, files: []file{{"bin/nnp", setuid, program}}},
		{names: []string{staging + "hostnet-nginx-amd64:latest", staging + "hostnet-nginx-arm64:latest"},
			cmd: []string{"/bin/nginx", "12003"}, files: []file{{"bin/nginx", executable, program}}},
		{names: []string{staging + "test-image-user-uid:latest"}, user: "1002"},
		{names: []string{staging + "test-image-user-uid-group:latest"}, user: "1003:users"},
		{names: []string{staging + "test-image-user-username:latest"}, user: "www-data"},
		{names: []string{staging + "test-image-user-username-group:latest"}, user: "www-data:100"},
		{names: []string{staging + "test-image-predefined-group:latest"}, user: "1000", files: []file{
			{"etc/passwd", readable, "root:x:0:0:root:/root:/bin/sh\ndefault-user:x:1000:1000::/home/user:/bin/sh\n"},
			{"etc/group", readable, "root:x:0:\ndefault-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n"},
		}},
		{names: []string{staging + "test-image-tags:1", staging + "test-image-tags:2", staging + "test-image-tags:3"},
			cmd: shell, files: []file{{"tags", readable, ""}}},
	}
	for _, name := range []string{"1:latest", "2:latest", "3:latest", "latest:latest", "tag:test", "tag:all"} {
		list = append(list, image{names: []string{staging + "test-image-" + name}, cmd: shell, files: []file{{name, readable, name}}})
	}
	return list
}

// baseLayer reads the one layer of an archive of Docker's.
func baseLayer(archive string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: a layer: %w", archive, err)
		}
		if strings.HasSuffix(h.Name, "/layer.tar") {
			return io.ReadAll(r)
		}
	}
}

// layer makes a layer. Directories have a slash at the end.
func layer(files []file) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(f.text)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}
