package e2e

import "fmt"

// list prints which of the paths are there.
func list(paths string) string { return "ls -d " + paths + " 2>/dev/null || true" }

// mountedAt is a directory with data that is mounted at path after init, where it
// stays.
func mountedAt(name, path string) layout {
	source := "/srv/" + name
	return layout{
		name:   name,
		after:  fmt.Sprintf("plant %[1]s; mkdir -p %[2]s; mount --bind %[1]s %[2]s", source, path),
		proof:  fmt.Sprintf("tell %s %s", source, path),
		left:   []leftover{{path, "mount"}},
		remove: fmt.Sprintf("umount %s; rm -rf %s", path, source),
	}
}

const (
	podDir      = "/var/lib/kubelet/pods/11111111-2222-3333-4444-555555555555"
	rbindVolume = "/var/lib/kubelet/pods/88888888-2222-3333-4444-555555555555/volumes/kubernetes.io~csi/rbind/mount"
	busyVolume  = "/var/lib/kubelet/pods/99999999-2222-3333-4444-555555555555/volumes/kubernetes.io~nfs/busy"
)

// mountsAfterInit are mounts that somebody made below what is ours.
func mountsAfterInit() []layout {
	inPKI := mountedAt("BindInPKI", "/etc/kubernetes/pki/canary")
	inPKI.remove += "; rmdir /etc/kubernetes/pki/canary"
	inManifests := mountedAt("BindInManifests", "/etc/kubernetes/manifests/canary")
	inManifests.remove += "; rmdir /etc/kubernetes/manifests/canary"
	return []layout{
		mountedAt("BindOnPlugins", "/var/lib/kubelet/plugins/canary"),
		mountedAt("BindInKubeletDir", "/var/lib/kubelet/foo"),
		mountedAt("BindInPodLogs", "/var/log/pods/canary"),
		mountedAt("BindInEtcdData", "/var/lib/etcd/backup"),
		mountedAt("BindInContainerdStore", "/var/lib/containerd/canary"),
		mountedAt("BindInContainerdRun", "/run/containerd/canary"),
		inPKI,
		inManifests,
		{
			name:  "Tmpfs",
			after: "ram /var/lib/kubelet/scratch; plant /var/lib/kubelet/scratch; mkdir -p /var/lib/kubelet/sibling/data",
			proof: "tell /var/lib/kubelet/scratch",
			gone:  list("/var/lib/kubelet/sibling /var/lib/kubelet/config.yaml /var/lib/kubelet/pki"),
			left:  []leftover{{"/var/lib/kubelet/scratch", "mount"}},

			remove: "umount /var/lib/kubelet/scratch",
		},
		{
			name: "RbindWithSubmounts",
			after: `plant /srv/rbind; ram /srv/rbind/sub; plant /srv/rbind/sub; ram /srv/rbind/sub/sub; plant /srv/rbind/sub/sub
				mkdir /var/lib/kubelet/tree; mount --rbind /srv/rbind /var/lib/kubelet/tree`,
			proof:  "for dir in /var/lib/kubelet/tree /srv/rbind; do tell $dir $dir/sub $dir/sub/sub; done",
			left:   []leftover{{"/var/lib/kubelet/tree", "mount"}},
			remove: "mount --make-rprivate /var/lib/kubelet/tree; umount -R /var/lib/kubelet/tree; umount -R /srv/rbind/sub; rm -r /srv/rbind",
		},
		{
			name: "Overmount",
			after: `plant /srv/over; mkdir /var/lib/kubelet/over; mount --bind --make-private /srv/over /var/lib/kubelet/over
				ram /var/lib/kubelet/over; plant /var/lib/kubelet/over`,
			proof:  "tell /var/lib/kubelet/over /srv/over",
			left:   []leftover{{"/var/lib/kubelet/over", "mount"}},
			remove: "umount /var/lib/kubelet/over; umount /var/lib/kubelet/over; rm -r /srv/over",
		},
		{
			name:  "WeirdName",
			after: `dir=$'/var/lib/kubelet/a b\n#x\tc\\040 é'; plant /srv/weird; mkdir "$dir"; mount --bind /srv/weird "$dir"`,
			proof: `dir=$'/var/lib/kubelet/a b\n#x\tc\\040 é'; tell "$dir" /srv/weird`,
			// In one line, whatever the name holds.
			left:   []leftover{{`/var/lib/kubelet/a b\n#x\tc\\040 é`, "mount"}},
			remove: `dir=$'/var/lib/kubelet/a b\n#x\tc\\040 é'; umount "$dir"; rm -r /srv/weird`,
		},
		{
			name:   "RootInKubeletDir",
			after:  "plant /srv/rooted; mkdir /var/lib/kubelet/host; mount --bind --make-private / /var/lib/kubelet/host",
			proof:  "tell /srv/rooted /var/lib/kubelet/host/srv/rooted; mounts /var/lib/kubelet/host",
			left:   []leftover{{"/var/lib/kubelet/host", "mount"}},
			remove: "umount /var/lib/kubelet/host; rm -r /srv/rooted",
		},
		{
			name:   "FileMount",
			after:  "plant /srv/file; touch /var/lib/kubelet/file; mount --bind /srv/file/data /var/lib/kubelet/file",
			proof:  "tell /srv/file /var/lib/kubelet/file",
			left:   []leftover{{"/var/lib/kubelet/file", "mount"}},
			remove: "umount /var/lib/kubelet/file; rm -r /srv/file",
		},
		{
			name:   "FileMountOverOurs",
			after:  "plant /srv/ours; mount --bind /srv/ours/data /etc/kubernetes/super-admin.conf",
			proof:  "tell /srv/ours /etc/kubernetes/super-admin.conf",
			left:   []leftover{{"/etc/kubernetes/super-admin.conf", "mount"}},
			remove: "umount /etc/kubernetes/super-admin.conf; rm -r /srv/ours",
		},
		{
			name:   "BusyMount",
			after:  "ram /var/lib/kubelet/busy; plant /var/lib/kubelet/busy; run canary-busy /var/lib/kubelet/busy sleep infinity",
			proof:  "tell /var/lib/kubelet/busy; alive canary-busy",
			left:   []leftover{{"/var/lib/kubelet/busy", "mount"}},
			remove: "systemctl stop canary-busy; umount /var/lib/kubelet/busy",
		},
		{
			name: "BindInPodVolumes",
			after: `volume=` + podDir + `/volumes/kubernetes.io~csi/data/mount
				plant /srv/volume; mkdir -p $volume; mount --bind /srv/volume $volume`,
			proof:  "tell /srv/volume",
			gone:   list(podDir),
			remove: "rm -r /srv/volume",
		},
		{
			// Mounts are shared on a machine with systemd: to unmount the copy of a
			// submount would unmount the user's too.
			name: "RbindInPodVolumes",
			after: `plant /srv/podtree; ram /srv/podtree/sub; plant /srv/podtree/sub
				mkdir -p ` + rbindVolume + `; mount --rbind /srv/podtree ` + rbindVolume,
			proof:  "tell /srv/podtree /srv/podtree/sub",
			left:   []leftover{{rbindVolume, "mount"}},
			remove: "mount --make-rprivate " + rbindVolume + "; umount -R " + rbindVolume + "; umount /srv/podtree/sub; rm -r /srv/podtree",
		},
		{
			name: "OvermountInPodVolumes",
			after: `volume=` + podDir + `/volumes/kubernetes.io~csi/over/mount
				plant /srv/under /srv/upper; mkdir -p $volume; mount --bind --make-private /srv/under $volume; mount --bind /srv/upper $volume`,
			proof:  "tell /srv/under /srv/upper",
			gone:   list(podDir),
			remove: "rm -r /srv/under /srv/upper",
		},
		{
			name: "WeirdNameInPodVolumes",
			after: `volume=` + podDir + `/volumes/kubernetes.io~csi/$'a b\n\tc\\040 é'
				plant /srv/weirdvolume; mkdir -p "$volume"; mount --bind /srv/weirdvolume "$volume"`,
			proof:  "tell /srv/weirdvolume",
			gone:   list(podDir),
			remove: "rm -r /srv/weirdvolume",
		},
		{
			name: "BusyPodVolume",
			after: `volume=` + busyVolume + `
				plant /srv/busyvolume; mkdir -p $volume; mount --bind /srv/busyvolume $volume; run canary-volume $volume sleep infinity`,
			proof:  "tell /srv/busyvolume; alive canary-volume",
			left:   []leftover{{busyVolume, "in use"}},
			remove: "systemctl stop canary-volume; umount " + busyVolume + "; rm -r /srv/busyvolume",
		},
	}
}
