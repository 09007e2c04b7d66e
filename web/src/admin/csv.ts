import type { Schemas } from "../api";

const columns = [
  "at", "event", "alarming", "user_email", "user_id", "actor_email", "actor_id", "detail", "address", "device", "login_id", "correlation_id", "id",
] as const satisfies (keyof Schemas["AuditEvent"])[];

/**
 * Returns the events as a table (RFC 4180). Anybody can choose the name of their device, so a
 * value that spreadsheets would take for a formula begins with an apostrophe.
 */
export function csv(events: Schemas["AuditEvent"][]): string {
  const cell = (value: unknown) => `"${String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
  return [columns, ...events.map((event) => columns.map((name) => event[name]))].map((row) => row.map(cell).join(",") + "\r\n").join("");
}

/** Saves a text as a file. The mark at its beginning tells spreadsheets that it is UTF-8. */
export function save(name: string, text: string) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
