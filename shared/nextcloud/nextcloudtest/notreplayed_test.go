package nextcloudtest_test

import "strings"

// notReplayed maps recorded exchanges that are not replayed to the reason. The replayed
// recordings are in testdata; all others must be listed here.
func notReplayed() map[string]string {
	reasons := map[string]string{}
	for _, group := range []struct{ reason, names string }{
		{"every host name is trusted", `
			dav-badhost maint-badhost-status ocs-badhost status-badhost
		`},
		{"the contract of package webdav tests files, here and against a real server", `
			dav-chunk-abort-delete dav-chunk-get-v1 dav-chunk-mkcol dav-chunk-mkcol-existing
			dav-chunk-mkcol-existing-2 dav-chunk-mkcol-missing-parent dav-chunk-mkcol-nodest
			dav-chunk-move-again dav-chunk-move-empty dav-chunk-move-missing-parent
			dav-chunk-move-nodest-upload dav-chunk-move-ok dav-chunk-move-small dav-chunk-move-wrong-total
			dav-chunk-other-user dav-chunk-overquota-move dav-chunk-overquota-put1
			dav-chunk-overquota-put1-nototal dav-chunk-propfind dav-chunk-put-00001
			dav-chunk-put-00001-again dav-chunk-put-00002 dav-chunk-put-00003 dav-chunk-put-10
			dav-chunk-put-badname dav-chunk-put-missing-parent dav-chunk-put-missing-upload
			dav-chunk-put-name-0 dav-chunk-put-name-10001 dav-chunk-put-nodest dav-chunk-put-nodest2
			dav-chunk-put-small-first dav-chunk-put-small-second dav-copy-existing-default
			dav-copy-existing-overwrite-f dav-copy-existing-overwrite-t dav-copy-folder dav-copy-new
			dav-copy-onto-self dav-copy-to-other-user dav-dav-root dav-delete-empty-folder dav-delete-file
			dav-delete-file-again dav-delete-ifmatch-mismatch dav-delete-nonempty-folder dav-delete-root
			dav-delete-while-overwrite-in-progress dav-files-root dav-get dav-get-accept-gzip
			dav-get-after-abort-overwrite dav-get-after-connection-drop dav-get-after-contentlength-too-long
			dav-get-after-contentlength-too-short dav-get-after-drop-overwrite
			dav-get-after-mtime-garbage-500 dav-get-after-mtime-zero-500 dav-get-after-stalled
			dav-get-checksum dav-get-checksum-wrong-stored dav-get-collection dav-get-html-served
			dav-get-if-modified-since dav-get-ifmatch-miss dav-get-ifnonematch-hit dav-get-ifnonematch-miss
			dav-get-ifnonematch-same-second-stale dav-get-ifrange-mismatch dav-get-missing dav-get-name-nfc
			dav-get-range dav-get-range-beyond dav-get-range-multi dav-get-range-open dav-get-range-suffix
			dav-get-while-new-upload-in-progress dav-get-while-overwrite-in-progress dav-head
			dav-head-collection dav-head-missing dav-head-mtime dav-legacy-webdav dav-legacy-webdav-endpoint
			dav-lock dav-mkcol-below-file dav-mkcol-existing dav-mkcol-existing-file
			dav-mkcol-missing-parent dav-mkcol-name-backslash dav-mkcol-name-htaccess dav-mkcol-name-len250
			dav-mkcol-name-len251 dav-mkcol-ok dav-mkcol-root dav-mkcol-trailing-slash
			dav-move-bad-overwrite dav-move-case-only dav-move-existing-overwrite-f
			dav-move-existing-overwrite-t dav-move-file-onto-folder-t dav-move-folder
			dav-move-folder-onto-folder-f dav-move-foreign-host dav-move-homeroot dav-move-into-self
			dav-move-lowercase-overwrite-f dav-move-missing-parent dav-move-missing-source dav-move-new
			dav-move-no-destination dav-move-out-of-base dav-move-pathonly-destination dav-move-same
			dav-move-to-backslash dav-move-to-htaccess dav-move-to-nonexistent-user dav-move-to-other-user
			dav-move-unencoded-unicode-dest dav-move-while-overwrite-in-progress dav-noauth-xhr dav-options
			dav-otheruser-delete dav-otheruser-get dav-otheruser-mkcol dav-otheruser-put dav-post-file
			dav-propfind-after-abort-overwrite dav-propfind-after-delete-root
			dav-propfind-after-file-onto-folder dav-propfind-badxml dav-propfind-checksum
			dav-propfind-depth-0 dav-propfind-depth-1 dav-propfind-depth-2 dav-propfind-depth-None
			dav-propfind-depth-infinity dav-propfind-dir-depth1 dav-propfind-file-depth0
			dav-propfind-infinity dav-propfind-names dav-propfind-no-depth dav-propfind-used-while-in-trash
			dav-propfind-while-overwrite-in-progress dav-put-abort-overwrite dav-put-autocreate-header
			dav-put-below-file dav-put-checksum-ok dav-put-checksum-sha256 dav-put-checksum-wrong
			dav-put-chunked-te dav-put-content-range dav-put-contentlength-too-long-halfclose
			dav-put-contentlength-too-short dav-put-empty dav-put-etag-first
			dav-put-etag-same-second-overwrite dav-put-expect-100-wrong-password dav-put-html
			dav-put-ifmatch-mismatch dav-put-ifmatch-missing-file dav-put-ifmatch-ok
			dav-put-ifmatch-stale-same-second dav-put-ifmatch-star-missing dav-put-ifmatch-unquoted
			dav-put-ifnonematch-star-existing dav-put-ifnonematch-star-new dav-put-into-dir
			dav-put-missing-parent dav-put-mtime dav-put-mtime-float dav-put-mtime-future
			dav-put-mtime-garbage dav-put-mtime-invalid dav-put-mtime-ms dav-put-mtime-zero dav-put-name-amp
			dav-put-name-backslash dav-put-name-bidi dav-put-name-colon dav-put-name-con dav-put-name-del
			dav-put-name-dotfile dav-put-name-dots3 dav-put-name-emoji dav-put-name-encoded-slash
			dav-put-name-filepart dav-put-name-hash dav-put-name-htaccess dav-put-name-htaccess-upper
			dav-put-name-invalid-utf8 dav-put-name-invalid-utf8-overlong dav-put-name-leading-space
			dav-put-name-len227-max-ok dav-put-name-len228-first-fail dav-put-name-len250
			dav-put-name-len251 dav-put-name-len255utf8 dav-put-name-newline dav-put-name-nfd
			dav-put-name-nul dav-put-name-part dav-put-name-pct-literal dav-put-name-percent
			dav-put-name-pipe dav-put-name-plus dav-put-name-question dav-put-name-quote dav-put-name-space
			dav-put-name-star dav-put-name-tab dav-put-name-trailing-dot dav-put-name-trailing-space
			dav-put-name-unicode dav-put-name-userini dav-put-new dav-put-oc-ctime dav-put-oc-total-length
			dav-put-on-collection dav-put-overwrite dav-put-overwrite-later dav-put-same-content
			dav-put-stalled-body dav-put-while-new-upload-in-progress dav-put-while-overwrite-in-progress
			dav-put-xhash dav-quota-copy-507 dav-quota-get-after-chunked-te dav-quota-mkcol-near-full
			dav-quota-mkcol-overquota dav-quota-overwrite-same-size-near-full
			dav-quota-overwrite-smaller-overquota dav-quota-propfind-5MB-empty dav-quota-propfind-overquota
			dav-quota-put-2MiB-507 dav-quota-put-4MiB-ok dav-quota-put-4MiB-with-4MiB-in-trash
			dav-quota-put-chunked-te-2MiB dav-quota-put-chunked-te-with-oc-total-length
			dav-quota-put-overquota-1byte dav-quota-put-overquota-empty dav-quota-put-small-ok
			dav-quota-zero-mkcol dav-quota-zero-put dav-safe-move dav-safe-put-tmp dav-trashbin-empty
			dav-trashbin-list dav-traversal-copy-dest-encslash dav-traversal-get-above-root
			dav-traversal-get-absolute dav-traversal-get-backslash-enc dav-traversal-get-backslash-raw
			dav-traversal-get-datadir dav-traversal-get-dotdot-double-enc
			dav-traversal-get-dotdot-double-encslash dav-traversal-get-dotdot-enc
			dav-traversal-get-dotdot-encslash dav-traversal-get-dotdot-full-enc
			dav-traversal-get-dotdot-mixed dav-traversal-get-dotdot-raw dav-traversal-get-dots-semicolon
			dav-traversal-get-double-slash dav-traversal-get-enc-above dav-traversal-get-overlong
			dav-traversal-get-own-dot dav-traversal-get-own-dotdot dav-traversal-mkcol-dotdot
			dav-traversal-move-dest-dotdot dav-traversal-move-dest-enc dav-traversal-put-above
			dav-traversal-put-dot-name dav-traversal-put-dotdot-enc dav-traversal-put-dotdot-name
			dav-traversal-put-dotdot-name-enc dav-traversal-put-dotdot-raw dav-traversal-put-double-enc
			dav-traversal-put-encslash dav-traversal-put-segment-dotdot-in-own dav-unknown-method
			dav-versions-list
		`},
		{"no web pages are served", `
			maint-index
		`},
		{"creations are serialized here, so the loser gets 102, not 101", `
			user-create-race-1 user-create-race-2 user-create-race-3 user-create-race-4
			user-create-race-v1-1 user-create-race-v1-2 user-create-race-v1-3
		`},
	} {
		for name := range strings.FieldsSeq(group.names) {
			reasons[name] = group.reason
		}
	}
	return reasons
}
