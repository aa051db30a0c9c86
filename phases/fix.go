package phases

import (
	"fmt"
	"slices"
	"strconv"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// Limits of inotify that are enough for some hundred pods, and cost nothing unused.
var inotifyLimits = []struct {
	name string
	min  int
}{{"fs.inotify.max_user_instances", 1024}, {"fs.inotify.max_user_watches", 524288}}

// inotifyFile sets these limits again at each boot.
const inotifyFile = "/etc/sysctl.d/98-bootstrap-inotify.conf"

// Fix mends what can be mended without risk, so that reset undoes it, and says what it has done.
// That is limits which are too low: to raise them takes nothing from anybody. All else that
// preflight finds is for the user to decide.
func Fix(env *Env, found []diagnose.Finding) ([]string, error) {
	low := slices.ContainsFunc(found, func(f diagnose.Finding) bool { return f.ID == "inotify-low" || f.ID == "inotify-used-up" })
	if !low {
		return nil, nil
	}
	env = env.forPhase(preflight.Name).forPurpose(host.Mended)
	var fixed []string
	var settings []spec.KernelSetting
	for _, limit := range inotifyLimits {
		now, _ := strconv.Atoi(env.Host.KernelSays(limit.name)) // 0 where the kernel does not say
		value := max(limit.min, now)
		settings = append(settings, spec.KernelSetting{Name: limit.name, Value: strconv.Itoa(value)})
		if value == now {
			continue
		}
		if err := env.Host.Sysctl(limit.name, strconv.Itoa(value)); err != nil {
			return fixed, err
		}
		fixed = append(fixed, fmt.Sprintf("%s is %d now, and was %d", limit.name, value, now))
	}
	if _, err := env.Host.WriteFile(inotifyFile, spec.SettingsText(settings), 0o644); err != nil {
		return fixed, err
	}
	return append(fixed, inotifyFile+" keeps it over reboots"), nil
}
