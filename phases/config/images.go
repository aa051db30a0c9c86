package config

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"k8s.io/utils/ptr"
)

// DefaultImageRepository is the one that Kubernetes is released in.
const DefaultImageRepository = "registry.k8s.io"

// Images are the full references of what this cluster runs.
type Images struct {
	Repository        string // that they come from, save where the file names others
	Etcd              string // empty with an external etcd
	APIServer         string
	ControllerManager string
	Scheduler         string
	Pause             string
	Proxy             string
	CoreDNS           string
	Network           string // localhost, as no registry has it: it comes only out of the bundle
}

// RequiredImages are those that what init makes cannot start without.
func (c *Config) RequiredImages() []string {
	if c.Box.Standalone {
		return []string{c.Images.Pause}
	}
	i := c.Images
	all := []string{i.Pause, i.Etcd, i.APIServer, i.ControllerManager, i.Scheduler}
	return slices.DeleteFunc(all, func(image string) bool { return image == "" })
}

// Addons are the images of what runs in this cluster besides the control plane.
func (c *Config) Addons() []string {
	if c.Box.Standalone {
		return nil
	}
	var images []string
	if !c.DNSDisabled {
		images = append(images, c.Images.CoreDNS)
	}
	if !c.ProxyDisabled {
		images = append(images, c.Images.Proxy)
	}
	if c.Box.Network == Flannel {
		images = append(images, c.Images.Network)
	}
	return images
}

// NewImages names the images of a Kubernetes version in a repository, as kubeadm does.
func NewImages(repository, version string) Images {
	m, _ := minorOf(version)
	kube := imageMeta{repository, version}
	return Images{
		Repository:        repository,
		Etcd:              imageMeta{repository, m.etcdTag}.of("etcd"),
		APIServer:         kube.of("kube-apiserver"),
		ControllerManager: kube.of("kube-controller-manager"),
		Scheduler:         kube.of("kube-scheduler"),
		Pause:             imageMeta{repository, m.pauseTag}.of("pause"),
		Proxy:             kube.of("kube-proxy"),
		CoreDNS:           coreDNSImage(imageMeta{repository, m.coreDNSTag}),
		Network:           "localhost/bootstrap-network:" + networkTag,
	}
}

// of is the reference of an image with a name.
func (i imageMeta) of(name string) string { return i.ImageRepository + "/" + name + ":" + i.ImageTag }

// coreDNSImage is in a folder of its own in the default repository, and in no other.
func coreDNSImage(i imageMeta) string {
	if i.ImageRepository == DefaultImageRepository {
		i.ImageRepository += "/coredns"
	}
	return i.of("coredns")
}

// images are those of the version, with what the file replaces.
func (b *builder) images(cl clusterConfiguration) Images {
	images := NewImages(cmp.Or(cl.ImageRepository, DefaultImageRepository), cl.KubernetesVersion)
	m, _ := minorOf(cl.KubernetesVersion)
	own := imageMeta{images.Repository, m.coreDNSTag}
	images.CoreDNS = coreDNSImage(b.replaced("dns", own, cl.DNS.imageMeta))
	if cl.Etcd.External != nil {
		images.Etcd = ""
		return images
	}
	own.ImageTag = m.etcdTag
	images.Etcd = b.replaced("etcd.local", own, ptr.Deref(cl.Etcd.Local, localEtcd{}).imageMeta).of("etcd")
	return images
}

// isRepository wants what kubeadm does: an image of it must be a reference.
func isRepository(text string) bool { return reference.ReferenceRegexp.MatchString(text + "/name:tag") }

var imageTag = regexp.MustCompile("^" + reference.TagRegexp.String() + "$")

func (b *builder) replaced(field string, own, given imageMeta) imageMeta {
	r, t := given.ImageRepository, given.ImageTag
	b.badIf(r != "" && !isRepository(r), field+".imageRepository", "%q is no image repository", r)
	b.badIf(t != "" && !imageTag.MatchString(t), field+".imageTag", "%q is no image tag", t)
	return imageMeta{cmp.Or(r, own.ImageRepository), cmp.Or(t, own.ImageTag)}
}

// replacement is what a file would say for this image, nothing where it is the default.
func replacement(image, byDefault string) imageMeta {
	if image == byDefault || image == "" {
		return imageMeta{}
	}
	dir, name := path.Split(image)
	return imageMeta{strings.TrimSuffix(dir, "/"), name[strings.LastIndex(name, ":")+1:]}
}
