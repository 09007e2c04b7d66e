package reference

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"

	"github.com/swaggest/swgui/v5/static"

	"github.com/voiceassist/gateway/shared/endpoint"
)

//go:embed style.css
var style []byte

//go:embed viewer.css
var viewerStyle []byte

//go:embed viewer.js
var viewerScript []byte

// pagePolicy is the content security policy of the page. Scripts and styles are
// files of this origin: nothing inline runs, and no text is evaluated. Swagger
// UI sets the styles of single elements from scripts, which a policy does not
// concern; the pictures of its style sheet are in there as data, and it shows
// images that a call returned as blobs. Calls go to this origin alone, and forms
// nowhere.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// A viewer is what the page loads to show the document interactively: Swagger UI
// and what adapts it.
type viewer struct {
	Style, SwaggerStyle, ViewerStyle asset
	SwaggerScript, ViewerScript      asset
}

// An asset is a file whose address changes with its content.
type asset struct {
	Path string
	file *file
}

func newViewer() *viewer {
	return &viewer{
		Style:         newAsset("style.css", style, newFile(cssType, forever, style)),
		SwaggerStyle:  swaggerAsset("swagger-ui.css", cssType),
		ViewerStyle:   newAsset("viewer.css", viewerStyle, newFile(cssType, forever, viewerStyle)),
		SwaggerScript: swaggerAsset("swagger-ui-bundle.js", scriptType),
		ViewerScript:  newAsset("viewer.js", viewerScript, newFile(scriptType, forever, viewerScript)),
	}
}

// swaggerAsset returns a file of Swagger UI, which its module holds compressed.
func swaggerAsset(name, contentType string) asset {
	zipped, err := static.FS.ReadFile(name + ".gz")
	if err != nil {
		panic("reference: " + err.Error()) // it is part of the program
	}
	return newAsset(name, zipped, newZippedFile(contentType, forever, zipped))
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
