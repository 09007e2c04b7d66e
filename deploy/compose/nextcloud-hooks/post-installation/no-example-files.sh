#!/bin/sh
# Lets new accounts start with an empty folder. It runs only after the installation, so
# an administrator can change that.
set -eu
php /var/www/html/occ config:system:set skeletondirectory --value=''
