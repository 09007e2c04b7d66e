import type { Schemas } from "../api";

const columns = [
  "at", "event", "alarming", "user_email", "user_id", "actor_email", "actor_id", "detail", "address", "device", "login_id", "correlation_id", "id",
] as const satisfies (keyof Schemas["AuditEvent"])[];

/**
 * Returns the events as a table (RFC 4180), with the mark that tells spreadsheets that it is
 * UTF-8. Anybody can choose the name of their device, so a value that spreadsheets would take
 * for a formula begins with an apostrophe.
 */
export function csv(events: Schemas["AuditEvent"][]): Blob {
  const cell = (value: unknown) => `"${String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  const rows = [columns, ...events.map((event) => columns.map((name) => event[name]))];
  return new Blob(["\ufeff", ...rows.map((row) => row.map(cell).join(",") + "\r\n")], { type: "text/csv;charset=utf-8" });
}
