#!/bin/sh
# Exempts the gateway from Nextcloud's brute-force protection: all users of the gateway
# reach Nextcloud from its address. Everybody else comes through the proxy, whose
# address must never be on this list.
set -eu
php /var/www/html/occ config:app:set bruteForce whitelist_0 --value="$GATEWAY_ADDRESS/32"
