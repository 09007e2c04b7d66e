// Which view is shown. The address keeps it behind #, so that the gateway serves one path
// and reloading works everywhere: #/files/Documents/ shows that folder.
import { computed, signal } from "@preact/signals";

const hash = signal(location.hash);
addEventListener("hashchange", () => (hash.value = location.hash));

/** The parts of the address behind #/, without escapes, and without what follows a ?. */
export const route = computed(() =>
  hash.value
    .replace(/^#\/?|\?.*$/g, "")
    .split("/")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part; // somebody typed a %
      }
    }),
);

/** What follows a ? in the address, such as the filter of a list: #/admin/trail?user=ID. */
export const query = computed(() => new URLSearchParams(hash.value.split("?")[1] ?? ""));

/** Returns the address of a view. */
export const to = (...parts: string[]): string => "#/" + parts.map(encodeURIComponent).join("/");

/** Returns the address of a view with the values that are not empty. */
export function toQuery(view: string, values: Record<string, string>): string {
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
  return text ? `${view}?${text}` : view;
}

/** Shows a view. */
export function go(...parts: string[]): void {
  location.hash = to(...parts);
}
