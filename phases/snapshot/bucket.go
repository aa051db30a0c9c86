package snapshot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"sigs.k8s.io/yaml"
)

// BucketConfig is where a bucket is, and who to be there: a file that only root may read.
type BucketConfig struct {
	Endpoint  string `json:"endpoint"` // https://host:port
	Region    string `json:"region,omitempty"`
	CA        string `json:"ca,omitempty"` // PEM; empty: those that the machine trusts
	PathStyle bool   `json:"pathStyle,omitempty"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// Bucket is a folder of an S3 bucket.
type Bucket struct {
	client         *minio.Client
	bucket, prefix string
}

// tries is how often a call is made that fails by what may pass. The pauses between them add up to a minute.
const tries = 8

// IsBucket tells the address of a bucket from a folder.
func IsBucket(at string) bool { return strings.HasPrefix(at, "s3://") }

// OpenBucket prepares to talk to s3://BUCKET/PREFIX; nothing is sent yet.
func OpenBucket(at string, file []byte) (*Bucket, error) {
	var c BucketConfig
	if err := yaml.UnmarshalStrict(file, &c); err != nil {
		return nil, errors.New("it is no YAML with endpoint, region, ca, pathStyle, accessKey and secretKey") // the error could quote a key
	}
	to, err := url.Parse(at)
	endpoint, endErr := url.Parse(c.Endpoint)
	if err != nil || endErr != nil || to.Host == "" || endpoint.Host == "" || c.AccessKey == "" || c.SecretKey == "" {
		return nil, errors.New("it takes s3://BUCKET or s3://BUCKET/FOLDER, and a file with endpoint (https://HOST:PORT), accessKey and secretKey")
	}
	secure := endpoint.Scheme == "https"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, err
	}
	transport.ResponseHeaderTimeout = time.Minute
	if c.CA != "" {
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, errors.New("ca: there is no certificate in it")
		}
	}
	lookup := map[bool]minio.BucketLookupType{true: minio.BucketLookupPath, false: minio.BucketLookupAuto}[c.PathStyle]
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Secure: secure, Region: c.Region, BucketLookup: lookup, Transport: settling{transport}, MaxRetries: tries,
	})
	return &Bucket{client: client, bucket: to.Host, prefix: strings.TrimPrefix(strings.Trim(to.Path, "/")+"/", "/")}, err
}

// settling reads no request's body any more once the request is answered: a server that refuses one early is tried
// again from the body's begin, while net/http may still be reading it.
type settling struct{ next http.RoundTripper }

func (s settling) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return s.next.RoundTrip(r)
	}
	body := &settledBody{ReadCloser: r.Body}
	r = r.Clone(r.Context())
	r.Body = body
	defer body.settle()
	return s.next.RoundTrip(r)
}

type settledBody struct {
	io.ReadCloser
	mu      sync.Mutex
	settled bool
}

func (b *settledBody) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled = true
}

func (b *settledBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settled {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.ReadCloser.Read(p)
}

// Put stores what write gives, in parts. It is there as a whole, or not at all.
func (b *Bucket) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	_, err := b.client.PutObject(ctx, b.bucket, b.prefix+name, r, -1, minio.PutObjectOptions{PartSize: 16 << 20})
	r.CloseWithError(err) // so that write ends
	return b.explained(name, err)
}

// Get reads a file.
func (b *Bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	object, err := b.client.GetObject(ctx, b.bucket, b.prefix+name, minio.GetObjectOptions{})
	if err == nil {
		_, err = object.Stat()
	}
	return object, b.explained(name, err)
}

// Sizes are the files and their sizes.
func (b *Bucket) Sizes(ctx context.Context) (map[string]int64, error) {
	sizes := map[string]int64{}
	for object := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix}) {
		if object.Err != nil {
			return nil, b.explained("", object.Err)
		}
		sizes[strings.TrimPrefix(object.Key, b.prefix)] = object.Size
	}
	return sizes, nil
}

// Remove removes a file; none is fine.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	return b.explained(name, b.client.RemoveObject(ctx, b.bucket, b.prefix+name, minio.RemoveObjectOptions{}))
}

// explained says what a user can mend.
func (b *Bucket) explained(name string, err error) error {
	if err == nil {
		return nil
	}
	answer, why := minio.ToErrorResponse(err), ""
	switch {
	case answer.Code == "NoSuchBucket":
		why = "there is no such bucket: "
	case answer.Code == "NoSuchKey":
		why = "there is no such object: "
	case answer.StatusCode == http.StatusForbidden:
		why = "the server refuses the credentials, or what they may do: "
	case answer.StatusCode == http.StatusInsufficientStorage, answer.Code == "QuotaExceeded", answer.Code == "XMinioStorageFull":
		why = "the bucket is full: "
	}
	return fmt.Errorf("s3://%s/%s%s: %s%w", b.bucket, b.prefix, name, why, err)
}
