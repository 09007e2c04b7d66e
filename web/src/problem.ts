// What a failed call of the API means.
import type { components } from "./gateway";

type Body = components["schemas"]["Problem"];

/** A failed call. Offline, the code is "offline" and the status 0. */
export class Problem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail = "",
    /** The invalid values, by the name of their field. */
    readonly fields: Record<string, { code: string; message: string }> = {},
    /** Seconds after which to try again; 0 if the server named no time. */
    readonly retryAfter = 0,
    readonly correlation = "",
  ) {
    super(`${code} ${detail}`);
  }
}

export const offline = (retryAfter = 0) => new Problem("offline", 0, "", {}, retryAfter);

/** The codes of responses that are not from the gateway, but from something in front of it. */
const codes: Record<number, string> = {
  413: "file_too_large", 429: "rate_limited", 502: "unreachable", 503: "unreachable", 504: "unreachable",
};

/** Returns the problem in a response that is no success. */
export function problemIn(status: number, text: string, header: (name: string) => string | null): Problem {
  let body: Partial<Body> = {};
  try {
    body = (JSON.parse(text) as Body | null) ?? {};
  } catch {
    // a page of something in front of the gateway
  }
  const fields: Problem["fields"] = {};
  for (const e of body.errors ?? []) fields[e.field] ??= e;
  const correlation = body.correlation_id ?? header("X-Correlation-ID") ?? "";
  return new Problem(body.code ?? codes[status] ?? "unknown", status, body.detail, fields, Number(header("Retry-After")) || 0, correlation);
}

/** Returns any failure as a problem. fetch fails with a TypeError without a connection. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) return offline();
  console.error(error);
  return new Problem("unknown", 0);
}
