#!/bin/sh
# Runs the driver of hashicorp/go-plugin, which install.sh builds.
built=${XDG_CACHE_HOME:-$HOME/.cache}/respawn/drivers/go-plugin
[ -x "$built" ] && exec "$built"
read -r _
echo '{"op":"error","error":"not installed: hashicorp/go-plugin","install":"scenarios/drivers/install.sh"}'
