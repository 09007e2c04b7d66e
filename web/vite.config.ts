import { defineConfig } from "vite";

// The page may be served below a path, so that its addresses are relative.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../functions/page/dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the policy of the page allows no data: addresses
    modulePreload: false,
    cssCodeSplit: false, // one small file; a style that fails to load would not be tried again
    license: { fileName: "licenses.md" },
  },
  // npm run dev: the page on another port, with the API of a gateway that make run started.
  server: {
    proxy: { "/api": { target: "https://localhost:8443", secure: false, headers: { Origin: "https://localhost:8443" } } },
  },
});
