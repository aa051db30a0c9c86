// Command webpod is what the tests' static pods run, from a folder of the node in the
// pause image: it serves a text, looks names up, and ends when it is told to. Outside of
// a pod it serves files to who sends the right header.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: webpod ADDRESS TEXT | webpod ADDRESS DIR HEADER-VALUE")
		os.Exit(2)
	}
	if len(os.Args) == 4 {
		serveFiles(os.Args[2], os.Args[3])
	} else {
		serveText(os.Args[2])
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Args[1], nil))
	os.Exit(1)
}

func serveText(text string) {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	http.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(1) })
	http.HandleFunc("/done", func(http.ResponseWriter, *http.Request) { os.Exit(0) })
	http.HandleFunc("/lookup", func(w http.ResponseWriter, r *http.Request) {
		found, err := net.DefaultResolver.LookupHost(r.Context(), r.FormValue("name"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, strings.Join(found, " "))
	})
	http.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) {
		c, err := net.Dial("tcp", r.FormValue("to"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = c.Close()
		_, _ = io.WriteString(w, "reached")
	})
}

func serveFiles(dir, value string) {
	files := http.FileServer(http.Dir(dir))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Pods-Key") != value {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		files.ServeHTTP(w, r)
	})
}
