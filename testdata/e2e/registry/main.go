// Command registry serves the images of OCI archives over the distribution API,
// read-only: enough for a container runtime to pull from a node's loopback.
package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5000", "address")
	flag.Parse()
	r := &registry{blobs: map[string]blob{}, tags: map[string]descriptor{}, asked: map[string]bool{}, both: make(chan struct{})}
	for _, archive := range flag.Args() {
		if err := r.add(archive); err != nil {
			log.Fatalf("%s: %v", archive, err)
		}
	}
	log.Fatal(http.ListenAndServe(*listen, r))
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
}

// blob is a piece of an archive.
type blob struct {
	file         string
	offset, size int64
}

type registry struct {
	blobs map[string]blob       // by digest
	tags  map[string]descriptor // by REPOSITORY:TAG, without a host

	mu       sync.Mutex
	asked    map[string]bool
	both     chan struct{} // closed when a second image is asked for
	parallel bool
}

func (r *registry) add(archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	var index struct{ Manifests []descriptor }
	for t := tar.NewReader(f); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if h.Name == "index.json" {
			if err := json.NewDecoder(t).Decode(&index); err != nil {
				return err
			}
			continue
		}
		if sum, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok && sum != "" {
			offset, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			r.blobs["sha256:"+sum] = blob{archive, offset, h.Size}
		}
	}
	for _, m := range index.Manifests {
		_, name, ok := strings.Cut(m.Annotations["io.containerd.image.name"], "/")
		if !ok {
			return fmt.Errorf("an image without a name: %v", m.Annotations)
		}
		r.tags[path.Base(name)] = m // only the default repository has folders
	}
	return nil
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	log.Printf("%s %s", q.Method, q.URL.Path)
	path := strings.TrimPrefix(q.URL.Path, "/v2/")
	switch repository, reference, isManifest := strings.Cut(path, "/manifests/"); {
	case q.URL.Path == "/parallel":
		r.mu.Lock()
		defer r.mu.Unlock()
		fmt.Fprintln(w, r.parallel)
	case path == "":
		w.WriteHeader(http.StatusOK)
	case isManifest:
		r.manifest(w, q, repository, reference)
	case strings.Contains(path, "/blobs/"):
		r.blob(w, q, path[strings.LastIndex(path, "/")+1:], "application/octet-stream")
	default:
		http.NotFound(w, q)
	}
}

func (r *registry) manifest(w http.ResponseWriter, q *http.Request, repository, reference string) {
	m := descriptor{Digest: reference, MediaType: "application/vnd.oci.image.manifest.v1+json"}
	if !strings.HasPrefix(reference, "sha256:") {
		var ok bool
		if m, ok = r.tags[repository+":"+reference]; !ok {
			http.NotFound(w, q)
			return
		}
		r.meet(repository)
	}
	r.blob(w, q, m.Digest, m.MediaType)
}

// meet holds the first image back until a second one is asked for: whoever pulls
// one after the other is found out.
func (r *registry) meet(repository string) {
	r.mu.Lock()
	if r.asked[repository] = true; len(r.asked) == 2 {
		select {
		case <-r.both:
		default:
			r.parallel = true
			close(r.both)
		}
	}
	r.mu.Unlock()
	select {
	case <-r.both:
	case <-time.After(10 * time.Second):
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.parallel {
			r.asked = map[string]bool{}
		}
	}
}

func (r *registry) blob(w http.ResponseWriter, q *http.Request, digest, mediaType string) {
	b, ok := r.blobs[digest]
	if !ok {
		http.NotFound(w, q)
		return
	}
	f, err := os.Open(b.file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	http.ServeContent(w, q, "", time.Time{}, io.NewSectionReader(f, b.offset, b.size))
}
