package reference

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"io"

	"github.com/swaggest/swgui/v5/static"

	"github.com/voiceassist/gateway/shared/endpoint"
)

//go:embed style.css
var style []byte

//go:embed viewer.css
var viewerStyle []byte

//go:embed viewer.js
var viewerScript []byte

// pagePolicy is the content security policy of the page. Scripts and styles come
// from files of this origin: inline code and eval are forbidden. Swagger UI sets
// styles of elements from its script, which the policy does not restrict. Its style
// sheet contains images as data URLs, and it shows images in responses as blobs.
// Calls may only go to this origin, and forms nowhere.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// A viewer holds the files that show the document interactively: Swagger UI and our
// adaptations.
type viewer struct {
	Style, SwaggerStyle, ViewerStyle asset
	SwaggerScript, ViewerScript      asset
}

// An asset is a file with a path that changes with its content.
type asset struct {
	Path string
	file *file
}

func newViewer() *viewer {
	return &viewer{
		Style:         newAsset("style.css", style, newFile(cssType, cacheForever, style)),
		SwaggerStyle:  swaggerAsset("swagger-ui.css", cssType),
		ViewerStyle:   newAsset("viewer.css", viewerStyle, newFile(cssType, cacheForever, viewerStyle)),
		SwaggerScript: swaggerAsset("swagger-ui-bundle.js", scriptType),
		ViewerScript:  newAsset("viewer.js", viewerScript, newFile(scriptType, cacheForever, viewerScript)),
	}
}

// swaggerAsset returns a file of Swagger UI. Its module contains them compressed.
func swaggerAsset(name, contentType string) asset {
	zipped := func() ([]byte, error) { return static.FS.ReadFile(name + ".gz") }
	sum, err := gzipSum(name + ".gz")
	if err != nil {
		panic("reference: " + err.Error()) // it is part of the program
	}
	return newAsset(name, sum, newZippedFile(contentType, cacheForever, zipped))
}

// gzipSum returns the checksum and the size of the content, which end a gzip file (RFC 1952).
// To read the whole file would take memory, which few servers need again.
func gzipSum(file string) ([]byte, error) {
	f, err := static.FS.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const size = 8
	sum := make([]byte, size)
	from := f.(io.ReadSeeker) // as of every file of an embed.FS
	if _, err := from.Seek(-size, io.SeekEnd); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(from, sum)
	return sum, err
}

func newAsset(name string, content []byte, f *file) asset {
	const size = 9 // bytes of the hash; enough to tell versions apart
	sum := sha256.Sum256(content)
	return asset{"/docs/" + base64.RawURLEncoding.EncodeToString(sum[:size]) + "/" + name, f}
}

func (v *viewer) routes() endpoint.Routes {
	var routes endpoint.Routes
	for _, a := range []asset{v.Style, v.SwaggerStyle, v.ViewerStyle, v.SwaggerScript, v.ViewerScript} {
		routes = append(routes, endpoint.Route{Pattern: "GET " + a.Path, Handler: a.file})
	}
	return routes
}
