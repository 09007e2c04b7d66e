// The client of the gateway's API, typed by docs/openapi.json.
import createClient, { defaultPathSerializer } from "openapi-fetch";
import type { components, paths } from "./gateway";
import { offline, problemIn } from "./problem";
import { freshToken, refresh } from "./session";

export type Schemas = components["schemas"];

/** Where the gateway is, without a slash at the end. The page may be below a path. */
export const root = new URL(".", location.href).href.replace(/\/$/, "");

/** Milliseconds after which a request that only reads is sent again. */
const pauses = [300, 1500];

/**
 * Sends a request, and reports a missing connection as a problem. A device that changes its
 * network loses all connections; requests that only read are then sent again.
 */
export async function send(request: Request): Promise<Response> {
  for (let tries = 0; ; tries++) {
    try {
      return await fetch(request);
    } catch {
      const pause = pauses[tries];
      if (request.method !== "GET" || request.signal.aborted || pause === undefined || !navigator.onLine) throw offline();
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

/** Sends a request with the access token. If the token has just expired, it sends it again. */
export async function authorized(request: Request): Promise<Response> {
  const again = request.clone();
  const token = await freshToken();
  request.headers.set("Authorization", `Bearer ${token}`);
  const response = await send(request);
  const code = response.headers.get("WWW-Authenticate")?.match(/error_description="(\w+)"/)?.[1];
  if (response.status !== 401 || !code) return response;
  again.headers.set("Authorization", `Bearer ${await refresh(token)}`);
  return send(again);
}

const options = {
  baseUrl: root,
  querySerializer: { array: { style: "form" as const, explode: false } },
  // The path of a file has several parts, whose slashes must stay.
  pathSerializer: (path: string, values: Record<string, unknown>) => defaultPathSerializer(path, values).replaceAll("%2F", "/"),
};

/** Calls of somebody who is signed in. */
export const api = createClient<paths>({ ...options, fetch: authorized });

/** Calls that need no access token. */
export const open = createClient<paths>({ ...options, fetch: send });

/** Returns the body of a successful response, and throws the problem of a failed one. */
export async function ok<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  throw problemIn(response.status, typeof error === "string" ? error : JSON.stringify(error), (name) => response.headers.get(name));
}

/** A part of a list, and the cursor of the next one if there is one. */
export interface Page<T> {
  items: T[];
  next: string | undefined;
}

/** Returns a page of a list, and throws the problem of a failed response. */
export async function page<T>(call: Promise<{ data?: T[]; error?: unknown; response: Response }>): Promise<Page<T>> {
  const result = await call;
  const items = await ok(Promise.resolve(result));
  return { items, next: result.response.headers.get("Link")?.match(/[?&]cursor=([^&>]+)[^>]*>; *rel="?next/)?.[1] };
}

/** Returns the parameters of a call for a file or, with a slash at the end, a folder. */
export const file = (path: string) => ({ params: { path: { path } } });
