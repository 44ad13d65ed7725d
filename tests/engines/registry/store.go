package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

// descriptor names a blob in a manifest.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

// store is what the registry has, and serves.
type store struct {
	blobs map[string][]byte // by digest; manifests are among them
	tags  map[string]string // digests of manifests by name:tag
}

func newStore() *store { return &store{make(map[string][]byte), make(map[string]string)} }

func (s *store) add(mediaType string, data []byte) descriptor {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
	s.blobs[digest] = data
	return descriptor{mediaType, digest, len(data)}
}

// addAll makes the images of busybox's layer.
func (s *store) addAll(base, program []byte) error {
	more, err := layer(tools())
	if err != nil {
		return err
	}
	shared := []descriptor{s.add(layerType, base), s.add(layerType, more)}
	for _, i := range images(string(program)) {
		if err := s.addImage(i, shared); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) addImage(i image, shared []descriptor) error {
	layers := shared[:len(shared):len(shared)]
	if len(i.files) > 0 {
		own, err := layer(i.files)
		if err != nil {
			return err
		}
		layers = append(layers, s.add(layerType, own))
	}
	ids := make([]string, 0, len(layers))
	for _, l := range layers {
		ids = append(ids, l.Digest)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"User": i.user, "Cmd": i.cmd, "WorkingDir": "/", "Env": []string{"PATH=/bin:/usr/bin:/sbin:/usr/sbin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": s.add(configType, config), "layers": layers,
	})
	if err != nil {
		return err
	}
	digest := s.add(manifestType, manifest).Digest
	for _, name := range i.names {
		s.tags[name] = digest
	}
	return nil
}

// ServeHTTP answers what a client needs to pull (OCI distribution specification 1.1).
func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	if ok && rest == "" {
		return
	}
	mediaType := "application/octet-stream"
	_, digest, ok := strings.Cut(rest, "/blobs/")
	if !ok {
		mediaType = manifestType
		var name string
		name, digest, ok = strings.Cut(rest, "/manifests/")
		if tagged := s.tags[name+":"+digest]; tagged != "" {
			digest = tagged
		}
	}
	data := s.blobs[digest]
	if !ok || data == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // a client that has gone needs no answer
	}
}
