// Package load writes numbered objects to the API server of its node, or watches them, for the tests of
// snapshots. As a test binary it is built when they run, and copied into the node.
package load

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const namespace = "load"

func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		os.Exit(m.Run()) // by go test: there are no tests
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// run is: load write FILE COUNT PER-SECOND, or load watch FILE.
func run(args []string) error {
	config, err := clientcmd.BuildConfigFromFlags("", "/etc/kubernetes/admin.conf")
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if args[0] == "watch" {
		return watch(ctx, client, args[1])
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	rate, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	return write(ctx, client, args[1], count, rate)
}

// write makes ConfigMaps, and notes each that was acknowledged, with its resourceVersion.
func write(ctx context.Context, client *kubernetes.Clientset, file string, count, rate int) error {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	_, _ = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}) // or it is there
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range count {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if ctx.Err() != nil {
			break
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			name := fmt.Sprintf("object-%06d", i)
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"number": strconv.Itoa(i)}}
			made, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, object, metav1.CreateOptions{})
			if err != nil {
				return // not acknowledged
			}
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(out, name, made.ResourceVersion)
		})
	}
	all.Wait()
	return nil
}

// watch is an informer. When it is ended it writes the names that it believes in. Should a list be older than one
// before it, it fails.
func watch(ctx context.Context, client *kubernetes.Clientset, file string) error {
	source := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "configmaps", namespace, fields.Everything())
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{ListerWatcher: source, ObjectType: &corev1.ConfigMap{}, Handler: cache.ResourceEventHandlerFuncs{}})
	go controller.RunWithContext(ctx)
	highest, backwards := uint64(0), error(nil)
	for ctx.Err() == nil {
		version, err := strconv.ParseUint(controller.LastSyncResourceVersion(), 10, 64)
		if err == nil && version < highest {
			backwards = fmt.Errorf("resourceVersion %d after %d", version, highest)
		}
		highest = max(highest, version)
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	var names []string
	for _, object := range store.List() {
		names = append(names, object.(*corev1.ConfigMap).Name)
	}
	slices.Sort(names)
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriter(out)
	for _, name := range names {
		fmt.Fprintln(w, name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return backwards
}
