// Registers an account, logs in, refreshes, starts a conversation session, stores
// and reads a file in Nextcloud, and handles a problem document.
import { setTimeout as sleep } from "node:timers/promises";
import createClient, { defaultPathSerializer } from "openapi-fetch";
import type { components, paths } from "./gateway.js"; // written by npm run generate

type Problem = components["schemas"]["Problem"];

/** A failed request, with the problem document (RFC 9457) that describes it. */
class GatewayError extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.code}: ${problem.detail} (correlation ID ${problem.correlation_id})`);
  }
}

/** Returns the body of a successful response, and throws for a failed one. */
function ok<T>(result: { data?: T; error?: Problem }): T {
  if (result.error) throw new GatewayError(result.error);
  return result.data as T;
}

const gateway = createClient<paths>({
  baseUrl: process.env.GATEWAY ?? "https://localhost:8443",
  // The path of a file has several segments, whose slashes must stay.
  pathSerializer: (path, values) => defaultPathSerializer(path, values).replaceAll("%2F", "/"),
});

let accessToken: string | undefined;
gateway.use({
  onRequest({ request }) {
    if (accessToken) request.headers.set("Authorization", `Bearer ${accessToken}`);
  },
});

const email = `ada-${Date.now()}@example.com`;
const password = "correct horse battery staple";
ok(await gateway.POST("/api/auth/register", { body: { email, password, full_name: "Ada Lovelace" } }));

const login = ok(await gateway.POST("/api/auth/login", { body: { email, password } }));
// An account with a second factor gets a challenge, for /api/auth/2fa/verify-login.
if ("requires_2fa" in login) throw new Error("the login needs a code");
accessToken = login.access_token;
console.log("logged in, for", login.expires_in, "seconds");

// A refresh token works once: keep the new one. With transport "cookie", which
// browsers should use, it is not in the body.
const next = ok(await gateway.POST("/api/auth/refresh", { body: { refresh_token: login.refresh_token } }));
accessToken = next.access_token;
console.log("refreshed:", next.refresh_token !== login.refresh_token);

const session = ok(await gateway.POST("/api/sessions", { body: { title: "Weather", context: { turns: [] } } }));
console.log("started the session", session.title);

// The account in Nextcloud is ready shortly after the registration.
while (ok(await gateway.GET("/api/users/me/nextcloud")).status !== "active") await sleep(1000);

const file = (path: string) => ({ params: { path: { path } } });
ok(await gateway.PUT("/api/files/{path}", file("Documents/")));
ok(
  await gateway.PUT("/api/files/{path}", {
    ...file("Documents/hello.txt"),
    body: "Hello, Nextcloud!",
    bodySerializer: (text) => text,
    headers: { "Content-Type": "text/plain" },
  }),
);
console.log("downloaded:", ok(await gateway.GET("/api/files/{path}", { ...file("Documents/hello.txt"), parseAs: "text" })));

// Programs read the code of a problem document, people the detail.
try {
  ok(await gateway.GET("/api/files/{path}", { ...file("Documents/missing.txt"), parseAs: "text" }));
} catch (error) {
  if (!(error instanceof GatewayError) || error.problem.code !== "file_not_found") throw error;
  console.log("no such file:", error.problem.detail);
}

ok(await gateway.POST("/api/auth/logout"));
console.log("logged out");
