# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # callers are in scripts/node and scripts/vm
#
# Part of scripts/node and scripts/vm: copies into a machine and out of it, by
# what the caller calls enter.

copy_in() { # SRC NAME DST
	local mode name dst=${3:-/root}
	[[ -f $1 ]] || die "no file $1"
	mode=$(stat -Lc %a "$1")
	name=$(basename "$1")
	# A new file in place of the old one: that may be running.
	# shellcheck disable=SC2016 # the node's shell expands them
	enter "$2" sh -ec 'if [ -d "$1" ]; then set -- "$1/$2" "$2" "$3"; fi
		trap "rm -f \"\$1.new\"" EXIT
		cat >"$1.new"
		chmod "$3" "$1.new"
		mv -T "$1.new" "$1"' _ "$dst" "$name" "$mode" <"$1"
}

copy_out() { # NAME SRC DST
	local dst=$3 mode
	[[ ! -d $dst ]] || dst=$dst/$(basename "$2")
	mode=$(enter "$1" stat -Lc %a "$2" </dev/null)
	enter "$1" cat "$2" </dev/null >"$dst.new" || {
		rm -f "$dst.new"
		return 1
	}
	chmod "$mode" "$dst.new"
	mv -T "$dst.new" "$dst"
}

copy() { # SRC DST, one of them NAME:PATH
	(($# == 2)) || die "cp wants a source and a destination"
	if [[ $1 =~ ^[a-z0-9-]+: && ! -e $1 ]]; then
		check_name "${1%%:*}"
		copy_out "${1%%:*}" "${1#*:}" "$2"
	elif [[ $2 =~ ^[a-z0-9-]+: ]]; then
		check_name "${2%%:*}"
		copy_in "$1" "${2%%:*}" "${2#*:}"
	else
		die "cp wants a NAME:PATH"
	fi
}
