// Shows openapi.json in Swagger UI, in place of the same as text. The text stays
// where Swagger UI cannot be loaded, and wherever the fragment of the address
// names a part of it.
"use strict";

const root = document.documentElement;
const fragment = () => decodeURIComponent(location.hash.slice(1));

// Before the page is painted, so that the text does not flash up.
root.classList.toggle("interactive", fragment() === "" || fragment().startsWith("/"));

// Swagger UI escapes the slashes in a path, and demands that there is one. The
// gateway reads an escaped slash as a part of a name, and the user's folder has
// an empty path: here it is "/".
function filePath(url) {
  const [, before, path, query] = /^(.*?\/api\/files\/)([^?]*)(.*)$/.exec(url) ?? [];
  return before ? before + path.replace(/%2F/gi, "/").replace(/^\/+/, "") + query : url;
}

// The request that Swagger UI sends, and shows as a curl command.
function adapt(request) {
  request.url = filePath(request.url);
  if (request.body instanceof Blob) {
    request.headers["Content-Type"] = request.body.type || "application/octet-stream";
  }
  return request;
}

// Browsers add cookies by themselves, and scripts cannot set these: what cannot
// work is not offered.
const withoutCookies = () => ({
  statePlugins: {
    auth: {
      wrapSelectors: {
        definitionsToAuthorize: (original) => (...args) =>
          original(...args).filterNot((schemes) => schemes.some((scheme) => scheme.get?.("in") === "cookie")),
      },
    },
  },
});

addEventListener("DOMContentLoaded", () => {
  const text = document.getElementById("text");
  if (!window.SwaggerUIBundle) {
    root.classList.remove("interactive");
    return;
  }
  root.classList.add("scripted");
  const choose = () => {
    const target = document.getElementById(fragment());
    root.classList.toggle("interactive", !text.contains(target));
    target?.scrollIntoView();
  };
  addEventListener("hashchange", choose);
  for (const link of document.querySelectorAll(".switch a")) {
    link.addEventListener("click", (event) => {
      // A click alone may change the fragment without an event.
      event.preventDefault();
      location.hash = link.hash;
    });
  }
  choose();
  SwaggerUIBundle({
    dom_id: "#viewer",
    url: "/openapi.json",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [withoutCookies],
    layout: "BaseLayout",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    fileUploadMediaTypes: ["*/*", "application/octet-stream"],
    requestInterceptor: adapt,
    validatorUrl: null,
  });
});
